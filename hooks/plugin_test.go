package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"
	"gorm.io/plugin/dbresolver"

	"github.com/flashstore/flashstore/hooks"
)

// foreignDriver is a driver that is not mattn's, though it opens the same files.
type foreignDriver struct{ *sqlite3.SQLiteDriver }

func init() { sql.Register("sqlite3_foreign", foreignDriver{&sqlite3.SQLiteDriver{}}) }

func TestRefusals(t *testing.T) {
	t.Run("connections made elsewhere", func(t *testing.T) {
		pool, err := sql.Open("sqlite3", newPath(t))
		must(t, err)
		db := open(t, sqlite.New(sqlite.Config{Conn: pool}), quiet())
		mustBe(t, db.Use(hooks.New(hooks.Config{})), hooks.ErrForeignPool)
		mustBeUsable(t, db)
	})
	t.Run("another driver", func(t *testing.T) {
		db := open(t, sqlite.New(sqlite.Config{DriverName: "sqlite3_foreign", DSN: newPath(t)}), quiet())
		mustBe(t, db.Use(hooks.New(hooks.Config{})), hooks.ErrForeignDriver)
		mustBeUsable(t, db)
	})
	t.Run("another engine", func(t *testing.T) {
		db := open(t, tests.DummyDialector{}, quiet())
		err := db.Use(hooks.New(hooks.Config{}))
		mustBe(t, err, hooks.ErrNotSQLite)
		if !strings.Contains(err.Error(), "gorm.io/gorm/utils/tests.DummyDialector") { // several are sqlite.Dialector
			t.Errorf("%q does not say whose dialector it is", err)
		}
		dry := db.Session(&gorm.Session{DryRun: true}).Find(&item{}, 1)
		must(t, dry.Error)
		if query := dry.Statement.SQL.String(); !strings.Contains(query, "SELECT") {
			t.Fatalf("it says %q", query)
		}
	})
	t.Run("behind dbresolver", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path, quiet())
		resolver := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{sqlite.Open(path)}})
		must(t, db.Use(resolver))
		t.Cleanup(func() {
			must(t, resolver.Call(func(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() }))
		})
		mustBe(t, db.Use(hooks.New(hooks.Config{})), hooks.ErrResolver)
		mustBeUsable(t, db)
	})
	t.Run("twice", func(t *testing.T) {
		db, _ := newItems(t)
		mustBe(t, db.Use(hooks.New(hooks.Config{})), gorm.ErrRegistered)
		mustBeUsable(t, db)
	})
	t.Run("one plugin for two databases", func(t *testing.T) {
		plugin := hooks.New(hooks.Config{})
		mustBe(t, open(t, tests.DummyDialector{}, quiet()).Use(plugin), hooks.ErrNotSQLite)
		one, two := openPlain(t, newPath(t), quiet()), openPlain(t, newPath(t), quiet())
		must(t, one.Use(plugin)) // what was refused is no use
		mustBe(t, two.Use(plugin), hooks.ErrInUse)
		mustBeUsable(t, two)
		must(t, one.Exec(createItems).Error)
		must(t, hooks.WithWriter(t.Context(), one, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "INSERT INTO items (n) VALUES (1)")
			return err
		}))
		mustCount(t, one, 1)
		must(t, two.Use(hooks.New(hooks.Config{})))
	})
}

func TestRefusesABadConfig(t *testing.T) {
	for field, cfg := range map[string]hooks.Config{
		"Durability":     {Durability: hooks.Fast + 1},
		"BusyTimeout":    {BusyTimeout: time.Microsecond},
		"CacheSize":      {CacheSize: -1},
		"MmapSize":       {MmapSize: -2},
		"MaxReaders":     {MaxReaders: -1},
		"StatementCache": {StatementCache: -2},
	} {
		t.Run(field, func(t *testing.T) {
			for name, config := range map[string]*gorm.Config{"config": quiet(), "PrepareStmt": prepared()} {
				db := openPlain(t, newPath(t), config)
				err := db.Use(hooks.New(cfg))
				if err == nil || !strings.Contains(err.Error(), field) {
					t.Fatalf("%s: got error %v, want one that names %s", name, err, field)
				}
				mustBeUsable(t, db)
				must(t, db.Use(hooks.New(hooks.Config{Logger: silent}))) // a second try may succeed
				must(t, add(db))
			}
		})
	}
	err := openPlain(t, newPath(t), quiet()).Use(hooks.New(hooks.Config{CacheSize: -1, MaxReaders: -1}))
	if err == nil || !strings.Contains(err.Error(), "CacheSize") || !strings.Contains(err.Error(), "MaxReaders") {
		t.Fatalf("got error %v, want one that names both fields", err)
	}
}

// mustBeUsable fails unless db works, with or without the plugin.
func mustBeUsable(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	must(tb, db.Exec(createItems).Error)
	must(tb, db.Transaction(add))
	mustCount(tb, db, 1)
	must(tb, db.Exec("DELETE FROM items").Error)
}

