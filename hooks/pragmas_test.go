package hooks_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// seedPragmas are what every connection has, whatever the preset: S1 and S3
// to S7, S22, S56.
var seedPragmas = map[string]string{
	"busy_timeout":       "5000",
	"journal_mode":       "wal",
	"cache_size":         "-64000",
	"temp_store":         "2",
	"mmap_size":          "268435456",
	"foreign_keys":       "1",
	"journal_size_limit": "67108864",
	"auto_vacuum":        "2",
}

// presets are S2, S8, S21 and S23.
var presets = []struct {
	durability  hooks.Durability
	synchronous string
	checkpoint  string
}{
	{hooks.Safe, "2", "500"},
	{hooks.Balanced, "1", "1000"},
	{hooks.Fast, "1", "5000"},
}

// many is how many connections of a kind are held at once.
const many = 16

func TestT01_EveryConnectionHasEveryPragma(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		must(t, db.Exec("PRAGMA foreign_keys=ON").Error)
		pool, err := db.DB()
		must(t, err)
		with := 0
		for _, conn := range holdConns(t, pool, 4) {
			if readPragma(t, conn, "foreign_keys") == "1" {
				with++
			}
		}
		if with != 1 {
			t.Fatalf("%d of 4 connections have the pragma that was set by Exec, want 1", with)
		}
	})
	for _, preset := range presets {
		t.Run("hooks/"+preset.durability.String(), func(t *testing.T) {
			want := maps.Clone(seedPragmas)
			want["synchronous"] = preset.synchronous
			want["wal_autocheckpoint"] = preset.checkpoint
			db := openHooks(t, newPath(t), hooks.Config{Durability: preset.durability}, quiet())

			for range many {
				mustHavePragmas(t, "reader", mustBegin(t, db, &sql.TxOptions{ReadOnly: true}), want, "1")
			}
			pool, err := db.DB()
			must(t, err)
			for _, conn := range holdConns(t, pool, many) {
				mustHavePragmas(t, "db.DB()", withPool(db, conn), want, "0")
			}
			want["wal_autocheckpoint"] = "0" // its checkpoints are made behind it
			mustHavePragmas(t, "writer", mustBegin(t, db), want, "0")
		})
	}
}

// A preset is a choice of the application's; the other figures are too.
func TestT01_FiguresOfTheConfig(t *testing.T) {
	db := openHooks(t, newPath(t), hooks.Config{
		BusyTimeout: 1234 * time.Millisecond, CacheSize: 2000, MmapSize: -1, StatementCache: -1,
	}, quiet())
	want := maps.Clone(seedPragmas)
	want["busy_timeout"], want["cache_size"], want["mmap_size"] = "1234", "-2000", "0"
	mustHavePragmas(t, "reader", mustBegin(t, db, &sql.TxOptions{ReadOnly: true}), want, "1")
	mustHavePragmas(t, "writer", mustBegin(t, db), want, "0")
}

// The parameters of the DSN that the plugin decides on do not undo it.
func TestT01_TheDSNDoesNotOverride(t *testing.T) {
	dsn := "file:" + newPath(t) + "?_journal_mode=DELETE&_busy_timeout=1&_foreign_keys=off&_query_only=true&_cache_size=7"
	db := openHooks(t, dsn, hooks.Config{}, quiet())
	mustHavePragmas(t, "reader", mustBegin(t, db, &sql.TxOptions{ReadOnly: true}), seedPragmas, "1")
	mustHavePragmas(t, "writer", mustBegin(t, db), seedPragmas, "0")
}

// What the writer does to its own busy timeout while it waits in Go is undone.
func TestT01_TheWriterKeepsItsBusyTimeout(t *testing.T) {
	db, path := newItems(t)
	release := lockElsewhere(t, path)
	mustBe(t, add(db.WithContext(within(t, short))), context.DeadlineExceeded)
	release()
	must(t, add(db))
	mustHavePragmas(t, "writer", mustBegin(t, db), seedPragmas, "0")
}

