package flashstore_test

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
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
)

const (
	// hang bounds every wait of the traps. Who reaches it hangs; a slow
	// machine does not.
	hang = 30 * time.Second
	// short is the deadline of a caller who is to give up.
	short = 50 * time.Millisecond
	// sitOut is the busy timeout of plain GORM where a test waits for its end:
	// 5 s by default, and this is shorter to wait for.
	sitOut = 600 * time.Millisecond
	// satOut is how long a wait is that lasted for all of sitOut. SQLite adds
	// up what it meant to sleep.
	satOut = sitOut * 3 / 4
	// patience tells a deadline that was kept from the plugin's busy timeout
	// of 5 s that was sat out.
	patience = 3 * time.Second
)

const (
	// inWAL and impatient are what a careful application puts in its DSN.
	inWAL     = "?_journal_mode=WAL&_txlock=immediate&_foreign_keys=1"
	impatient = "&_busy_timeout=600" // sitOut
)

// item is the row that most traps write.
type item struct {
	ID   int64
	Name string
	N    int64
}

const createItems = `
	CREATE TABLE items (
		id   INTEGER PRIMARY KEY,
		name TEXT NOT NULL DEFAULT '',
		n    INTEGER NOT NULL DEFAULT 0,
		body BLOB
	)`

// newPath returns the path of a database that does not exist yet.
func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "trap.db")
}

// quiet returns a config whose GORM does not print the errors that a trap is about.
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
	tb.Cleanup(func() { must(tb, pool(tb, db).Close()) })
	return db
}

// openHooks opens dsn with the plugin.
func openHooks(tb testing.TB, dsn string, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db := openPlain(tb, dsn, config)
	use(tb, db, hooks.Config{})
	return db
}

// use takes the plugin in use. Its findings are not what the traps are about.
func use(tb testing.TB, db *gorm.DB, cfg hooks.Config) *hooks.Plugin {
	tb.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	plugin := hooks.New(cfg)
	must(tb, db.Use(plugin))
	return plugin
}

// newPlainItems returns a new file in WAL mode with an empty table of items;
// params go into its DSN.
func newPlainItems(tb testing.TB, params string) (db *gorm.DB, path string) {
	tb.Helper()
	path = newPath(tb)
	db = openPlain(tb, path+inWAL+params, quiet())
	must(tb, db.Exec(createItems).Error)
	return db, path
}

// newItems returns the same with the plugin.
func newItems(tb testing.TB) (db *gorm.DB, path string) {
	tb.Helper()
	path = newPath(tb)
	db = openHooks(tb, path, quiet())
	must(tb, db.Exec(createItems).Error)
	return db, path
}

// pool returns the connections of db.DB().
func pool(tb testing.TB, db *gorm.DB) *sql.DB {
	tb.Helper()
	connections, err := db.DB()
	must(tb, err)
	return connections
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

// mustBeInt fails unless query's one number is want.
func mustBeInt(tb testing.TB, db *gorm.DB, want int64, query string, args ...any) {
	tb.Helper()
	if got := ask(tb, db, query, args...); got != want {
		tb.Fatalf("%s: got %d, want %d", query, got, want)
	}
}

// mustCount fails unless there are want items.
func mustCount(tb testing.TB, db *gorm.DB, want int64) {
	tb.Helper()
	mustBeInt(tb, db, want, "SELECT count(*) FROM items")
}

// ask returns the one number that query asks for.
func ask(tb testing.TB, db *gorm.DB, query string, args ...any) (n int64) {
	tb.Helper()
	must(tb, db.Raw(query, args...).Scan(&n).Error)
	return n
}

// add writes one item.
func add(db *gorm.DB) error { return db.Exec("INSERT INTO items (n) VALUES (1)").Error }

// addBytes writes n items of 64 KiB each, in a transaction each.
func addBytes(tb testing.TB, db *gorm.DB, n int) {
	tb.Helper()
	for range n {
		must(tb, db.Exec("INSERT INTO items (body) VALUES (zeroblob(65536))").Error)
	}
}

// within returns a context that ends after d, or with the test.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

// begin begins a transaction that is rolled back with the test, if it has not
// ended by then.
func begin(tb testing.TB, db *gorm.DB, opts ...*sql.TxOptions) *gorm.DB {
	tb.Helper()
	tx := db.Begin(opts...)
	must(tb, tx.Error)
	tb.Cleanup(func() { tx.Rollback() })
	return tx
}

// elsewhere opens the file on connections that know nothing of GORM or the
// plugin, and do not wait.
func elsewhere(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	other, err := sql.Open("sqlite3", path+"?_busy_timeout=1")
	must(tb, err)
	tb.Cleanup(func() { must(tb, other.Close()) })
	return other
}

// lockElsewhere takes the file's lock for writing, or, with "EXCLUSIVE" in
// rollback journal mode, that against everybody. It returns what gives it free.
func lockElsewhere(tb testing.TB, path, how string) (release func()) {
	tb.Helper()
	conn, err := elsewhere(tb, path).Conn(context.Background())
	must(tb, err)
	_, err = conn.ExecContext(context.Background(), "BEGIN "+how)
	must(tb, err)
	release = sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		must(tb, errors.Join(err, conn.Close()))
	})
	tb.Cleanup(release)
	return release
}

// read opens a snapshot on a connection of db.DB(), and returns what ends it.
func read(tb testing.TB, db *gorm.DB) (end func()) {
	tb.Helper()
	conn, err := pool(tb, db).Conn(context.Background())
	must(tb, err)
	_, err = conn.ExecContext(context.Background(), "BEGIN; SELECT count(*) FROM items")
	must(tb, err)
	end = sync.OnceFunc(func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		must(tb, errors.Join(err, conn.Close()))
	})
	tb.Cleanup(end)
	return end
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

// walSize returns the length of a database's log.
func walSize(tb testing.TB, path string) int64 {
	tb.Helper()
	info, err := os.Stat(path + "-wal")
	must(tb, err)
	return info.Size()
}