func TestDurabilityNames(t *testing.T) { // S23
	for _, durability := range []hooks.Durability{hooks.Safe, hooks.Balanced, hooks.Fast} {
		got, err := hooks.ParseDurability(durability.String())
		must(t, err)
		if got != durability {
			t.Errorf("%v reads back as %v", durability, got)
		}
	}
	if _, err := hooks.ParseDurability("reckless"); err == nil {
		t.Error("there is no error for a preset that does not exist")
	}
	if got := hooks.Durability(7).String(); !strings.Contains(got, "7") {
		t.Errorf("a preset that does not exist is called %q", got)
	}
}

// The plugin can be given to gorm.Open as well.
func TestPluginInTheConfig(t *testing.T) {
	config := quiet()
	config.Plugins = map[string]gorm.Plugin{hooks.Name: hooks.New(hooks.Config{})}
	db := openPlain(t, newPath(t), config)
	mustBeUsable(t, db)
	mustHavePragmas(t, "writer", mustBegin(t, db), seedPragmas, "0")
}

func TestClose(t *testing.T) {
	closers := map[string]func(plugin *hooks.Plugin, db *gorm.DB) error{
		"Plugin.Close": func(plugin *hooks.Plugin, _ *gorm.DB) error { return plugin.Close() },
		"db.DB().Close": func(_ *hooks.Plugin, db *gorm.DB) error {
			pool, err := db.DB()
			return errors.Join(err, pool.Close())
		},
	}
	for name, closeAll := range closers {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			db := openPlain(t, path, quiet())
			plugin := hooks.New(hooks.Config{})
			must(t, plugin.Close()) // nothing is open yet
			must(t, db.Use(plugin))
			must(t, db.Exec(createItems).Error)
			must(t, add(db))
			mustCount(t, db, 1)
			must(t, mustPool(t, db).Ping())

			must(t, closeAll(plugin, db))
			must(t, closeAll(plugin, db))
			must(t, plugin.Close())
			for _, write := range writes {
				if err := write.run(db); err == nil {
					t.Errorf("%s: it went well on closed connections", write.name)
				}
			}
			var n int64
			if err := db.Raw(count).Scan(&n).Error; err == nil {
				t.Error("a read went well on closed connections")
			}
			// The last connection to go takes the log along.
			if _, err := os.Stat(path + "-wal"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the write-ahead log is still there (%v): a connection is open", err)
			}
		})
	}
}

// Closing waits for nobody, and a transaction that is open ends by itself.
func TestCloseUnderATransaction(t *testing.T) {
	db, path := newItems(t)
	tx := mustBegin(t, db)
	must(t, add(tx))
	must(t, mustPool(t, db).Close())
	must(t, tx.Rollback().Error)
	mustCount(t, openPlain(t, path, quiet()), 0)
}

// Applications set limits on what db.DB() gives them. The writer and the
// readers are not theirs to limit, and nothing waits for itself.
func TestLimitsOfTheApplication(t *testing.T) {
	limits := map[string]func(pool *sql.DB){
		"ten":      func(pool *sql.DB) { pool.SetMaxOpenConns(10) },
		"one":      func(pool *sql.DB) { pool.SetMaxOpenConns(1) },
		"none":     func(pool *sql.DB) { pool.SetMaxIdleConns(0) },
		"lifetime": func(pool *sql.DB) { pool.SetConnMaxLifetime(time.Nanosecond) },
		"idle":     func(pool *sql.DB) { pool.SetConnMaxIdleTime(time.Nanosecond) },
	}
	for name, limit := range limits {
		t.Run(name, func(t *testing.T) {
			db, _ := newItems(t)
			must(t, add(db))
			pool := mustPool(t, db)
			limit(pool)
			holdConns(t, pool, 1)
			addMixed(t, db)
		})
	}
}

// All connections are to the file that was opened, whatever becomes of the
// process's directory and of the links on the way. A name that is odd is taken
// as GORM alone takes it.
func TestOneFileForAllConnections(t *testing.T) {
	for _, name := range []string{
		"test.db", "sub/../test.db", "file:test.db", "file:test.db?mode=rwc", "link.db", "file:link.db", "file:a%23b%3F%25%20c.db",
		"ä #%20&+.db", "file:ä&+.db?cache=shared", "test.db?nolock=1&_loc=UTC", "file:" + url.PathEscape("../elsewhere?/test.db"),
	} {
		for _, here := range []string{"plain", "odd ?#%20"} {
			t.Run(here+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				must(t, errors.Join(os.MkdirAll(filepath.Join(dir, here, "sub"), 0o700), os.Mkdir(filepath.Join(dir, "elsewhere?"), 0o700)))
				t.Chdir(filepath.Join(dir, here))
				must(t, os.Symlink("test.db", "link.db"))
				must(t, openPlain(t, name, quiet()).Exec(createItems).Error)

				db := openHooks(t, name, hooks.Config{Logger: silent}, quiet())
				must(t, os.Remove("link.db"))
				t.Chdir(t.TempDir())
				for want := range int64(3) { // on a connection more each time
					mustCount(t, mustBegin(t, db, &sql.TxOptions{ReadOnly: true}), want)
					mustCount(t, withPool(db, mustPool(t, db)), want)
					must(t, add(db))
				}
				mustHaveNoFile(t)
			})
		}
	}
}