func TestT01_APragmaThatDoesNotTakeIsAnError(t *testing.T) {
	t.Run("read back with another value", func(t *testing.T) {
		// SQLite's locking by a file beside the database knows no WAL: it
		// stays in rollback mode without a word.
		db := openPlain(t, "file:"+newPath(t)+"?vfs=unix-dotfile", quiet())
		pragma := mustBePragmaError(t, db.Use(hooks.New(hooks.Config{})))
		if pragma.Pragma != "journal_mode" || pragma.Got != "delete" || pragma.Want != "wal" {
			t.Fatalf("the error says %+v", pragma)
		}
		for _, word := range []string{"journal_mode", "delete", "wal"} {
			if !strings.Contains(pragma.Error(), word) {
				t.Errorf("%q does not say %q", pragma, word)
			}
		}
		must(t, db.Exec(createItems).Error) // the handle is as it was
	})
	t.Run("another connection reads in rollback mode", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path, quiet())
		must(t, db.Exec(createItems).Error)
		conn := holdConns(t, mustPool(t, openPlain(t, path, quiet())), 1)[0]
		_, err := conn.ExecContext(t.Context(), "BEGIN; SELECT * FROM items")
		must(t, err)

		pragma := mustBePragmaError(t, db.Use(hooks.New(hooks.Config{BusyTimeout: short})))
		if pragma.Pragma != "journal_mode" || pragma.Want != "WAL" {
			t.Fatalf("the error says %+v", pragma)
		}
		var busy *hooks.BusyError
		if !errors.As(pragma, &busy) {
			t.Fatalf("%v does not say how long it waited", pragma)
		}
		mustBeCode(t, pragma, sqlite3.ErrBusy)

		_, err = conn.ExecContext(t.Context(), "COMMIT")
		must(t, err)
		must(t, db.Use(hooks.New(hooks.Config{Logger: silent}))) // nothing stands in the way now
		must(t, add(db))
	})
	t.Run("another connection holds the file for itself", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path, quiet())
		conn := holdConns(t, mustPool(t, openPlain(t, path, quiet())), 1)[0]
		_, err := conn.ExecContext(t.Context(), "PRAGMA locking_mode=EXCLUSIVE;"+createItems)
		must(t, err)

		begin := time.Now()
		err = db.Use(hooks.New(hooks.Config{BusyTimeout: short}))
		mustBeCode(t, err, sqlite3.ErrBusy)
		if took := time.Since(begin); took > patience {
			t.Fatalf("it gave up after %v, the busy timeout was %v", took, short)
		}
		var busy *hooks.BusyError
		if !errors.As(err, &busy) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%v does not say how long it waited, and for which file", err)
		}
	})
}

func TestT02_AutoVacuum(t *testing.T) { // S56
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		must(t, db.Exec("PRAGMA journal_mode=WAL").Error)
		must(t, db.Exec("PRAGMA auto_vacuum=INCREMENTAL").Error)
		must(t, db.Exec(createItems).Error)
		if got := mustInt(t, db, "PRAGMA auto_vacuum"); got != 0 {
			t.Fatalf("auto_vacuum is %d, want the 0 that this test is about", got)
		}
	})
	t.Run("hooks/new file", func(t *testing.T) {
		db, log := openLogged(t, newPath(t))
		must(t, db.Exec(createItems).Error)
		if got := mustInt(t, db, "PRAGMA auto_vacuum"); got != 2 {
			t.Fatalf("auto_vacuum is %d, want 2", got)
		}
		mustWarnOfVacuum(t, log, 0)
	})
	t.Run("hooks/file that has tables", func(t *testing.T) {
		path := newPath(t)
		must(t, openPlain(t, path, quiet()).Exec(createItems).Error)

		db, log := openLogged(t, path)
		must(t, atOnce(many, func(int) error { return add(db) }))
		mustWarnOfVacuum(t, log, 1)

		must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
			_, err := conn.ExecContext(t.Context(), "VACUUM")
			return err
		}))
		again, log := openLogged(t, path)
		if got := mustInt(t, again, "PRAGMA auto_vacuum"); got != 2 {
			t.Fatalf("auto_vacuum is %d after VACUUM, want 2", got)
		}
		mustWarnOfVacuum(t, log, 0)
		mustCount(t, again, many)
	})
}

