package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
)

const (
	// hang bounds every wait of these tests. Who reaches it hangs; a slow
	// machine does not.
	hang = 30 * time.Second
	// short is the deadline of a caller who is to give up.
	short = 100 * time.Millisecond
	// patience tells a deadline that was kept from a busy timeout that was
	// sat out: far above short, well below sitOut.
	patience = time.Second
	// sitOut makes the connections of plain GORM wait 1.5 s for a lock. It is
	// 5 s by default; this is long enough to see, and shorter to wait for.
	sitOut = "_busy_timeout=1500"
)

// wal is what a careful application puts in the DSN of plain GORM.
const wal = "?_journal_mode=WAL&_txlock=immediate"

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		os.Exit(childMain(path))
	}
	goleak.VerifyTestMain(m,
		// GORM's store of prepared statements sweeps itself by the clock, and
		// has no way to be stopped: gorm.Open starts it where PrepareStmt is on.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// item is the row that most of these tests write.
type item struct {
	ID   int64
	Name string
	N    int64
}

const createItems = `
	CREATE TABLE IF NOT EXISTS items (
		id   INTEGER PRIMARY KEY,
		name TEXT NOT NULL DEFAULT '',
		n    INTEGER NOT NULL DEFAULT 0 CHECK (n >= 0)
	)`

// newPath returns the path of a database that does not exist yet.
func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "test.db")
}

// silent takes findings that a test is not about.
var silent = slog.New(slog.DiscardHandler)

// quiet returns a config whose GORM does not print the errors that a test is about.
func quiet() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

// prepared returns a config with GORM's store of prepared statements.
func prepared() *gorm.Config {
	config := quiet()
	config.PrepareStmt = true
	return config
}

// openPlain opens dsn as an application without the plugin does.
func openPlain(tb testing.TB, dsn string, config *gorm.Config) *gorm.DB {
	tb.Helper()
	return open(tb, sqlite.Open(dsn), config)
}

func open(tb testing.TB, dialector gorm.Dialector, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(dialector, config)
	must(tb, err)
	tb.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			must(tb, pool.Close())
		}
	})
	return db
}

// openHooks opens dsn with the plugin.
func openHooks(tb testing.TB, dsn string, cfg hooks.Config, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db := openPlain(tb, dsn, config)
	must(tb, db.Use(hooks.New(cfg)))
	return db
}

// newItems returns a new file with the plugin and an empty table of items.
func newItems(tb testing.TB) (db *gorm.DB, path string) {
	tb.Helper()
	path = newPath(tb)
	db = openHooks(tb, path, hooks.Config{}, quiet())
	must(tb, db.Exec(createItems).Error)
	return db, path
}

// newPlainItems returns the same without the plugin; params are added to wal.
func newPlainItems(tb testing.TB, params string) (db *gorm.DB, path string) {
	tb.Helper()
	path = newPath(tb)
	db = openPlain(tb, path+wal+"&"+params, quiet())
	must(tb, db.Exec(createItems).Error)
	return db, path
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// mustBe fails unless err is, or wraps, want.
func mustBe(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("got error %v, want %v", err, want)
	}
}

// mustBeCode fails unless err is an error of SQLite with that primary code.
func mustBeCode(tb testing.TB, err error, code sqlite3.ErrNo) {
	tb.Helper()
	var se sqlite3.Error
	if !errors.As(err, &se) || se.Code != code {
		tb.Fatalf("got error %v, want SQLite's code %d", err, code)
	}
}

// mustInt returns the one number that query asks for.
func mustInt(tb testing.TB, db *gorm.DB, query string, args ...any) (n int64) {
	tb.Helper()
	must(tb, db.Raw(query, args...).Scan(&n).Error)
	return n
}

// mustCount fails unless there are want items.
func mustCount(tb testing.TB, db *gorm.DB, want int64) {
	tb.Helper()
	if got := mustInt(tb, db, "SELECT count(*) FROM items"); got != want {
		tb.Fatalf("%d items are stored, want %d", got, want)
	}
}

// add writes one item.
func add(db *gorm.DB) error { return db.Exec("INSERT INTO items (n) VALUES (1)").Error }

// mustBeFree fails unless the writer can be had.
func mustBeFree(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	must(tb, db.WithContext(within(tb, hang)).Exec("UPDATE items SET n = n WHERE id < 0").Error)
}

// within returns a context that ends after d, or with the test.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

// mustBegin begins a transaction that is rolled back with the test, if it has
// not ended by then.
func mustBegin(tb testing.TB, db *gorm.DB, opts ...*sql.TxOptions) *gorm.DB {
	tb.Helper()
	tx := db.Begin(opts...)
	must(tb, tx.Error)
	tb.Cleanup(func() { tx.Rollback() })
	return tx
}

// mustBeginElsewhere is mustBegin in a goroutine that is not the test's.
func mustBeginElsewhere(tb testing.TB, db *gorm.DB) (tx *gorm.DB) {
	tb.Helper()
	must(tb, atOnce(1, func(int) error {
		tx = db.Begin()
		return tx.Error
	}))
	tb.Cleanup(func() { tx.Rollback() })
	return tx
}

// lockElsewhere takes the write lock of the file on a connection that knows
// nothing of GORM or the plugin, and returns what gives it free.
func lockElsewhere(tb testing.TB, path string) (release func()) {
	tb.Helper()
	elsewhere, err := sql.Open("sqlite3", path+"?_txlock=immediate&_busy_timeout=10000")
	must(tb, err)
	tb.Cleanup(func() { must(tb, elsewhere.Close()) })
	tx, err := elsewhere.Begin()
	must(tb, err)
	release = sync.OnceFunc(func() { must(tb, tx.Rollback()) })
	tb.Cleanup(release)
	return release
}

// atOnce runs n functions at once and returns their errors joined.
func atOnce(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// start runs fn and returns where its error will come out.
func start(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

// await returns what comes out of done, and fails if nothing does.
func await(tb testing.TB, done <-chan error) error {
	tb.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(hang):
		tb.Fatal("this hangs")
		return nil
	}
}

// awaitTrue looks again and again until what it waits for has come.
func awaitTrue(tb testing.TB, what string, look func() bool) {
	tb.Helper()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(hang); !look(); <-again.C {
		if time.Now().After(end) {
			tb.Fatalf("waited in vain until %s", what)
		}
	}
}
