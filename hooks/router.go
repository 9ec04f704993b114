package hooks

import (
	"context"
	"database/sql"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// ErrTransactionControl is returned for BEGIN, COMMIT, ROLLBACK, SAVEPOINT and
// RELEASE sent as text outside of a transaction: on a pool they would begin on
// one connection and end on another.
var ErrTransactionControl = errors.New("transaction control sent as text to a pool of connections: use db.Transaction, db.Begin or hooks.Transaction")

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
	if isScript(query) || firstKeyword(query) == "PRAGMA" && setsPragma(query) {
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
		stmt, err := driverConn.(*sqlite3.SQLiteConn).Prepare(query)
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

var transactionControl = map[string]bool{
	"BEGIN": true, "COMMIT": true, "END": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
}

func refuseTransactionControl(query string) error {
	if transactionControl[firstKeyword(query)] {
		return ErrTransactionControl
	}
	return nil
}

// firstKeyword returns the first word of query in upper case.
func firstKeyword(query string) string {
	query = trimComments(query)
	end := strings.IndexFunc(query, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
	if end >= 0 {
		query = query[:end]
	}
	return strings.ToUpper(query)
}

// trimComments cuts off what may stand before a statement: space, empty
// statements and comments.
func trimComments(query string) string {
	for {
		query = strings.TrimLeft(query, " \t\r\n\f;(\ufeff")
		switch {
		case strings.HasPrefix(query, "--"):
			_, query, _ = strings.Cut(query, "\n")
		case strings.HasPrefix(query, "/*"):
			_, query, _ = strings.Cut(query, "*/")
		default:
			return query
		}
	}
}

// asksPragma finds the pragmas whose argument in parentheses is what they are
// asked about, not a value that they set.
var asksPragma = regexp.MustCompile(`(?i)\b(table_x?info|table_list|index_x?info|index_list|foreign_key_list|foreign_key_check|integrity_check|quick_check)\s*\(`)

// setsPragma reports whether a PRAGMA does something. SQLite counts many of
// these as reading, because what they change is not in the file, and sets some
// while it prepares them: they belong to the connection that writes, and a
// reader must not even be asked.
func setsPragma(query string) bool {
	return strings.ContainsRune(query, '=') || strings.Contains(strings.ToLower(query), "optimize") ||
		strings.ContainsRune(query, '(') && !asksPragma.MatchString(query)
}
