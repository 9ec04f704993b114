package hooks

import (
	"context"
	"errors"
	"fmt"
)

// writerTx is a transaction of the writer as database/sql drives it.
type writerTx struct {
	conn     *writerConn
	ticket   *ticket
	readOnly bool
	dead     error // what made SQLite roll it back by itself
}

// DeadTransactionError is returned by every statement, and by Commit, of a
// transaction that SQLite has rolled back by itself: after an interrupted
// statement, a full disk, an I/O error. Nothing of it is stored; without this
// error its later statements would be, one by one (T6).
type DeadTransactionError struct {
	Cause error // what killed it
}

func (e *DeadTransactionError) Error() string {
	return fmt.Sprintf("SQLite has rolled this transaction back: %v; nothing of it is stored, run it again from its start", e.Cause)
}

func (e *DeadTransactionError) Unwrap() error { return e.Cause }

func (tx *writerTx) run(query string, statement func() error) error {
	if tx.dead != nil {
		return &DeadTransactionError{Cause: tx.dead}
	}
	if err := refuseEnd(query); err != nil {
		return err
	}
	err := statement()
	tx.check(err)
	return err
}

// check asks SQLite after an error whether the transaction still stands.
func (tx *writerTx) check(err error) {
	if err != nil && tx.dead == nil && tx.conn.AutoCommit() {
		tx.dead = err
	}
}

// Commit commits and leaves the lane.
func (tx *writerTx) Commit() error {
	return tx.end(func() error {
		if tx.dead != nil {
			return &DeadTransactionError{Cause: tx.dead}
		}
		_, err := tx.conn.commit.ExecContext(context.Background(), nil)
		tx.conn.committed()
		return err
	})
}

// Rollback rolls back and leaves the lane.
func (tx *writerTx) Rollback() error {
	return tx.end(func() error {
		if tx.dead != nil {
			return nil // SQLite has done it
		}
		_, err := tx.conn.Exec("ROLLBACK", nil)
		return err
	})
}

func (tx *writerTx) end(how func() error) error {
	defer tx.ticket.leave()
	tx.conn.tx = nil
	err := how()
	if err != nil && !tx.conn.AutoCommit() {
		// database/sql takes the transaction for ended.
		_, undo := tx.conn.Exec("ROLLBACK", nil)
		err = errors.Join(err, undo)
	}
	if tx.readOnly {
		_, writable := tx.conn.Exec("PRAGMA query_only=OFF", nil)
		err = errors.Join(err, writable)
	}
	return err
}
