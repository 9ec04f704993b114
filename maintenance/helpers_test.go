package maintenance_test

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// lockWait is longer than any test: no writer of a test gives up.
const lockWait = time.Minute

// eachSetup runs a test on the two ways an application opens its database.
func eachSetup(t *testing.T, test func(t *testing.T, open func(path string) *gorm.DB)) {
	t.Run("plain", func(t *testing.T) {
		test(t, func(path string) *gorm.DB { return mustOpenPlain(t, path) })
	})
	t.Run("hooks", func(t *testing.T) {
		test(t, func(path string) *gorm.DB { return mustOpenHooks(t, path) })
	})
}

// mustOpen opens a DSN and closes it when the test ends.
func mustOpen(tb testing.TB, dialector gorm.Dialector, cfg gorm.Config, plugins ...gorm.Plugin) *gorm.DB {
	tb.Helper()
	cfg.Logger = logger.Discard
	db, err := gorm.Open(dialector, &cfg)
	if err != nil {
		tb.Fatal(err)
	}
	for _, plugin := range plugins {
		if err := db.Use(plugin); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() {
		if err := mustPool(tb, db).Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// mustOpenPlain opens a file as a careful application without the plugin does.
func mustOpenPlain(tb testing.TB, path string) *gorm.DB {
	tb.Helper()
	params := fmt.Sprintf("?_journal_mode=WAL&_txlock=immediate&_foreign_keys=1&_busy_timeout=%d", lockWait.Milliseconds())
	return mustOpen(tb, sqlite.Open(path+params), gorm.Config{})
}

func newPlugin() gorm.Plugin {
	return hooks.New(hooks.Config{BusyTimeout: lockWait, Logger: slog.New(slog.DiscardHandler)})
}

func mustOpenHooks(tb testing.TB, path string) *gorm.DB {
	tb.Helper()
	return mustOpen(tb, sqlite.Open(path), gorm.Config{}, newPlugin())
}

// mustOpenMemory opens a database in memory with one connection, or with the
// plugin.
func mustOpenMemory(tb testing.TB, plugins ...gorm.Plugin) *gorm.DB {
	tb.Helper()
	db := mustOpen(tb, sqlite.Open(":memory:"), gorm.Config{}, plugins...)
	if len(plugins) == 0 {
		mustPool(tb, db).SetMaxOpenConns(1)
	}
	return db
}

func mustPool(tb testing.TB, db *gorm.DB) *sql.DB {
	tb.Helper()
	pool, err := db.DB()
	if err != nil {
		tb.Fatal(err)
	}
	return pool
}

func mustExec(tb testing.TB, db *gorm.DB, statements ...string) {
	tb.Helper()
	for _, statement := range statements {
		if err := db.Exec(statement).Error; err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// mustAsk returns the first column of the first row.
func mustAsk(tb testing.TB, db *gorm.DB, query string) string {
	tb.Helper()
	var answer string
	if err := mustPool(tb, db).QueryRow(query).Scan(&answer); err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	return answer
}

// mustConn returns a connection of db.DB() that is given back when the test
// ends, unless it was closed before.
func mustConn(tb testing.TB, db *gorm.DB) *sql.Conn {
	tb.Helper()
	conn, err := mustPool(tb, db).Conn(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// mustConnExec runs statements on one connection.
func mustConnExec(tb testing.TB, conn *sql.Conn, statements ...string) {
	tb.Helper()
	for _, statement := range statements {
		if _, err := conn.ExecContext(context.Background(), statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// mustRead opens a snapshot and keeps it until the returned function is called.
func mustRead(tb testing.TB, db *gorm.DB) (end func()) {
	tb.Helper()
	conn := mustConn(tb, db)
	mustConnExec(tb, conn, "BEGIN")
	var n int
	if err := conn.QueryRowContext(context.Background(), "SELECT count(*) FROM debits").Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return func() {
		tb.Helper()
		mustConnExec(tb, conn, "ROLLBACK")
		if err := conn.Close(); err != nil {
			tb.Fatal(err)
		}
	}
}

// mustFill makes two tables and puts rows of a quarter of a page in each.
func mustFill(tb testing.TB, db *gorm.DB, rows int) {
	tb.Helper()
	mustExec(tb, db,
		"CREATE TABLE debits (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
		"CREATE TABLE credits (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
	if err := addPairs(db, rows); err != nil {
		tb.Fatal(err)
	}
}

const pairSQL = `
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
	INSERT INTO %s (body) SELECT randomblob(1000) FROM n`

// addPairs adds as many rows to both tables, in one transaction.
func addPairs(db *gorm.DB, rows int) error {
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(fmt.Sprintf(pairSQL, "debits"), rows).Error; err != nil {
			return err
		}
		return tx.Exec(fmt.Sprintf(pairSQL, "credits"), rows).Error
	})
}

// writers add pairs until they are stopped.
type writers struct {
	done   chan struct{}
	all    sync.WaitGroup
	stored atomic.Int64
	wrote  chan struct{} // holds something after a commit
}

func startWriters(tb testing.TB, db *gorm.DB, n int) *writers {
	w := &writers{done: make(chan struct{}), wrote: make(chan struct{}, 1)}
	for range n {
		w.all.Go(func() { w.write(tb, db) })
	}
	tb.Cleanup(func() { w.stop() })
	return w
}

func (w *writers) write(tb testing.TB, db *gorm.DB) {
	for {
		select {
		case <-w.done:
			return
		default:
		}
		if err := addPairs(db, 1); err != nil {
			tb.Errorf("writer: %v", err)
			return
		}
		w.stored.Add(1)
		select {
		case w.wrote <- struct{}{}:
		default:
		}
	}
}

// wait waits for a commit from now on.
func (w *writers) wait() {
	before := w.stored.Load()
	for w.stored.Load() == before {
		<-w.wrote
	}
}

// stop ends the writers and returns how many pairs they stored. It may be
// called more than once.
func (w *writers) stop() int64 {
	select {
	case <-w.done:
	default:
		close(w.done)
	}
	w.all.Wait()
	return w.stored.Load()
}

// counts returns the rows of both tables.
func counts(tb testing.TB, db *gorm.DB) (debits, credits int64) {
	tb.Helper()
	row := mustPool(tb, db).QueryRow("SELECT (SELECT count(*) FROM debits), (SELECT count(*) FROM credits)")
	if err := row.Scan(&debits, &credits); err != nil {
		tb.Fatal(err)
	}
	return debits, credits
}

// files returns the names in a folder.
func files(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// hashes returns the digests of a database's file and of its log.
func hashes(tb testing.TB, path string) [2][sha256.Size]byte {
	tb.Helper()
	var sums [2][sha256.Size]byte
	for i, name := range []string{path, path + "-wal"} {
		content, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		sums[i] = sha256.Sum256(content)
	}
	return sums
}

func mustWriteFile(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func fileSize(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path)
	if err != nil {
		tb.Fatal(err)
	}
	return info.Size()
}

func tempFile(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "app.db")
}
