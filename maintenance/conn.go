package maintenance

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/flashstore/flashstore/hooks"
	"gorm.io/gorm"
)

// Errors of every function, for a *gorm.DB that it cannot work on.
var (
	// ErrNotSQLite means that the *gorm.DB was opened for another engine.
	ErrNotSQLite = errors.New("maintenance is for SQLite: " +
		"open the database with gorm.Open(sqlite.Open(path)) of gorm.io/driver/sqlite")
	// ErrInTransaction means that the *gorm.DB is a transaction. What it has
	// not committed would be left out, and what it has locked waited for.
	ErrInTransaction = errors.New("maintenance does not run inside a transaction: give it the outer *gorm.DB, not tx")
)

// usable refuses a database that no function here can work on.
func usable(db *gorm.DB) error {
	if db.Dialector == nil || db.Name() != "sqlite" {
		return fmt.Errorf("%w (this one is %T)", ErrNotSQLite, db.Dialector)
	}
	if hooks.InTransaction(db) {
		return ErrInTransaction
	}
	return nil
}

// onOwn runs fn on a connection of its own out of db.DB(), where it holds up
// neither the writer nor the readers of the plugin.
func onOwn(ctx context.Context, db *gorm.DB, fn func(conn *sql.Conn) error) (err error) {
	if err := usable(db); err != nil {
		return err
	}
	pool, err := db.DB()
	if err != nil {
		return fmt.Errorf("find the database's connections: %w", err)
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		// One that discard took out of the pool is closed already.
		if closing := conn.Close(); !errors.Is(closing, sql.ErrConnDone) {
			err = errors.Join(err, closing)
		}
	}()
	return fn(conn)
}

// onWriter runs fn on the connection that writes, alone.
func onWriter(ctx context.Context, db *gorm.DB, fn func(conn *sql.Conn) error) error {
	if err := usable(db); err != nil {
		return err
	}
	return hooks.WithWriter(ctx, db, fn)
}

// How a transaction begins.
const (
	beginRead  = "BEGIN"           // the first read takes the snapshot
	beginWrite = "BEGIN IMMEDIATE" // the write lock is taken first (T3)
)

// inTransaction runs fn in a transaction on conn and commits it, or rolls it
// back when fn fails, panics, or ctx ends. It begins by text, because BeginTx
// takes the write lock on connections that were opened with _txlock=immediate,
// those of the plugin among them, and a reader must not.
func inTransaction(ctx context.Context, conn *sql.Conn, begin string, fn func() error) error {
	if _, err := conn.ExecContext(ctx, begin); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			rollback(ctx, conn)
		}
	}()
	if err := fn(); err != nil {
		return err
	}
	if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	committed = true
	return nil
}

// rollback ends a transaction that failed, even after ctx has ended.
func rollback(ctx context.Context, conn *sql.Conn) {
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err != nil {
		discard(conn)
	}
}

// discard closes a connection whose state is unknown, or is not what the
// application set, instead of giving it back. Closing rolls back.
func discard(conn *sql.Conn) {
	_ = conn.Raw(func(any) error { return driver.ErrBadConn })
}
