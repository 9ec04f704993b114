package writequeue_test

import (
	"context"
	"database/sql"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/writequeue"
)

// server is a database that is not SQLite, as far as its name says.
type server struct{ gorm.Dialector }

func (server) Name() string { return "server" }

// answering is a pool whose next COMMIT is done, or not, and answered with a
// code.
type answering struct {
	*sql.DB
	code string
	done bool
}

func (p *answering) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := p.DB.BeginTx(ctx, opts)
	return &answeringTx{tx, p}, err
}

type answeringTx struct {
	*sql.Tx
	pool *answering
}

func (tx *answeringTx) Commit() error {
	code := tx.pool.code
	if tx.pool.code = ""; code == "" {
		return tx.Tx.Commit()
	}
	end := tx.Rollback
	if tx.pool.done {
		end = tx.Tx.Commit
	}
	if err := end(); err != nil {
		return err
	}
	return stateError(code)
}

// stateError is an error with a code of the server's.
type stateError string

func (c stateError) Error() string    { return "it says " + string(c) }
func (c stateError) SQLState() string { return string(c) }

// A COMMIT of which nobody knows whether it took place is not repeated: what a
// group has written would be there twice. One that the server has refused is.
func TestCommitIsAnswered(t *testing.T) {
	for _, test := range []struct {
		code string
		done bool
		want error
	}{
		{"08P01", true, stateError("08P01")},  // of a pooler's: the server's connection broke behind it
		{"08P01", false, stateError("08P01")}, // or before
		{"08007", true, stateError("08007")},
		{"40003", true, stateError("40003")},
		{"23503", false, nil}, // a deferred constraint, of one of them
		{"40001", false, nil},
	} {
		t.Run(test.code, func(t *testing.T) {
			db := openPlain(t)
			pool, err := db.DB()
			must(t, err)
			answers := &answering{DB: pool}
			db.Dialector = server{db.Dialector}
			db.ConnPool, db.Statement.ConnPool = answers, answers
			q := writequeue.New(db, writequeue.Config{})
			l := newLine(t, q, db)
			for i := range 3 {
				l.do(t.Context(), func(tx *gorm.DB) error {
					return tx.Exec("INSERT INTO rows (caller, n) VALUES (?, (SELECT count(*) FROM rows))", i).Error
				})
			}
			answers.code, answers.done = test.code, test.done
			l.mustEnd(test.want, test.want, test.want)
			must(t, q.Close())
			if test.done || test.want == nil {
				mustBeStored(t, db, 0, 1, 2)
			} else {
				mustBeStored(t, db)
			}
		})
	}
}
