package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"
)

// State is how things stand at one moment.
type State struct {
	Writer  Holder      // who has the writer; its Site is "" when nobody has
	Readers sql.DBStats // of the connections that read
	Direct  sql.DBStats // of those that db.DB() hands out
	Rows    []OpenRows  // on readers, the oldest first; with Config.TraceRows
}

// OpenRows are rows that have not been closed. While they are open, no
// checkpoint gets past what they see, and the log grows (T16).
type OpenRows struct {
	SQL   string
	Site  string // file:line of the application's that opened them
	Since time.Time
}

// State returns how things stand. It is safe at any time and waits for nobody.
func (p *Plugin) State() State {
	if p.pool == nil {
		return State{}
	}
	s := State{Writer: p.pool.lane.holder(), Direct: p.pool.direct.Stats(), Rows: p.pool.rows.list()}
	if p.pool.readers != nil {
		s.Readers = p.pool.readers.Stats()
	}
	return s
}

// openRows are the rows of all readers that have not been closed.
type openRows struct {
	mu   sync.Mutex
	rows map[*tracedRows]struct{}
}

func (o *openRows) add(r *tracedRows) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rows == nil {
		o.rows = map[*tracedRows]struct{}{}
	}
	o.rows[r] = struct{}{}
}

func (o *openRows) remove(r *tracedRows) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.rows, r)
}

func (o *openRows) list() []OpenRows {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]OpenRows, 0, len(o.rows))
	for r := range o.rows {
		list = append(list, OpenRows{SQL: r.sql, Site: r.origin.site(), Since: r.origin.at})
	}
	slices.SortFunc(list, func(a, b OpenRows) int { return a.Since.Compare(b.Since) })
	return list
}

// tracedConn is a reader that notes the rows it opens.
type tracedConn struct {
	*sqlite3.SQLiteConn
	rows *openRows
}

// sqliteConn returns the driver's own connection under a reader.
func sqliteConn(reader any) *sqlite3.SQLiteConn {
	if traced, ok := reader.(*tracedConn); ok {
		return traced.SQLiteConn
	}
	return reader.(*sqlite3.SQLiteConn)
}

// QueryContext opens rows and notes where.
func (c *tracedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := c.SQLiteConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, err
	}
	traced := &tracedRows{SQLiteRows: rows.(*sqlite3.SQLiteRows), sql: query, origin: here(), all: c.rows}
	c.rows.add(traced)
	return traced, nil
}

// tracedRows are rows of a tracedConn.
type tracedRows struct {
	*sqlite3.SQLiteRows
	sql    string
	origin origin
	all    *openRows
}

// Close closes the rows and forgets them.
func (r *tracedRows) Close() error {
	r.all.remove(r)
	return r.SQLiteRows.Close()
}
