package transfer

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// side is one of the two databases.
type side struct {
	db       *gorm.DB
	postgres bool
}

// patience has PostgreSQL wait for a transaction, or a session, that is slow, or
// does nothing while the other side is read or written: many servers end those
// after some minutes. Not every version has each of these settings.
const patience = `SELECT set_config(name, '0', $1) FROM pg_settings
	WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')`

// snapshot runs fn over one moment of the database.
func (s side) snapshot(ctx context.Context, fn func(at moment) error) error {
	return s.db.Session(&gorm.Session{NewDB: true, Context: ctx}).Transaction(func(tx *gorm.DB) error {
		if s.postgres {
			// Until the transaction ends.
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, patience, true); err != nil {
				return err
			}
		}
		return fn(moment{side: s, pool: tx.Statement.ConnPool})
	}, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
}

// moment is a side at one moment. The zero moment has no rows.
type moment struct {
	side
	pool gorm.ConnPool
	only func(row) bool // the rows that are read; nil: all
}

func (m moment) int(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = m.pool.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

func (m moment) isEmpty(ctx context.Context, t *table) (bool, error) {
	n, err := m.int(ctx, "SELECT count(*) FROM (SELECT 1 FROM "+t.name+" LIMIT 1) AS one")
	return n == 0, err
}

// Rows are read ahead, in lists, while others are compared and written.
const (
	listRows   = 512
	listsAhead = 32
)

// stream are the rows of a table, one after the other. A nil stream has none.
type stream struct {
	table   *table
	lists   chan []row
	failure error // to be read when lists is closed
	stop    context.CancelFunc
	only    func(row) bool

	list []row
	next int
}

// read begins to read a table. The stream must be closed before the moment is
// used for anything else.
func (m moment) read(ctx context.Context, t *table, columns []column) *stream {
	if m.db == nil {
		return nil
	}
	ctx, stop := context.WithCancel(ctx)
	s := &stream{table: t, lists: make(chan []row, listsAhead), stop: stop, only: m.only}
	go func() {
		defer close(s.lists)
		s.failure = s.fill(ctx, m.pool, t.query(columns, m.postgres), columns)
	}()
	return s
}

func (s *stream) fill(ctx context.Context, pool gorm.ConnPool, query string, columns []column) (err error) {
	rows, err := pool.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	list, dest := make([]row, 0, listRows), make([]any, len(columns))
	send := func() error {
		select {
		case s.lists <- list:
			list = make([]row, 0, listRows)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for rows.Next() {
		r := make(row, len(columns))
		for i := range r {
			dest[i] = &r[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, c := range columns {
			if r[i], err = c.kind.normal(r[i]); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		if s.only != nil && !s.only(r) {
			continue
		}
		if list = append(list, r); len(list) == listRows {
			if err := send(); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return send()
}

// peek returns the next row without taking it, or nil at the end.
func (s *stream) peek() (row, error) {
	if s == nil {
		return nil, nil
	}
	for s.next == len(s.list) {
		list, ok := <-s.lists
		if !ok {
			if s.failure != nil {
				return nil, fmt.Errorf("read table %s: %w", s.table.name, s.failure)
			}
			return nil, nil
		}
		s.list, s.next = list, 0
	}
	return s.list[s.next], nil
}

// take goes on to the row after.
func (s *stream) take() { s.next++ }

// close returns when nothing reads any more.
func (s *stream) close() {
	if s == nil {
		return
	}
	s.stop()
	for range s.lists { // until fill has ended
	}
}

// merge goes through two tables in the order of their keys, of n columns. fn
// is given the rows of one key; the one that is not there is nil.
func merge(from, to *stream, n int, fn func(source, target row) error) error {
	for {
		source, err := from.peek()
		if err != nil {
			return err
		}
		target, err := to.peek()
		if err != nil {
			return err
		}
		switch {
		case source == nil && target == nil:
			return nil
		case target == nil:
			from.take()
		case source == nil:
			to.take()
		default:
			switch order := compareKeys(source, target, n); {
			case order < 0:
				target = nil
				from.take()
			case order > 0:
				source = nil
				to.take()
			default:
				from.take()
				to.take()
			}
		}
		if err := fn(source, target); err != nil {
			return err
		}
	}
}
