package hooks

import (
	"errors"
	"fmt"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// ErrRebuildInTransaction is returned by GORM's migrator, AutoMigrate included,
// where it would rebuild a table inside a transaction with foreign keys on: the
// DROP TABLE of a rebuild deletes every row that refers to the table, and
// SQLite cannot switch foreign keys off in a transaction. The refused step
// changes nothing.
var ErrRebuildInTransaction = errors.New("GORM would rebuild a table inside a transaction, " +
	"which deletes the rows that refer to it: run the migration outside of db.Transaction and db.Begin " +
	"(each rebuild is a transaction of its own), or write it in SQL")

// RebuildError says why a table's rebuild was rolled back. Nothing of it is
// stored.
type RebuildError struct {
	Table string // the table to be rebuilt
	Err   error  // what would have been lost or broken
}

func (e *RebuildError) Error() string {
	return fmt.Sprintf("the rebuild of table %q was rolled back, nothing is changed: %v", e.Table, e.Err)
}

func (e *RebuildError) Unwrap() error { return e.Err }

// migrator is GORM's own for SQLite. SQLite cannot change a column or a
// constraint in place, so that GORM copies the table, drops it and renames the
// copy (T12). Here that happens on the connection that writes, in one
// transaction, with foreign keys off around it, and is compared with what
// there was before.
type migrator struct {
	sqlite.Migrator
	pool *pool
}

var _ gorm.Migrator = migrator{}

// AlterColumn gives a column the type of the model's field.
func (m migrator) AlterColumn(value any, name string) error {
	return m.rebuild(value, change{run: func(gorms sqlite.Migrator) error { return gorms.AlterColumn(value, name) }})
}

// DropColumn drops a column, and the indexes over nothing else.
func (m migrator) DropColumn(value any, name string) error {
	return m.rebuild(value, change{
		run: func(gorms sqlite.Migrator) error { return gorms.DropColumn(value, name) },
		find: func(stmt *gorm.Statement) (table, drops string) {
			if stmt.Schema != nil {
				if field := stmt.Schema.LookUpField(name); field != nil {
					return stmt.Table, field.DBName
				}
			}
			return stmt.Table, name
		},
	})
}

// CreateConstraint adds a constraint of the model to its table.
func (m migrator) CreateConstraint(value any, name string) error {
	return m.rebuild(value, change{
		run:  func(gorms sqlite.Migrator) error { return gorms.CreateConstraint(value, name) },
		find: m.constrained(name),
	})
}

// DropConstraint takes a constraint off its table.
func (m migrator) DropConstraint(value any, name string) error {
	return m.rebuild(value, change{
		run:  func(gorms sqlite.Migrator) error { return gorms.DropConstraint(value, name) },
		find: m.constrained(name),
	})
}

// DropTable drops tables as GORM does, with foreign keys off. They are off
// for nobody else meanwhile.
func (m migrator) DropTable(values ...any) error {
	if m.DB.DryRun || InTransaction(m.DB) {
		return m.Migrator.DropTable(values...)
	}
	return m.onWriter(func(tx *gorm.DB, _ bool) error { return m.on(tx).DropTable(values...) })
}

// change is one of GORM's rebuilds.
type change struct {
	run  func(gorms sqlite.Migrator) error
	find func(stmt *gorm.Statement) (table, drops string) // or nil: the model's table, no column is dropped
}

// constrained finds the table that has the constraint.
func (m migrator) constrained(name string) func(stmt *gorm.Statement) (table, drops string) {
	return func(stmt *gorm.Statement) (table, drops string) {
		_, table = m.GuessConstraintInterfaceAndTable(stmt, name)
		return table, ""
	}
}

// rebuild runs c so that all of it is kept, or nothing is changed.
func (m migrator) rebuild(value any, c change) error {
	if m.DB.DryRun {
		return c.run(m.Migrator)
	}
	var table, drops string
	err := m.RunWithValue(value, func(stmt *gorm.Statement) error {
		table = stmt.Table
		if c.find != nil {
			table, drops = c.find(stmt)
		}
		return nil
	})
	if err != nil {
		return err
	}
	guarded := func(tx *gorm.DB, enforced bool) error {
		g := &guard{tx: connectionOf(tx), ctx: tx.Statement.Context, table: table, drops: drops, enforced: enforced}
		return g.around(func() error { return c.run(m.on(tx)) })
	}
	if !InTransaction(m.DB) {
		return m.onWriter(guarded)
	}
	if err := refuseEnforced(m.DB); err != nil {
		return err
	}
	// The caller has switched foreign keys off.
	return m.DB.Transaction(func(tx *gorm.DB) error { return guarded(tx, false) })
}

// refuseEnforced returns ErrRebuildInTransaction if foreign keys are on in tx.
func refuseEnforced(tx *gorm.DB) error {
	var on bool
	row := connectionOf(tx).QueryRowContext(tx.Statement.Context, "PRAGMA foreign_keys")
	if err := row.Scan(&on); err != nil {
		return fmt.Errorf("see whether foreign keys are on: %w", err)
	}
	if on {
		return ErrRebuildInTransaction
	}
	return nil
}

// connectionOf returns tx's connection without GORM's store of prepared
// statements.
func connectionOf(tx *gorm.DB) gorm.ConnPool {
	if wrapped, ok := tx.Statement.ConnPool.(*gorm.PreparedStmtTX); ok {
		return wrapped.Tx
	}
	return tx.Statement.ConnPool
}

// on returns GORM's own migrator in the transaction tx.
func (m migrator) on(tx *gorm.DB) sqlite.Migrator {
	gorms := m.Migrator
	gorms.DB = tx
	return gorms
}

// inside returns m's session in the transaction begun.
func (m migrator) inside(begun *transaction) *gorm.DB {
	tx := m.DB.Session(&gorm.Session{Context: m.DB.Statement.Context})
	tx.Statement.ConnPool = begun
	return tx
}
