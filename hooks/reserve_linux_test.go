package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

const mib = 1 << 20

// newDisk mounts a file system of its own for the test, of that many bytes.
func newDisk(t *testing.T, bytes int64) (dir string) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", bytes))
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.ENOSYS) {
		t.Skipf("this machine does not let this user mount a small disk (%v): run the test as root", err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, syscall.Unmount(dir, 0)) })
	return dir
}

// ballast fills that many bytes of the disk, and returns what frees them.
func ballast(t *testing.T, dir string, bytes int) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(path, make([]byte, bytes), 0o600))
	return func() { t.Helper(); must(t, os.Remove(path)) }
}

// insertFat adds a row of some KiB.
const insertFat = "INSERT INTO items (name, n) VALUES (printf('%.*c', 4000, 'x'), 1)"

// openOnDisk returns a table of items on a disk with a closer that must run
// before the disk goes.
func openOnDisk(t *testing.T, dir string, cfg hooks.Config) *gorm.DB {
	t.Helper()
	cfg.Logger = silent
	db := openHooks(t, filepath.Join(dir, "test.db"), cfg, quiet())
	must(t, db.Exec(createItems).Error)
	return db
}

// mustBeWhole fails unless all that was acknowledged is there, and no more.
func mustBeWhole(t *testing.T, db *gorm.DB, acknowledged int64) {
	t.Helper()
	mustCount(t, db, acknowledged)
	if sum := mustInt(t, db, "SELECT coalesce(sum(n), 0) FROM items WHERE length(name) = 4000"); sum != acknowledged {
		t.Fatalf("%d rows are as they were written, want %d", sum, acknowledged)
	}
	var said []string
	must(t, db.Raw("PRAGMA integrity_check").Scan(&said).Error)
	if got := strings.Join(said, "\n"); got != "ok" {
		t.Fatalf("integrity_check: %s", got)
	}
}

// fat are the ways to write a row.
var fat = []func(db *gorm.DB) error{
	func(db *gorm.DB) error { return db.Exec(insertFat).Error },
	func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error { return tx.Exec(insertFat).Error })
	},
	func(db *gorm.DB) error {
		return db.Create(&item{Name: strings.Repeat("x", 4000), N: 1}).Error
	},
	func(db *gorm.DB) error {
		var id int64
		return db.Raw(insertFat + " RETURNING id").Scan(&id).Error
	},
}

// Writers fill a small disk until they are refused; what they were told is
// stored is stored, and the same *gorm.DB goes on when there is room again.
func TestDiskReserve(t *testing.T) {
	const reserve = 4 * mib
	dir := newDisk(t, 24*mib)
	// Safe moves 500 pages at a checkpoint, half of the reserve.
	db := openOnDisk(t, dir, hooks.Config{DiskReserve: reserve, Durability: hooks.Safe})
	must(t, db.Exec("CREATE TEMP TABLE notes AS SELECT 7 AS n").Error)
	makeRoom := ballast(t, dir, 8*mib)

	var acknowledged atomic.Int64
	fill := func(i int) error {
		for {
			err := fat[i%len(fat)](db)
			if err == nil {
				acknowledged.Add(1)
				continue
			}
			var full *hooks.DiskFullError
			if !errors.As(err, &full) {
				return err
			}
			if full.Dir != dir || full.Reserve != reserve || full.Free >= reserve || full.Free < reserve/4 {
				return fmt.Errorf("refused with %d of %d bytes free in %s", full.Free, full.Reserve, full.Dir)
			}
			return nil
		}
	}
	must(t, atOnce(8, fill))
	first := acknowledged.Load()
	if first < 100 {
		t.Fatalf("%d rows were written", first)
	}
	mustBeWhole(t, db, first)

	for i, write := range append(fat, func(db *gorm.DB) error { return db.Exec("DELETE FROM items").Error }) {
		var full *hooks.DiskFullError
		if err := write(db); !errors.As(err, &full) {
			t.Fatalf("way %d: got error %v, want a *hooks.DiskFullError", i, err)
		}
	}
	mustGoOnBelowReserve(t, db)
	mustBeWhole(t, db, first)

	makeRoom()
	must(t, atOnce(8, fill))
	if acknowledged.Load() < first+100 {
		t.Fatalf("%d rows were written with new room", acknowledged.Load()-first)
	}
	mustBeWhole(t, db, acknowledged.Load())
}

