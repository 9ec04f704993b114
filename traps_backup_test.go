package flashstore_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

// The traps of backups.

// pagesPerStep makes 4 to 5 steps of the 8 items of 64 KiB that are backed up.
const pagesPerStep = 32

// backupByHand copies plain GORM's database with the driver's own backup.
func backupByHand(t *testing.T, db *gorm.DB, copyPages func(backup *sqlite3.SQLiteBackup)) {
	t.Helper()
	conn, err := pool(t, db).Conn(context.Background())
	must(t, err)
	defer func() { must(t, conn.Close()) }()
	opened, err := (&sqlite3.SQLiteDriver{}).Open(newPath(t))
	must(t, err)
	target := opened.(*sqlite3.SQLiteConn)
	defer func() { must(t, target.Close()) }()
	must(t, conn.Raw(func(source any) error {
		backup, err := target.Backup("main", source.(*sqlite3.SQLiteConn), "main")
		if err != nil {
			return err
		}
		copyPages(backup)
		_ = backup.Finish() // it says again what the last step has said
		return nil
	}))
}

func trapBackupNeverFinishes(t *testing.T) {
	const most = 40 // steps, ten times as many as it takes
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "")
		addBytes(t, db, 8)
		other := elsewhere(t, path)
		backupByHand(t, db, func(backup *sqlite3.SQLiteBackup) {
			for range most {
				done, err := backup.Step(pagesPerStep)
				must(t, err)
				if done {
					t.Fatal("it finished; this trap is about one that begins again at each write of others")
				}
				_, err = other.Exec("UPDATE items SET n = n + 1 WHERE id = 1")
				must(t, err)
			}
		})
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		addBytes(t, db, 8)
		other := elsewhere(t, path)
		copied, steps := newPath(t), 0
		_, err := maintenance.Backup(t.Context(), db, copied, maintenance.PagesPerStep(pagesPerStep),
			maintenance.OnProgress(func(maintenance.Progress) {
				steps++
				_, err := other.Exec("UPDATE items SET n = n + 1 WHERE id = 1")
				must(t, err)
			}))
		must(t, err)
		mustBeInt(t, db, int64(steps), "SELECT n FROM items WHERE id = 1") // nobody was held up
		mustBeInt(t, openHooks(t, copied, quiet()), 0, "SELECT sum(n) FROM items")
		if steps < 3 || steps > most/4 {
			t.Fatalf("it took %d steps", steps)
		}
	})
}

func trapBackupSpins(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		const times = 1000
		path := newPath(t)
		db := openPlain(t, path+"?_busy_timeout=0", quiet()) // its waits would hide the spinning
		must(t, db.Exec(createItems).Error)
		lockElsewhere(t, path, "EXCLUSIVE")
		backupByHand(t, db, func(backup *sqlite3.SQLiteBackup) {
			for range times {
				done, err := backup.Step(pagesPerStep)
				must(t, err) // err is nil, though it is BUSY
				if done || backup.PageCount() > 0 {
					t.Fatal("it copied under an exclusive lock")
				}
			}
		})
	})
	t.Run("flashstore", func(t *testing.T) {
		t.Log("checked: in WAL mode, which the plugin sets, no writer makes a step busy, and a context ends a backup; " +
			"the sleep between steps that moved nothing is tested in package maintenance")
		db, path := newItems(t)
		addBytes(t, db, 8)
		lockElsewhere(t, path, "IMMEDIATE")
		dir, steps := t.TempDir(), 0
		ctx, cancel := context.WithCancel(within(t, hang))
		count := maintenance.OnProgress(func(maintenance.Progress) {
			if steps++; steps == 2 {
				cancel()
			}
		})
		_, err := maintenance.Backup(ctx, db, filepath.Join(dir, "cut.db"), maintenance.PagesPerStep(pagesPerStep), count)
		mustBe(t, err, context.Canceled)
		got, err := maintenance.Backup(within(t, hang), db, filepath.Join(dir, "whole.db"), maintenance.PagesPerStep(pagesPerStep), count)
		must(t, err)
		if want := 2 + (got.Pages+pagesPerStep-1)/pagesPerStep; steps != want {
			t.Fatalf("%d steps for %d pages, want %d", steps, got.Pages, want)
		}
	})
}

func trapRestoreBesideOldLog(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		path := crashed(t)
		restored, err := sql.Open("sqlite3", path)
		must(t, err)
		defer func() { must(t, restored.Close()) }()
		var said string
		err = restored.QueryRow("PRAGMA integrity_check").Scan(&said)
		if err == nil && said == "ok" {
			t.Fatal("it is sound; this trap is about a log that is played into another database's pages")
		}
	})
	t.Run("flashstore/backup", func(t *testing.T) {
		path := crashed(t)
		must(t, os.Remove(path)) // and only the log lies about
		db, _ := newItems(t)
		_, err := maintenance.Backup(t.Context(), db, path)
		mustBe(t, err, fs.ErrExist)
	})
	t.Run("flashstore/restore", func(t *testing.T) {
		db, _ := newItems(t)
		addBytes(t, db, 8)
		backup := newPath(t)
		_, err := maintenance.Backup(t.Context(), db, backup)
		must(t, err)

		path := crashed(t)
		_, err = maintenance.Restore(t.Context(), backup, path)
		must(t, err)
		if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the old log: %v", err)
		}
		db = openHooks(t, path, quiet())
		mustCount(t, db, 8)
		report, err := maintenance.Check(t.Context(), db)
		must(t, err)
		if !report.OK() {
			t.Errorf("got %+v", report)
		}
	})
}

// crashed returns the path of a database that a program left behind with its
// log, and over which an old copy of it was put since.
func crashed(t *testing.T) (path string) {
	t.Helper()
	const fill = `
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
		INSERT INTO items (name) SELECT printf('%08d', i) FROM n`
	db, live := newPlainItems(t, "")
	run := func(statements ...string) {
		for _, statement := range statements {
			must(t, db.Exec(statement).Error)
		}
	}
	run("CREATE INDEX items_name ON items (name)", fill, "PRAGMA wal_checkpoint(TRUNCATE)")
	path = newPath(t)
	copyFile(t, live, path)

	run("DELETE FROM items WHERE id <= 1000", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)",
		"UPDATE items SET name = 'last' WHERE id = 1500") // a few of the newer pages are in the log
	copyFile(t, live+"-wal", path+"-wal")
	return path
}

func copyFile(tb testing.TB, from, to string) {
	tb.Helper()
	content, err := os.ReadFile(from)
	must(tb, err)
	must(tb, os.WriteFile(to, content, 0o600))
}
