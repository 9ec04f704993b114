package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
)

// SchemaError says that a table of one of our names is not ours, or that the
// database is newer than this program. Nothing was changed.
type SchemaError struct {
	Table  string // its name, with the prefix
	Reason string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("table %q %s; nothing was changed: if it is another program's, "+
		"set TablePrefix so that ours have names of their own", e.Table, e.Reason)
}

// inspection is what a look at the database found.
type inspection struct {
	history      []migration
	versionTable bool                 // whether schema_migrations exists
	applied      map[string]time.Time // by version
}

// inspect looks at one moment of the database, as a reader.
func inspect(ctx context.Context, db *gorm.DB, cfg Config) (found inspection, err error) {
	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		found, err = inspectIn(tx, cfg)
		return err
	}, &sql.TxOptions{ReadOnly: true})
	return found, err
}

// inspectIn compares what is there with what the applied migrations make.
func inspectIn(tx *gorm.DB, cfg Config) (inspection, error) {
	if err := cfg.Validate(); err != nil {
		return inspection{}, err
	}
	list, err := history(tx)
	if err != nil {
		return inspection{}, err
	}
	found := inspection{history: list, applied: map[string]time.Time{}}
	ours, err := found.made(cfg, func(migration) bool { return true })
	if err != nil {
		return found, err
	}
	there, err := tablesOf(tx, slices.Collect(maps.Keys(ours)))
	if err != nil {
		return found, err
	}
	if err := found.readVersions(tx, cfg, ours, there); err != nil {
		return found, err
	}
	want, err := found.made(cfg, func(m migration) bool { _, ok := found.applied[m.version]; return ok })
	if err != nil {
		return found, err
	}
	return found, compare(slices.Sorted(maps.Keys(ours)), want, there)
}

// readVersions fills in which migrations are applied.
func (found *inspection) readVersions(tx *gorm.DB, cfg Config, ours, there map[string]string) error {
	name := cfg.TablePrefix + "schema_migrations"
	columns, exists := there[name]
	if !exists {
		return nil
	}
	found.versionTable = true
	if columns != ours[name] {
		return &SchemaError{name, "belongs to another tool (it has " + columns + ")"}
	}
	var rows []struct {
		Version   string `gorm:"column:version"`
		AppliedAt int64  `gorm:"column:applied_at"`
	}
	if err := tx.Table(name).Order("version").Find(&rows).Error; err != nil {
		return err
	}
	for _, row := range rows {
		if !slices.ContainsFunc(found.history, func(m migration) bool { return m.version == row.Version }) {
			return &SchemaError{name, fmt.Sprintf("has the migration %q, which this program does not know: "+
				"the database is newer than the program (then update the program), or the table is another tool's", row.Version)}
		}
		found.applied[row.Version] = time.UnixMilli(row.AppliedAt).UTC()
	}
	return nil
}

// compare refuses tables of our names that the applied migrations did not
// make, or that are not as they made them.
func compare(ours []string, want, there map[string]string) error {
	for _, name := range ours {
		got, exists := there[name]
		columns, expected := want[name]
		switch {
		case exists && !expected:
			return &SchemaError{name, "is there already and was not made by flashstore (it has " + got + ")"}
		case expected && !exists && !strings.HasSuffix(name, "schema_migrations"):
			return &SchemaError{name, "is missing, though its migration is recorded as applied"}
		case exists && got != columns:
			return &SchemaError{name, fmt.Sprintf("has other columns than flashstore's (it has %s; ours has %s)", got, columns)}
		}
	}
	return nil
}

// made returns the tables that the chosen migrations make, and the one that
// records them, read off a database in memory: the history is the only
// description of the schema.
func (found *inspection) made(cfg Config, chosen func(migration) bool) (map[string]string, error) {
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(1)
	if err := run(db, versionTable, cfg.TablePrefix); err != nil {
		return nil, err
	}
	names := []string{cfg.TablePrefix + "schema_migrations"}
	for _, m := range found.history {
		if !chosen(m) {
			continue
		}
		if err := run(db, m.up, cfg.TablePrefix); err != nil {
			return nil, fmt.Errorf("migration %s: %w", m.version, err)
		}
		names = append(names, tableNames(m.up, cfg.TablePrefix)...)
	}
	return tablesOf(db, names)
}

var createTable = regexp.MustCompile(`CREATE TABLE \{(\w+)\}`)

// tableNames returns the names of the tables that a script creates.
func tableNames(script, prefix string) []string {
	var names []string
	for _, match := range createTable.FindAllStringSubmatch(script, -1) {
		names = append(names, prefix+match[1])
	}
	return names
}

// tableColumns is asked for our names only: the application may have virtual
// tables whose module this program does not carry.
const tableColumns = `
SELECT lower(m.name) AS name, c.name || ' ' || c.type AS column_name
FROM sqlite_master AS m
JOIN pragma_table_info(m.name) AS c
WHERE m.type IN ('table', 'view') AND lower(m.name) IN ?`

// tablesOf returns the columns with their types of those of the named tables
// and views that exist: by name, sorted, in one text.
func tablesOf(tx *gorm.DB, names []string) (map[string]string, error) {
	var rows []struct {
		Name   string `gorm:"column:name"`
		Column string `gorm:"column:column_name"`
	}
	if err := tx.Raw(tableColumns, names).Scan(&rows).Error; err != nil {
		return nil, err
	}
	columns := map[string][]string{}
	for _, row := range rows {
		columns[row.Name] = append(columns[row.Name], row.Column)
	}
	tables := make(map[string]string, len(columns))
	for name, list := range columns {
		slices.Sort(list)
		tables[name] = strings.Join(list, ", ")
	}
	return tables, nil
}
