package hooks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// writerConn is the connection that writes. Its transactions begin IMMEDIATE,
// wait for other processes under the context, know when SQLite has rolled
// them back by itself, and leave the lane when they end. database/sql lets
// one goroutine at a time use it.
type writerConn struct {
	*sqlite3.SQLiteConn
	cfg    *Config
	memory bool
	waits  string       // the pragma that sets the busy timeout
	room   *reserve     // of the disk, or nil
	log    *checkpoints // told of each commit, or nil
	tx     *writerTx    // the open transaction, or nil

	// Every transaction needs these: they are prepared once.
	begin, commit, askLog *sqlite3.SQLiteStmt
}

func newWriterConn(conn *sqlite3.SQLiteConn, from *connector) (*writerConn, error) {
	c := &writerConn{
		SQLiteConn: conn, cfg: &from.cfg, memory: from.src.memory, room: from.room, log: from.log,
		waits: fmt.Sprintf("PRAGMA busy_timeout=%d", from.cfg.BusyTimeout.Milliseconds()),
	}
	for _, p := range []struct {
		stmt **sqlite3.SQLiteStmt
		sql  string
	}{{&c.begin, "BEGIN IMMEDIATE"}, {&c.commit, "COMMIT"}, {&c.askLog, askLog}} {
		stmt, err := conn.Prepare(p.sql)
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		*p.stmt = stmt.(*sqlite3.SQLiteStmt)
	}
	return c, nil
}

// Close closes the connection.
func (c *writerConn) Close() error {
	var err error
	for _, stmt := range []*sqlite3.SQLiteStmt{c.begin, c.commit, c.askLog} {
		if stmt != nil {
			err = errors.Join(err, stmt.Close())
		}
	}
	return errors.Join(err, c.SQLiteConn.Close())
}

var (
	_ driver.ConnBeginTx        = (*writerConn)(nil)
	_ driver.ExecerContext      = (*writerConn)(nil)
	_ driver.QueryerContext     = (*writerConn)(nil)
	_ driver.ConnPrepareContext = (*writerConn)(nil)
	_ driver.SessionResetter    = (*writerConn)(nil)
	_ driver.Validator          = (*writerConn)(nil)
)

// BeginTx begins a transaction that holds the write lock from its start: a
// deferred one that reads and then writes may fail at once (T3). A read-only
// one comes here only where one connection serves both roles.
func (c *writerConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	var err error
	if opts.ReadOnly {
		_, err = c.Exec("BEGIN; PRAGMA query_only=ON", nil)
	} else {
		err = c.beginImmediate(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	c.tx = &writerTx{conn: c, ticket: carried(ctx), readOnly: opts.ReadOnly}
	return c.tx, nil
}

func (c *writerConn) beginImmediate(ctx context.Context) error {
	if err := c.room.check(); err != nil {
		return err
	}
	return c.whileBusy(ctx, func() error {
		_, err := c.begin.ExecContext(context.Background(), nil)
		return err
	})
}

// ExecContext runs a statement in the open transaction or on its own.
func (c *writerConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.run(ctx, query, func() error {
		res, err = c.SQLiteConn.ExecContext(ctx, query, args)
		return err
	})
	c.committed()
	return res, err
}

// QueryContext runs a statement that returns rows in the open transaction or
// on its own; on its own, it leaves the lane when the rows are closed.
func (c *writerConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	var rows driver.Rows
	err := c.run(ctx, query, func() (err error) {
		rows, err = c.SQLiteConn.QueryContext(ctx, query, args)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.wrap(ctx, rows), nil
}

func (c *writerConn) wrap(ctx context.Context, rows driver.Rows) driver.Rows {
	return &writerRows{SQLiteRows: rows.(*sqlite3.SQLiteRows), conn: c, tx: c.tx, ticket: carried(ctx)}
}

// PrepareContext prepares a statement that runs under the same rules.
func (c *writerConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.SQLiteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return &writerStmt{SQLiteStmt: stmt.(*sqlite3.SQLiteStmt), conn: c, query: query}, nil
}

// ResetSession is called by database/sql before each use of the connection.
func (c *writerConn) ResetSession(context.Context) error {
	if c.tx == nil && !c.AutoCommit() {
		// Somebody began a transaction by text and left it open.
		_, err := c.Exec("ROLLBACK", nil)
		return err
	}
	return nil
}

// IsValid is called by database/sql after each use of the connection. What
// somebody began by text is rolled back here already, so that it does not hold
// the write lock until the next use. Having this method and ResetSession also
// makes database/sql keep the connection when a transaction's context ends;
// a new one in its place would begin with an empty database in memory.
func (c *writerConn) IsValid() bool { return c.ResetSession(context.Background()) == nil }

// run runs one statement. In a transaction the write lock is held and there
// is nothing to wait for; on its own, a single statement that another process
// stopped is run again. A script is not, for its first statements are done: it
// waits until the lock is free before it begins.
func (c *writerConn) run(ctx context.Context, query string, statement func() error) error {
	if c.tx != nil {
		return c.tx.run(query, statement)
	}
	if err := c.roomFor(query); err != nil {
		return err
	}
	if isScript(query) {
		if err := c.waitForLock(ctx); err != nil {
			return err
		}
		return statement()
	}
	err := c.whileBusy(ctx, statement)
	if c.memory && isUnknown(err) {
		// Under another connection's lock SQLite cannot see what is new in a
		// database in memory, and says "no such table". Here it waits.
		err = statement()
	}
	return err
}

// waitForLock waits until another process has given the write lock free. What
// else is wrong the statement itself will say.
func (c *writerConn) waitForLock(ctx context.Context) error {
	err := c.whileBusy(ctx, func() error {
		_, err := c.Exec("BEGIN IMMEDIATE; ROLLBACK", nil)
		return err
	})
	if busy := (*BusyError)(nil); errors.As(err, &busy) || ctx.Err() != nil {
		return err
	}
	return nil
}

// isUnknown reports whether SQLite could not make sense of a statement.
func isUnknown(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && se.Code == sqlite3.ErrError
}

// whileBusy runs try with SQLite's own wait switched off and waits in Go.
func (c *writerConn) whileBusy(ctx context.Context, try func() error) error {
	if _, err := c.Exec("PRAGMA busy_timeout=0", nil); err != nil {
		return err
	}
	err := waitWhileBusy(ctx, c.cfg.BusyTimeout, func() error {
		err := try()
		if code, busy := busyCode(err); busy {
			c.cfg.tell(Event{Kind: Busy, Code: code})
		}
		return err
	})
	_, restored := c.Exec(c.waits, nil)
	return also(err, restored)
}
