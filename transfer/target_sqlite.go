package transfer

import (
	"context"
	"errors"
	"strings"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// toSQLite writes by the connection that writes, as the application does.
type toSQLite struct {
	db     *gorm.DB
	unlock func() error
}

// newToSQLite holds a lock file while there is a writer: no lock of SQLite's own
// would last from one transaction to the next.
func newToSQLite(ctx context.Context, db *gorm.DB) (*toSQLite, error) {
	var path string
	err := db.WithContext(ctx).Raw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path).Error
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(path + "-copying")
	return &toSQLite{db, unlock}, err
}

// statementRows is how many rows one statement writes.
const statementRows = 64

func (w *toSQLite) transaction(ctx context.Context, fn func(pool gorm.ConnPool) error) error {
	return hooks.Transaction(ctx, w.db, func(tx *gorm.DB) error { return fn(tx.Statement.ConnPool) })
}

func (w *toSQLite) put(ctx context.Context, t *table, added, changed []row) error {
	return w.transaction(ctx, func(pool gorm.ConnPool) error {
		for _, rows := range [][]row{added, changed} {
			whole := len(rows) - len(rows)%statementRows
			if err := t.insert(ctx, pool, rows[:whole], statementRows); err != nil {
				return err
			}
			if err := t.insert(ctx, pool, rows[whole:], len(rows)-whole); err != nil {
				return err
			}
		}
		return nil
	})
}

// insert writes rows, each statement so many of them.
func (t *table) insert(ctx context.Context, pool gorm.ConnPool, rows []row, each int) (err error) {
	if len(rows) == 0 {
		return nil
	}
	one := "(?" + strings.Repeat(", ?", len(t.columns)-1) + ")"
	statement, err := pool.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(names(t.columns), ", ")+") VALUES "+
		one+strings.Repeat(", "+one, each-1)+t.conflict())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, statement.Close()) }()
	values := make([]any, 0, each*len(t.columns))
	for i := 0; i < len(rows); i += each {
		values = values[:0]
		for _, r := range rows[i : i+each] {
			values = append(values, r...)
		}
		if _, err := statement.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

func (w *toSQLite) each(ctx context.Context, statement string, rows []row) error {
	return w.transaction(ctx, func(pool gorm.ConnPool) error {
		for _, r := range rows {
			if _, err := pool.ExecContext(ctx, statement, r...); err != nil {
				return err
			}
		}
		return nil
	})
}

// number follows SQLite's own list. A table that is not AUTOINCREMENT has no
// place in it.
func (w *toSQLite) number(ctx context.Context, t *table, given int64) error {
	return w.transaction(ctx, func(pool gorm.ConnPool) error {
		var counts bool
		err := pool.QueryRowContext(ctx,
			"SELECT upper(sql) LIKE '%AUTOINCREMENT%' FROM sqlite_schema WHERE type = 'table' AND name = ?", t.name).Scan(&counts)
		if err != nil || !counts {
			return err
		}
		result, err := pool.ExecContext(ctx, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", given, t.name)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		_, err = pool.ExecContext(ctx, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", t.name, given)
		return err
	})
}

func (w *toSQLite) close() error { return w.unlock() }