// mustGoOnBelowReserve fails unless all that writes no rows is let through.
func mustGoOnBelowReserve(t *testing.T, db *gorm.DB) {
	t.Helper()
	must(t, db.Transaction(func(tx *gorm.DB) error {
		return tx.First(&item{}).Error
	}, &sql.TxOptions{ReadOnly: true}))
	if got := mustInt(t, db, "SELECT n FROM notes"); got != 7 { // the writer alone can see it
		t.Fatalf("the temporary table holds %d", got)
	}
	must(t, db.Exec("PRAGMA wal_checkpoint(PASSIVE)").Error)
	must(t, db.Exec("PRAGMA incremental_vacuum(10)").Error)
	must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
		var n int
		if err := conn.QueryRowContext(t.Context(), "SELECT count(*) FROM items").Scan(&n); err != nil {
			return err
		}
		for _, statement := range []string{"BEGIN IMMEDIATE", "UPDATE items SET n = n WHERE id = 1", "COMMIT"} {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	}))
}

// With the reserve switched off, SQLite meets the end of the disk itself: in
// the midst of a transaction, whose pages do not fit in the cache.
func TestDiskFull(t *testing.T) {
	dir := newDisk(t, 16*mib)
	db := openOnDisk(t, dir, hooks.Config{DiskReserve: -1, CacheSize: 100})
	makeRoom := ballast(t, dir, 8*mib)
	const acknowledged = 100
	for range acknowledged {
		must(t, db.Exec(insertFat).Error)
	}
	mustDieOf(t, db, sqlite3.ErrFull)
	mustBeWhole(t, db, acknowledged)
	makeRoom()
	must(t, fat[0](db))
	must(t, fat[1](db))
	mustBeWhole(t, db, acknowledged+2)
}

// A limit on the file's pages is met as a full disk is; no disk of the test's
// own is needed for it.
func TestPageLimit(t *testing.T) {
	db := openOnDisk(t, t.TempDir(), hooks.Config{CacheSize: 100})
	const acknowledged = 100
	for range acknowledged {
		must(t, db.Exec(insertFat).Error)
	}
	must(t, db.Exec("PRAGMA max_page_count=1000").Error) // of the connection that writes
	mustDieOf(t, db, sqlite3.ErrFull)
	mustBeWhole(t, db, acknowledged)
	must(t, db.Exec("PRAGMA max_page_count=100000").Error)
	must(t, fat[0](db))
	must(t, fat[1](db))
	mustBeWhole(t, db, acknowledged+2)
}

// An I/O error is made by the limit on a file's length: this process may not
// write beyond it, while the disk has room.
func TestIOError(t *testing.T) {
	db := openOnDisk(t, t.TempDir(), hooks.Config{CacheSize: 100})
	const acknowledged = 100
	for range acknowledged {
		must(t, db.Exec(insertFat).Error)
	}
	signal.Ignore(syscall.SIGXFSZ)
	t.Cleanup(func() { signal.Reset(syscall.SIGXFSZ) })
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	unlimit := func() { must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
	t.Cleanup(unlimit)
	must(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 8 * mib, Max: before.Max}))
	mustDieOf(t, db, sqlite3.ErrIoErr)
	unlimit()
	mustBeWhole(t, db, acknowledged)
	must(t, fat[0](db))
	must(t, fat[1](db))
	mustBeWhole(t, db, acknowledged+2)
}

// mustDieOf writes in one transaction until SQLite has rolled it back for that
// code, and fails unless all that comes after in it is refused.
func mustDieOf(t *testing.T, db *gorm.DB, code sqlite3.ErrNo) {
	t.Helper()
	tx := db.WithContext(context.Background()).Begin()
	must(t, tx.Error)
	defer tx.Rollback()
	var err error
	for n := 0; err == nil; n++ {
		if n == 20*mib/4000 {
			t.Fatal("the disk has no end")
		}
		err = tx.Exec(insertFat).Error
	}
	mustBeCode(t, err, code)
	for _, err := range []error{tx.Exec(insertFat).Error, tx.Commit().Error} {
		var dead *hooks.DeadTransactionError
		if !errors.As(err, &dead) {
			t.Fatalf("got error %v, want a *hooks.DeadTransactionError", err)
		}
		mustBeCode(t, err, code)
	}
}
