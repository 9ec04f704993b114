package hooks

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"regexp"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// dialector is GORM's own for SQLite without three of its silences: errors of
// savepoints are returned, a table's rebuild keeps what belongs to the table,
// and a FOR UPDATE that locks nothing is warned of.
type dialector struct {
	*sqlite.Dialector
	pool *pool
}

var (
	_ gorm.Dialector                     = (*dialector)(nil)
	_ gorm.SavePointerDialectorInterface = (*dialector)(nil)
	_ gorm.ErrorTranslator               = (*dialector)(nil)
)

// installDialector puts the dialector in the place of GORM's. It cannot fail,
// so that db.Use does it when nothing else can.
func installDialector(db *gorm.DB, opened *pool, logger *slog.Logger) {
	db.Dialector = &dialector{Dialector: db.Dialector.(*sqlite.Dialector), pool: opened}
	watchLocking(db, logger)
}

// Migrator returns GORM's own, with safe rebuilds.
func (d *dialector) Migrator(db *gorm.DB) gorm.Migrator {
	return migrator{Migrator: d.Dialector.Migrator(db).(sqlite.Migrator), pool: d.pool}
}

// SavePoint sets a savepoint in the transaction tx.
func (d *dialector) SavePoint(tx *gorm.DB, name string) error {
	waitingFor(tx).mark(name)
	return tx.Session(&gorm.Session{NewDB: true}).Exec("SAVEPOINT " + name).Error
}

// RollbackTo undoes what tx did since the savepoint. Going back is what one
// does after an error or the end of a context, so that neither stops it.
func (d *dialector) RollbackTo(tx *gorm.DB, name string) error {
	back := tx.Session(&gorm.Session{NewDB: true, Context: context.WithoutCancel(tx.Statement.Context)})
	if InTransaction(tx) {
		back.Error = nil
	}
	waitingFor(tx).cut(name)
	err := back.Exec("ROLLBACK TO SAVEPOINT " + name).Error
	if ofNested.MatchString(name) && isOver(err) {
		return nil
	}
	return err
}

// ofNested finds the names that GORM gives to the savepoints of nested
// transactions. GORM itself goes back to them, after an error that it returns.
// Where all is undone already there is nothing to add, and GORM would keep the
// error in the outer transaction's handle, whose Row() is nil from then on.
var ofNested = regexp.MustCompile(`^sp[0-9]{12,20}$`)

// isOver reports whether err says that the whole transaction has ended.
func isOver(err error) bool {
	var dead *DeadTransactionError
	return errors.Is(err, sql.ErrTxDone) || errors.As(err, &dead)
}
