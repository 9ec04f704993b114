package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// role is what a connection is for.
type role int

const (
	// writer is the one connection that writes, behind the lane.
	writer role = iota
	// reader connections cannot write.
	reader
	// direct connections are what db.DB() hands out: the driver's own, able
	// to write, with SQLite's lock and the busy timeout between them and the
	// writer.
	direct
	// checkpointer moves the log into the database.
	checkpointer
)

// connector opens connections of one role: the hook through which every one
// of them gets its pragmas.
type connector struct {
	driver *sqlite3.SQLiteDriver
	cfg    Config
	src    source
	role   role
	close  func() error // ends what hangs on the pool, or nil
	room   *reserve     // of the writer's disk, or nil
	log    *checkpoints // what the writer tells of its commits, or nil
	rows   *openRows    // where readers note their rows, if they do
}

var _ driver.Connector = (*connector)(nil)

// open returns a pool over the connector.
func (c *connector) open() *sql.DB { return sql.OpenDB(c) }

// Connect opens a connection, sets its pragmas and reads them back.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var conn driver.Conn
	err := waitWhileBusy(ctx, c.cfg.BusyTimeout, func() (err error) {
		conn, err = c.driver.Open(c.src.dsn(c.cfg, c.role))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.src.base, err)
	}
	raw := conn.(*sqlite3.SQLiteConn)
	if err := apply(ctx, raw, c.cfg.pragmas(c.src, c.role), c.cfg.BusyTimeout); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("open %s: %w", c.src.base, err)
	}
	if c.role == writer {
		return newWriterConn(raw, c)
	}
	if c.role == reader && c.cfg.TraceRows {
		return &tracedConn{SQLiteConn: raw, rows: c.rows}, nil
	}
	return raw, nil
}

// Driver returns the driver that opens the connections.
func (c *connector) Driver() driver.Driver { return c.driver }

// Close is called by database/sql when the pool is closed.
func (c *connector) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}
