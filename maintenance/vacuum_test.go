package maintenance_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// mustOldFile makes a file as applications without this module have it: no
// auto_vacuum, no log, and half of its pages free.
func mustOldFile(tb testing.TB) (path string) {
	tb.Helper()
	path = tempFile(tb)
	db := mustOpen(tb, sqlite.Open(path), gorm.Config{})
	mustFill(tb, db, 200)
	mustExec(tb, db, "DELETE FROM debits", "DELETE FROM credits WHERE id > 100")
	if err := mustPool(tb, db).Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

// S56, T2: only a VACUUM gives an old file its auto_vacuum. S58, T19: it is
// followed by a checkpoint.
func TestVacuum(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		t.Run("OldFile", func(t *testing.T) {
			path := mustOldFile(t)
			db := open(path)
			if got := mustAsk(t, db, "PRAGMA auto_vacuum"); got != "0" {
				t.Fatalf("auto_vacuum is %s before", got)
			}
			before := fileSize(t, path)
			got, err := maintenance.Vacuum(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			if got.BeforeBytes != before || got.AfterBytes != fileSize(t, path) || got.AfterBytes > before/2 || got.Duration <= 0 {
				t.Errorf("got %+v; the file had %d bytes and has %d", got, before, fileSize(t, path))
			}
			if got.Checkpoint.Busy || fileSize(t, path+"-wal") != 0 {
				t.Errorf("got %+v; the log has %d bytes", got, fileSize(t, path+"-wal"))
			}
			if got := mustAsk(t, mustOpen(t, sqlite.Open(path), gorm.Config{}), "PRAGMA auto_vacuum"); got != "2" {
				t.Errorf("auto_vacuum is %s afterwards", got)
			}
			if debits, credits := counts(t, db); debits != 0 || credits != 100 {
				t.Errorf("%d and %d rows", debits, credits)
			}
		})
		t.Run("UnderReader", func(t *testing.T) {
			path := tempFile(t)
			db := open(path)
			mustFill(t, db, 100)
			end := mustRead(t, db)
			mustExec(t, db, "DELETE FROM debits")
			got, err := maintenance.Vacuum(t.Context(), db)
			if err != nil || !got.Checkpoint.Busy || got.AfterBytes >= got.BeforeBytes {
				t.Fatalf("got %+v, %v", got, err)
			}
			end()
			if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate); err != nil {
				t.Fatal(err)
			}
			if size := fileSize(t, path); size != got.AfterBytes {
				t.Errorf("the file has %d bytes, want %d", size, got.AfterBytes)
			}
		})
		t.Run("WhileOthersWrite", func(t *testing.T) {
			db := open(tempFile(t))
			mustFill(t, db, 10)
			w := startWriters(t, db, 4)
			w.wait()
			if _, err := maintenance.Vacuum(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			w.wait()
			stored := w.stop() + 10
			if debits, credits := counts(t, db); debits != stored || credits != stored {
				t.Errorf("%d and %d rows, want %d", debits, credits, stored)
			}
		})
	})
}

// An application that chose auto_vacuum=FULL keeps it.
func TestVacuumKeepsFullAutoVacuum(t *testing.T) {
	db := mustOpen(t, sqlite.Open(tempFile(t)+"?_auto_vacuum=1"), gorm.Config{})
	mustFill(t, db, 10)
	if _, err := maintenance.Vacuum(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if got := mustAsk(t, db, "PRAGMA auto_vacuum"); got != "1" {
		t.Fatalf("auto_vacuum is %s", got)
	}
}

// The connection that writes has its temporary tables, and its temp_store,
// after a VACUUM too.
func TestVacuumLeavesTheConnectionAsItWas(t *testing.T) {
	onWriter := func(t *testing.T, db *gorm.DB, statement string) (answer string) {
		err := hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error {
			err := conn.QueryRowContext(t.Context(), statement).Scan(&answer)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		for _, test := range []struct{ name, before, ask, want string }{
			{"temp_store", "PRAGMA temp_store=2", "PRAGMA temp_store", "2"},
			{"temporary table", "CREATE TEMP TABLE basket AS SELECT 'apple' AS fruit", "SELECT fruit FROM temp.basket", "apple"},
		} {
			t.Run(test.name, func(t *testing.T) {
				db := open(tempFile(t))
				mustPool(t, db).SetMaxOpenConns(1)
				mustFill(t, db, 10)
				onWriter(t, db, test.before)
				if _, err := maintenance.Vacuum(t.Context(), db); err != nil {
					t.Fatal(err)
				}
				if got := onWriter(t, db, test.ask); got != test.want {
					t.Fatalf("got %q, want %q", got, test.want)
				}
			})
		}
	})
}

// S57: the pragma works row by row, and all of its rows are read.
func TestIncrementalVacuum(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := mustOldFile(t)
		db := open(path)
		if _, err := maintenance.IncrementalVacuum(t.Context(), db, 5); !errors.Is(err, maintenance.ErrNoAutoVacuum) {
			t.Fatalf("on an old file: got %v", err)
		}
		if _, err := maintenance.Vacuum(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if err := addPairs(db, 200); err != nil {
			t.Fatal(err)
		}
		mustExec(t, db, "DELETE FROM credits")
		free := mustStats(t, db).FreePages
		if free < 20 {
			t.Fatalf("%d free pages after a delete", free)
		}
		for _, step := range []struct{ pages, want int }{{5, 5}, {7, 7}, {0, int(free) - 12}, {-1, 0}} {
			before := mustStats(t, db)
			got, err := maintenance.IncrementalVacuum(t.Context(), db, step.pages)
			// A page of SQLite's own, one in 820, may go with them.
			if err != nil || got < step.want || got > step.want+1 {
				t.Fatalf("%d pages: freed %d, %v, want %d", step.pages, got, err, step.want)
			}
			if after := mustStats(t, db); after.Pages != before.Pages-int64(got) {
				t.Fatalf("%d pages: said %d, and %d pages became %d", step.pages, got, before.Pages, after.Pages)
			}
		}
		if left := mustStats(t, db).FreePages; left != 0 {
			t.Fatalf("%d free pages are left", left)
		}
		if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate); err != nil {
			t.Fatal(err)
		}
		if got := mustStats(t, db); got.DatabaseBytes != got.Pages*got.PageSizeBytes {
			t.Fatalf("after a checkpoint the file has %d bytes for %d pages", got.DatabaseBytes, got.Pages)
		}
	})
}

// The statistics are renewed on the writer for a table that only readers have
// queried.
func TestOptimize(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 100)
		mustExec(t, db, "CREATE INDEX debits_length ON debits (length(body))")
		if err := maintenance.Optimize(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if got := mustAsk(t, db, "SELECT stat FROM sqlite_stat1 WHERE idx = 'debits_length'"); got != "100 100" {
			t.Fatalf("got %q", got)
		}
		// A table that has grown a hundredfold, and that this connection has
		// never queried.
		if err := addPairs(db, 9900); err != nil {
			t.Fatal(err)
		}
		if err := maintenance.Optimize(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		if got := mustAsk(t, db, "SELECT stat FROM sqlite_stat1 WHERE idx = 'debits_length'"); got == "100 100" {
			t.Fatal("the statistics are the old ones")
		}
	})
}
