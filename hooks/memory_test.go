package hooks_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// memoryDSNs are the ways to ask for a database in memory.
func memoryDSNs(tb testing.TB) []string {
	return []string{
		":memory:",
		"file::memory:",
		":memory:?cache=shared",
		"file::memory:?cache=shared",
		"file:" + memoryName(tb) + "?mode=memory&cache=shared",
		"file:" + memoryName(tb) + "?mode=memory",
		"file:" + memoryName(tb) + "?vfs=memdb",
		"file:/" + memoryName(tb) + "?vfs=memdb",
		"",
	}
}

// memoryName returns a name that no other test uses.
func memoryName(tb testing.TB) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" /?&=:", r) {
			return '-'
		}
		return r
	}, tb.Name())
}

func TestT21_Memory(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, ":memory:", quiet())
		must(t, db.Exec(createItems).Error)
		tx := mustBegin(t, db)
		must(t, add(tx))
		if err := add(db); err == nil || !strings.Contains(err.Error(), "no such table") {
			t.Fatalf("got error %v, want the missing table that this test is about", err)
		}
	})
	for _, dsn := range memoryDSNs(t) {
		t.Run(fmt.Sprintf("hooks/%q", dsn), func(t *testing.T) {
			inEmptyDirectory(t)
			db := openHooks(t, dsn, hooks.Config{BusyTimeout: hang}, quiet())
			must(t, db.Exec(createItems).Error)
			must(t, add(db))
			pool := mustPool(t, db)
			pool.SetMaxOpenConns(10)
			addMixed(t, db)

			const writers = 32
			must(t, atOnce(writers, func(i int) error {
				if i%2 == 0 {
					return add(db)
				}
				_, err := pool.Exec("INSERT INTO items (n) VALUES (1)")
				return err
			}))
			mustCount(t, db, 1+writers)
			mustCount(t, withPool(db, pool), 1+writers)
			mustHaveNoFile(t)
		})
	}
}

// inEmptyDirectory makes sure that a name which should not be one of a file
// would make a file where it is seen.
func inEmptyDirectory(t *testing.T) { t.Chdir(t.TempDir()) }

func mustHaveNoFile(tb testing.TB) {
	tb.Helper()
	files, err := os.ReadDir(".")
	must(tb, err)
	for _, file := range files {
		tb.Errorf("there is a file %q", file.Name())
	}
}

// A name with a shared cache is one database for all handles of the process;
// without one, or without a name, each handle has its own.
func TestT21_SharedMemory(t *testing.T) {
	for dsn, shared := range map[string]bool{
		"file:" + memoryName(t) + "?mode=memory&cache=shared": true,
		"file::memory:?cache=shared":                          true,
		"file:/" + memoryName(t) + "?vfs=memdb":               true,
		"file:" + memoryName(t) + "?mode=memory":              false,
		":memory:":                                            false,
		// Without "file:" SQLite is given the bare path: this is the first.
		":memory:?cache=shared": false,
	} {
		t.Run(dsn, func(t *testing.T) {
			one := openHooks(t, dsn, hooks.Config{}, quiet())
			two := openHooks(t, dsn, hooks.Config{}, quiet())
			must(t, one.Exec(createItems).Error)
			if !shared {
				if err := add(two); err == nil {
					t.Fatal("two handles share a database without a name")
				}
				return
			}
			must(t, atOnce(32, func(i int) error { return add([]*gorm.DB{one, two}[i%2]) }))
			mustCount(t, one, 32)
			mustCount(t, two, 32)
		})
	}
}

// What one handle has made, another one finds, though it has to wait for its
// turn first: SQLite cannot look for new tables under somebody's lock.
func TestT21_NewTableUnderALock(t *testing.T) {
	dsn := "file:" + memoryName(t) + "?mode=memory&cache=shared"
	one := openHooks(t, dsn, hooks.Config{}, quiet())
	two := openHooks(t, dsn, hooks.Config{}, quiet())
	must(t, one.Exec(createItems).Error)
	tx := mustBegin(t, one)
	must(t, add(tx))
	committed := make(chan error, 1)
	time.AfterFunc(short, func() { committed <- tx.Commit().Error })
	must(t, add(two))
	must(t, await(t, committed))
	mustCount(t, two, 2)
}

// A path without "file:" is a path, and its database outlives the process,
// whatever its parameters say to SQLite alone.
func TestT21_AParameterDoesNotMakeAFileVanish(t *testing.T) {
	path := newPath(t)
	db := openHooks(t, path+"?mode=memory", hooks.Config{}, quiet())
	must(t, db.Exec(createItems).Error)
	must(t, add(db))
	must(t, mustPool(t, db).Close())
	mustCount(t, openPlain(t, path, quiet()), 1)
	db = openHooks(t, path+"?mode=ro", hooks.Config{}, quiet())
	mustHavePragmas(t, "writer", mustBegin(t, db), seedPragmas, "0")
}

// The database lives as long as its handle: a context that ends a transaction
// does not take it along.
func TestT21_ContextEndKeepsTheDatabase(t *testing.T) {
	for _, dsn := range memoryDSNs(t) {
		t.Run(fmt.Sprintf("%q", dsn), func(t *testing.T) {
			inEmptyDirectory(t)
			db := openHooks(t, dsn, hooks.Config{}, quiet())
			must(t, db.Exec(createItems).Error)
			must(t, add(db))
			for range 3 {
				ctx, cancel := context.WithCancel(t.Context())
				tx := db.WithContext(ctx).Begin()
				must(t, tx.Error)
				must(t, add(tx))
				cancel()
				mustBeFree(t, db)
			}
			mustCount(t, db, 1)
		})
	}
}

// There is one connection in memory: a read-only transaction has it for its
// time, cannot write, and hands it back able to.
func TestT21_ReadOnlyTransaction(t *testing.T) {
	db := openHooks(t, ":memory:", hooks.Config{}, quiet())
	must(t, db.Exec(createItems).Error)
	for _, end := range []func(tx *gorm.DB) *gorm.DB{(*gorm.DB).Commit, (*gorm.DB).Rollback} {
		tx := mustBegin(t, db, &sql.TxOptions{ReadOnly: true})
		mustCount(t, tx, 0)
		mustBeCode(t, add(tx.Session(&gorm.Session{})), sqlite3.ErrReadonly)
		must(t, end(tx).Error)
	}
	ctx, cancel := context.WithCancel(t.Context())
	must(t, db.WithContext(ctx).Begin(&sql.TxOptions{ReadOnly: true}).Error)
	cancel()
	must(t, add(db.WithContext(within(t, hang))))
	mustCount(t, db, 1)
}

// What can be set in memory is set there too.
func TestT21_PragmasInMemory(t *testing.T) {
	db := openHooks(t, ":memory:", hooks.Config{Durability: hooks.Safe}, quiet())
	tx := mustBegin(t, db)
	for name, want := range map[string]string{
		"busy_timeout": "5000", "cache_size": "-64000", "temp_store": "2", "foreign_keys": "1", "synchronous": "2",
	} {
		if got := readPragma(t, tx.Statement.ConnPool, name); got != want {
			t.Errorf("PRAGMA %s is %q, want %q", name, got, want)
		}
	}
}
