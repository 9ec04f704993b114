package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
)

// attempts is how often, at most, Transaction runs a function.
const attempts = 10

// retryMost bounds the pause between two runs.
const retryMost = 100 * time.Millisecond

// Transaction runs fn in a transaction of db under ctx and commits it, or
// rolls it back if fn returns an error or panics. A transaction that lost
// against another one (SQLITE_BUSY in all its forms, BUSY_SNAPSHOT among
// them, SQLITE_LOCKED; on PostgreSQL 40001 and 40P01) is run again from its
// start, up to ten times with random pauses until ctx ends: fn must not
// change anything but the database before it has returned for good (S29).
//
// With &sql.TxOptions{ReadOnly: true} it is a snapshot for reading that waits
// for nobody. Inside a transaction fn runs once, in a savepoint: only from
// outside can the whole be run again.
func Transaction(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error, opts ...*sql.TxOptions) error {
	db = db.WithContext(ctx)
	if InTransaction(db) {
		return nested(ctx, db, fn)
	}
	for n := 1; ; n++ {
		err := db.Transaction(fn, opts...)
		if err == nil || !Lost(err) {
			return err
		}
		if p, ok := db.Plugins[Name].(*Plugin); ok {
			p.cfg.tell(Event{Kind: RanAgain, Err: err})
		}
		if n == attempts {
			return fmt.Errorf("transaction lost against others %d times: %w", n, err)
		}
		if stop := pause(ctx, backoff(n, retryMost)); stop != nil {
			return stop
		}
	}
}

// InTransaction reports whether db is inside a transaction.
func InTransaction(db *gorm.DB) bool {
	_, ok := db.Statement.ConnPool.(gorm.TxCommitter)
	return ok
}

// savepoints numbers the savepoints of nested transactions.
var savepoints atomic.Int64

// nested runs fn in a savepoint of the transaction tx. GORM's own does not
// come back when ctx has ended, and keeps what was written to it; here the
// savepoint is given up on a context that cannot end.
func nested(ctx context.Context, tx *gorm.DB, fn func(tx *gorm.DB) error) (err error) {
	name := fmt.Sprintf("flashstore_%d", savepoints.Add(1))
	control := func(statement string) error {
		return tx.Session(&gorm.Session{NewDB: true, Context: context.WithoutCancel(ctx)}).Exec(statement + name).Error
	}
	if err := control("SAVEPOINT "); err != nil {
		return err
	}
	waiting := waitingFor(tx)
	waiting.mark(name)
	kept := false
	defer func() {
		if !kept {
			waiting.cut(name)
			err = errors.Join(err, control("ROLLBACK TO SAVEPOINT "))
		}
		err = errors.Join(err, control("RELEASE SAVEPOINT "))
	}()
	err = fn(tx.Session(&gorm.Session{NewDB: true}))
	kept = err == nil
	return err
}
