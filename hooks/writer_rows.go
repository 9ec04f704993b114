package hooks

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"

	"github.com/mattn/go-sqlite3"
)

// writerRows are rows read on the writer.
type writerRows struct {
	*sqlite3.SQLiteRows
	conn   *writerConn
	tx     *writerTx
	ticket *ticket
}

// Next reads a row.
func (r *writerRows) Next(dest []driver.Value) error {
	err := r.SQLiteRows.Next(dest)
	if r.tx != nil && !errors.Is(err, io.EOF) {
		r.tx.check(err)
	}
	return err
}

// Close ends the statement and, outside of a transaction, leaves the lane.
func (r *writerRows) Close() error {
	defer r.ticket.leave()
	defer r.conn.committed()
	return r.SQLiteRows.Close()
}

// writerStmt is a prepared statement of the writer.
type writerStmt struct {
	*sqlite3.SQLiteStmt
	conn  *writerConn
	query string
}

// ExecContext runs the statement.
func (s *writerStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.conn.run(ctx, s.query, func() error {
		res, err = s.SQLiteStmt.ExecContext(ctx, args)
		return err
	})
	s.conn.committed()
	return res, err
}

// QueryContext runs the statement and returns its rows.
func (s *writerStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	var rows driver.Rows
	err := s.conn.run(ctx, s.query, func() (err error) {
		rows, err = s.SQLiteStmt.QueryContext(ctx, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.conn.wrap(ctx, rows), nil
}