// More readers than there may be wait for one another, under their context.
func TestMaxReaders(t *testing.T) {
	db := openHooks(t, newPath(t), hooks.Config{MaxReaders: 2}, quiet())
	must(t, db.Exec(createItems).Error)
	readOnly := &sql.TxOptions{ReadOnly: true}
	first := mustBegin(t, db, readOnly)
	mustBegin(t, db, readOnly)
	mustBe(t, db.WithContext(within(t, short)).Begin(readOnly).Error, context.DeadlineExceeded)
	must(t, add(db.WithContext(within(t, hang)))) // a write needs none of them
	must(t, first.Rollback().Error)
	mustBegin(t, db, readOnly)
}

func TestConnection(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Connection(func(conn *gorm.DB) error {
		// One connection throughout: a temporary table stays within reach.
		must(t, conn.Exec("CREATE TEMP TABLE mine (n INTEGER)").Error)
		must(t, conn.Exec("INSERT INTO mine VALUES (1)").Error)
		must(t, conn.Exec("INSERT INTO items (n) SELECT n FROM mine").Error)
		return conn.Transaction(add)
	}))
	mustCount(t, db, 2)
}

func TestWithWriter(t *testing.T) {
	t.Run("VACUUM", func(t *testing.T) { // S58
		db, _ := newItems(t)
		must(t, db.Exec("INSERT INTO items (name) VALUES (hex(zeroblob(1000000)))").Error)
		must(t, db.Exec("DELETE FROM items").Error)
		must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "VACUUM")
			return err
		}))
		if pages := mustInt(t, db, "PRAGMA page_count"); pages > 10 {
			t.Fatalf("%d pages are left", pages)
		}
		mustBeFree(t, db)
	})
	t.Run("alone", func(t *testing.T) {
		const each = 16
		db, _ := newItems(t)
		writing := 0 // the race detector watches it, and so does the total
		inc := func() error { writing++; return nil }
		must(t, atOnce(3*each, func(i int) error {
			switch i % 3 {
			case 0:
				return hooks.WithWriter(t.Context(), db, func(*sql.Conn) error { return inc() })
			case 1:
				return db.Transaction(func(*gorm.DB) error { return inc() })
			default:
				return whileRowsAreOpen(db, inc)
			}
		}))
		if writing != 3*each {
			t.Fatalf("%d wrote, want %d", writing, 3*each)
		}
		mustCount(t, db, each)
	})
	t.Run("under a held writer", func(t *testing.T) {
		db, _ := newItems(t)
		mustBegin(t, db)
		mustBe(t, hooks.WithWriter(within(t, short), db, neverCalled(t)), context.DeadlineExceeded)
	})
	t.Run("under a held writer, without a deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			db, _ := newItems(t)
			mustBeginElsewhere(t, db)
			var busy *hooks.BusyError
			if err := hooks.WithWriter(t.Context(), db, neverCalled(t)); !errors.As(err, &busy) {
				t.Fatalf("got error %v, want a *hooks.BusyError", err)
			}
		})
	})
	t.Run("ended context", func(t *testing.T) {
		db, _ := newItems(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		mustBe(t, hooks.WithWriter(ctx, db, neverCalled(t)), context.Canceled)
		mustBeFree(t, db)
	})
	t.Run("error and panic", func(t *testing.T) {
		db, _ := newItems(t)
		no := errors.New("no")
		mustBe(t, hooks.WithWriter(t.Context(), db, func(*sql.Conn) error { return no }), no)
		mustBeFree(t, db)
		func() {
			defer func() { _ = recover() }()
			_ = hooks.WithWriter(t.Context(), db, func(*sql.Conn) error { panic("no") })
		}()
		mustBeFree(t, db)
	})
	t.Run("transaction left open", func(t *testing.T) {
		db, path := newItems(t)
		must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE; INSERT INTO items (n) VALUES (1)")
			return err
		}))
		must(t, add(openPlain(t, path+"?_busy_timeout=1", quiet())))
		mustCount(t, db, 1)
	})
	t.Run("without the plugin", func(t *testing.T) {
		db, _ := newPlainItems(t, sitOut)
		must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "VACUUM")
			return err
		}))
	})
}

func neverCalled(t *testing.T) func(*sql.Conn) error {
	return func(*sql.Conn) error {
		t.Error("the function ran")
		return nil
	}
}

// whileRowsAreOpen calls fn between the first and the last of the rows of a write.
func whileRowsAreOpen(db *gorm.DB, fn func() error) (err error) {
	rows, err := db.Raw("INSERT INTO items (n) VALUES (1) RETURNING id").Rows()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Err(), rows.Close()) }()
	return fn()
}