// A file opened for reading only keeps its settings, and is read.
func TestReadOnlyFile(t *testing.T) {
	db, path := newItems(t)
	must(t, add(db))
	readOnly := openHooks(t, "file:"+path+"?mode=ro", hooks.Config{}, quiet())
	mustCount(t, readOnly, 1)
	mustBeCode(t, add(readOnly), sqlite3.ErrReadonly)
	mustCount(t, readOnly, 1)
}

// The hook of an application's own driver runs on every connection too.
func TestConnectHookOfTheApplication(t *testing.T) {
	db := open(t, sqlite.New(sqlite.Config{DriverName: tickDriver, DSN: newPath(t)}), quiet())
	must(t, db.Use(hooks.New(hooks.Config{})))
	for range many {
		if got := mustInt(t, mustBegin(t, db, &sql.TxOptions{ReadOnly: true}), "SELECT tick(7)"); got != 7 {
			t.Fatalf("tick(7) is %d", got)
		}
	}
	mustInt(t, mustBegin(t, db), "SELECT tick(7)")
}

// withPool returns a handle whose statements all run on pool.
func withPool(db *gorm.DB, pool gorm.ConnPool) *gorm.DB {
	db = db.Session(&gorm.Session{Context: context.Background()})
	db.Statement.ConnPool = pool
	return db
}

func mustPool(tb testing.TB, db *gorm.DB) *sql.DB {
	tb.Helper()
	pool, err := db.DB()
	must(tb, err)
	return pool
}

// holdConns takes n connections of pool at once, until the test ends.
func holdConns(tb testing.TB, pool *sql.DB, n int) []*sql.Conn {
	tb.Helper()
	conns := make([]*sql.Conn, n)
	for i := range conns {
		conn, err := pool.Conn(within(tb, hang))
		must(tb, err)
		tb.Cleanup(func() { _ = conn.Close() })
		conns[i] = conn
	}
	return conns
}

func readPragma(tb testing.TB, conn gorm.ConnPool, name string) (value string) {
	tb.Helper()
	must(tb, conn.QueryRowContext(context.Background(), "PRAGMA "+name).Scan(&value))
	return value
}

// mustHavePragmas asks the one connection of tx for each pragma.
func mustHavePragmas(tb testing.TB, who string, tx *gorm.DB, want map[string]string, queryOnly string) {
	tb.Helper()
	want = maps.Clone(want)
	want["query_only"] = queryOnly
	for name, value := range want {
		if got := readPragma(tb, tx.Statement.ConnPool, name); got != value {
			tb.Errorf("%s: PRAGMA %s is %q, want %q", who, name, got, value)
		}
	}
}

func mustBePragmaError(tb testing.TB, err error) *hooks.PragmaError {
	tb.Helper()
	var pragma *hooks.PragmaError
	if !errors.As(err, &pragma) {
		tb.Fatalf("got error %v, want a *hooks.PragmaError", err)
	}
	return pragma
}

// openLogged opens path with the plugin, whose findings go to log.
func openLogged(tb testing.TB, path string) (db *gorm.DB, log *bytes.Buffer) {
	tb.Helper()
	log = &bytes.Buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	return openHooks(tb, path, hooks.Config{Logger: logger}, quiet()), log
}

// mustWarnOfVacuum fails unless log holds that many warnings, which say that a
// VACUUM is needed: the word by itself, not as a part of auto_vacuum.
func mustWarnOfVacuum(tb testing.TB, log *bytes.Buffer, want int) {
	tb.Helper()
	if got := strings.Count(log.String(), "level=WARN"); got != want {
		tb.Fatalf("there are %d warnings, want %d: %s", got, want, log)
	}
	if want > 0 && !regexp.MustCompile(`(?i)\bvacuum\b`).Match(log.Bytes()) {
		tb.Fatalf("the warning does not say VACUUM: %s", log)
	}
}
