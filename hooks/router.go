package hooks

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// routesKept bounds the answers that a router remembers.
const routesKept = 4096

// router knows which statements only read. It asks SQLite, not the text, so
// that INSERT … RETURNING and WITH … INSERT go right (T11). It is safe for
// concurrent use.
type router struct {
	readers *sql.DB // its own: a write must not wait until a reading has ended
	mu      sync.RWMutex
	reads   map[string]bool // by SQL text
}

// askedAtOnce bounds the connections on which statements are prepared to see
// what they do.
const askedAtOnce = 2

func newRouter(readers *sql.DB) *router {
	readers.SetMaxOpenConns(askedAtOnce)
	return &router{readers: readers, reads: map[string]bool{}}
}

// readsOnly reports whether query may run on a connection that cannot write.
// What SQLite cannot prepare there, a temporary table of the writer's for
// example, goes to the writer, which then says what is wrong with it.
func (r *router) readsOnly(ctx context.Context, query string) (bool, error) {
	r.mu.RLock()
	reads, known := r.reads[query]
	r.mu.RUnlock()
	if known {
		return reads, nil
	}
	if err := refuseTransactionControl(query); err != nil {
		return false, err
	}
	if isScript(query) || isOfOneConnection(query) {
		return false, nil
	}
	reads, err := r.ask(ctx, query)
	if err != nil {
		return false, ctx.Err()
	}
	r.remember(query, reads)
	return reads, nil
}

// ask prepares query on a reader.
func (r *router) ask(ctx context.Context, query string) (reads bool, err error) {
	conn, err := r.readers.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(driverConn any) error {
		stmt, err := sqliteConn(driverConn).Prepare(query)
		if err != nil {
			return err
		}
		reads = stmt.(*sqlite3.SQLiteStmt).Readonly()
		return stmt.Close()
	})
	return reads, err
}

func (r *router) remember(query string, reads bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.reads) >= routesKept {
		clear(r.reads)
	}
	r.reads[query] = reads
}
