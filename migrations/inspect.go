package migrations

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// SchemaError says that a table with one of our names is not ours, or that the
// database is newer than this program. Nothing was changed.
type SchemaError struct {
	Table  string // its name, with the prefix
	Reason string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("table %q %s; nothing was changed: if it is another program's, "+
		"set TablePrefix, so that flashstore's tables get other names", e.Table, e.Reason)
}

// inspection is what a look at the database found.
type inspection struct {
	history      []migration
	versionTable bool                 // whether schema_migrations exists
	applied      map[string]time.Time // by version
}

// inspect looks at one moment of the database, as a reader.
func inspect(ctx context.Context, db *gorm.DB, cfg Config) (found inspection, err error) {
	d, err := dialectOf(db)
	if err != nil {
		return found, err
	}
	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		found, err = inspectIn(tx, d, cfg)
		return err
	}, d.reading)
	return found, err
}

// inspectIn compares what is there with what the applied migrations make.
func inspectIn(tx *gorm.DB, d *dialect, cfg Config) (inspection, error) {
	if err := cfg.Validate(); err != nil {
		return inspection{}, err
	}
	list, err := history(d)
	if err != nil {
		return inspection{}, err
	}
	if err := d.fits(list, cfg.TablePrefix); err != nil {
		return inspection{}, err
	}
	found := inspection{history: list, applied: map[string]time.Time{}}
	ours, err := found.made(d, cfg, func(migration) bool { return true })
	if err != nil {
		return found, err
	}
	there, err := d.tablesOf(tx, slices.Collect(maps.Keys(ours)))
	if err != nil {
		return found, err
	}
	if err := found.readVersions(tx, cfg, ours, there); err != nil {
		return found, err
	}
	want, err := found.made(d, cfg, func(m migration) bool { _, ok := found.applied[m.version]; return ok })
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
			return &SchemaError{name, "exists already and was not made by flashstore (it has " + got + ")"}
		case expected && !exists && !strings.HasSuffix(name, "schema_migrations"):
			return &SchemaError{name, "is missing, though its migration is recorded as applied"}
		case exists && got != columns:
			return &SchemaError{name, fmt.Sprintf("has other columns than flashstore's (it has %s; ours has %s)", got, columns)}
		}
	}
	return nil
}

// made returns the tables that the chosen migrations make, and the one that
// records them: the history is the only description of the schema.
func (found *inspection) made(d *dialect, cfg Config, chosen func(migration) bool) (map[string]string, error) {
	scripts := []string{d.versionTable}
	for _, m := range found.history {
		if chosen(m) {
			scripts = append(scripts, m.up)
		}
	}
	return d.made(d, scripts, cfg.TablePrefix)
}
