package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// onWriter runs fn in a transaction of the connection that writes, with
// foreign keys off, and says whether they were on. However fn ends, they are
// afterwards as they were.
func (m migrator) onWriter(fn func(tx *gorm.DB, enforced bool) error) error {
	ctx := m.DB.Statement.Context
	var begun *transaction
	err := WithWriter(ctx, m.DB, func(conn *sql.Conn) error {
		return during(ctx, conn, "legacy_alter_table", false, func(bool) error {
			return during(ctx, conn, "foreign_keys", false, func(enforced bool) error {
				return inTransaction(ctx, conn, func(tx *sql.Tx) error {
					begun = &transaction{Tx: tx, pool: m.pool}
					return fn(m.inside(begun), enforced)
				})
			})
		})
	})
	if err == nil {
		begun.after.run() // now that the writer is free
	}
	return err
}

// inTransaction runs fn in a transaction of conn. The end of ctx stops the
// statements of fn but does not end the transaction: database/sql would do it
// in the background, and a pragma that follows might come before it.
func inTransaction(ctx context.Context, conn *sql.Conn, fn func(begun *sql.Tx) error) (err error) {
	begun, err := conn.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return err
	}
	committed := false
	defer func() {
		if !committed {
			if undo := begun.Rollback(); !errors.Is(undo, sql.ErrTxDone) {
				err = errors.Join(err, undo)
			}
		}
	}()
	if err := fn(begun); err != nil {
		return err
	}
	err = begun.Commit()
	committed = err == nil
	return err
}

// during sets a pragma of conn, on or off, while fn runs, and tells fn how it
// was before. A connection that does not take it back is thrown away: the next
// one begins with the plugin's pragmas.
func during(ctx context.Context, conn *sql.Conn, pragma string, on bool, fn func(before bool) error) (err error) {
	var before bool
	if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&before); err != nil {
		return fmt.Errorf("read PRAGMA %s: %w", pragma, err)
	}
	defer func() {
		undo := setSwitch(context.WithoutCancel(ctx), conn, pragma, before)
		if undo != nil {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		err = errors.Join(err, undo)
	}()
	if err := setSwitch(ctx, conn, pragma, on); err != nil {
		return err
	}
	return fn(before)
}

// setSwitch sets a pragma and reads it back: in a transaction SQLite ignores
// some without a word.
func setSwitch(ctx context.Context, conn *sql.Conn, pragma string, on bool) error {
	want := map[bool]string{true: "1", false: "0"}[on]
	if _, err := conn.ExecContext(ctx, "PRAGMA "+pragma+"="+want); err != nil {
		return &PragmaError{Pragma: pragma, Want: want, Err: err}
	}
	var got string
	if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
		return &PragmaError{Pragma: pragma, Want: want, Got: got, Err: err}
	}
	return nil
}
