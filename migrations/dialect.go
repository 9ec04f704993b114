package migrations

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// dialect is all that differs between the databases that we know: what is
// not said here is the same on both.
type dialect struct {
	name string // GORM's, and that of the folder of its texts

	// versionTable is made before gormigrate runs, which finds it and inserts
	// its ids; the time is the database's own.
	versionTable string

	// reading and writing are how a look and a change begin their transaction.
	reading, writing *sql.TxOptions

	// lock makes the transaction of a change the only one of its prefix, from
	// its start to its end.
	lock func(tx *gorm.DB, prefix string) error

	// columns is the query for the columns of the named tables and views.
	columns string

	// made returns what tablesOf does for a database in which only these
	// scripts have run.
	made func(d *dialect, scripts []string, prefix string) (map[string]string, error)

	longestName int // in bytes; a longer one would be cut. 0: there is no limit
}

var dialects = []*dialect{&sqliteDialect, &postgresDialect}

// DialectError says that the database is of a kind for which there are no
// migrations. Nothing was changed.
type DialectError struct {
	Dialect string // GORM's name for it
}

func (e *DialectError) Error() string {
	return fmt.Sprintf("there are no migrations for the dialect %q: "+
		"open the database with gorm.io/driver/sqlite or gorm.io/driver/postgres", e.Dialect)
}

func dialectOf(db *gorm.DB) (*dialect, error) {
	i := slices.IndexFunc(dialects, func(d *dialect) bool { return d.name == db.Name() })
	if i < 0 {
		return nil, &DialectError{db.Name()}
	}
	return dialects[i], nil
}

// tablesOf returns the columns with their types of those of the named tables
// and views that exist: by name, sorted, in one text.
func (d *dialect) tablesOf(tx *gorm.DB, names []string) (map[string]string, error) {
	var rows []struct {
		Name   string `gorm:"column:name"`
		Column string `gorm:"column:column_name"`
	}
	if err := tx.Raw(d.columns, names).Scan(&rows).Error; err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	for _, row := range rows {
		columns[row.Name] = append(columns[row.Name], row.Column)
	}
	return inOneText(columns), nil
}

func inOneText(columns map[string][]string) map[string]string {
	tables := make(map[string]string, len(columns))
	for name, list := range columns {
		slices.Sort(list)
		tables[name] = strings.Join(list, ", ")
	}
	return tables
}

// fits refuses a prefix with which a name of the history is too long.
func (d *dialect) fits(list []migration, prefix string) error {
	for _, m := range list {
		for _, match := range placeholder.FindAllStringSubmatch(m.up, -1) {
			if name := prefix + match[1]; d.longestName > 0 && len(name) > d.longestName {
				return &PrefixError{prefix, fmt.Sprintf("the name %s has %d bytes, and the database takes %d: make the prefix %d shorter",
					name, len(name), d.longestName, len(name)-d.longestName)}
			}
		}
	}
	return nil
}
