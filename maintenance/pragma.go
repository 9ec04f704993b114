package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// readPragma puts the first row of PRAGMA name into dest, a column each.
func readPragma(ctx context.Context, conn *sql.Conn, name string, dest ...any) error {
	if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(dest...); err != nil {
		return fmt.Errorf("read PRAGMA %s: %w", name, err)
	}
	return nil
}

// setPragma sets PRAGMA name on conn.
func setPragma(ctx context.Context, conn *sql.Conn, name string, value int64) error {
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA %s=%d", name, value)); err != nil {
		return fmt.Errorf("set PRAGMA %s=%d: %w", name, value, err)
	}
	return nil
}

// borrowPragma sets PRAGMA name on conn until giveBack is called, which may be
// after ctx has ended.
func borrowPragma(ctx context.Context, conn *sql.Conn, name string, value int64) (giveBack func(), err error) {
	var before int64
	if err := readPragma(ctx, conn, name, &before); err != nil {
		return nil, err
	}
	if err := setPragma(ctx, conn, name, value); err != nil {
		return nil, err
	}
	return func() {
		if err := setPragma(context.WithoutCancel(ctx), conn, name, before); err != nil {
			discard(conn)
		}
	}, nil
}

// eachRow runs query and calls fn for each of its rows. A pragma that does
// something does it row by row: what is not read is not done (T13).
func eachRow(ctx context.Context, conn *sql.Conn, query string, fn func(rows *sql.Rows) error) (err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return fmt.Errorf("%s: %w", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	return nil
}

// readToEnd runs query for what it does, not for its rows.
func readToEnd(ctx context.Context, conn *sql.Conn, query string) error {
	return eachRow(ctx, conn, query, func(*sql.Rows) error { return nil })
}

// auto_vacuum as SQLite numbers it.
const (
	autoVacuumNone        = 0
	autoVacuumFull        = 1
	autoVacuumIncremental = 2
)

// layout is how a database lies in its file.
type layout struct {
	path       string // "" in memory
	pageSize   int64  // bytes
	pages      int64  // those of the free list among them
	freePages  int64
	autoVacuum int
}

// bytes returns how long the file is once its log has been moved into it.
func (l layout) bytes() int64 { return l.pageSize * l.pages }

// readLayout reads the layout of conn's database. The figures are of one
// moment only inside of a transaction.
func readLayout(ctx context.Context, conn *sql.Conn) (l layout, err error) {
	l.path, err = readPath(ctx, conn)
	// page_count comes first: a connection that has read nothing yet does not
	// know the file's page size.
	return l, errors.Join(err,
		readPragma(ctx, conn, "page_count", &l.pages),
		readPragma(ctx, conn, "page_size", &l.pageSize),
		readPragma(ctx, conn, "freelist_count", &l.freePages),
		readPragma(ctx, conn, "auto_vacuum", &l.autoVacuum))
}

const pathSQL = `SELECT file FROM pragma_database_list WHERE name = 'main'`

// readPath returns the absolute path of conn's database, or "" when it is in
// memory.
func readPath(ctx context.Context, conn *sql.Conn) (string, error) {
	var path sql.NullString
	if err := conn.QueryRowContext(ctx, pathSQL).Scan(&path); err != nil {
		return "", fmt.Errorf("read the database's path: %w", err)
	}
	return path.String, nil
}
