package flashstore_test

import (
	"crypto/sha256"
	"os"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
)

// The traps of the log, of VACUUM and of statistics.

func trapCheckpointThatMovedNothing(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "&_busy_timeout=1")
		read(t, db)
		addBytes(t, db, 1)
		for _, mode := range []string{"TRUNCATE", "PASSIVE"} {
			must(t, db.Exec("PRAGMA wal_checkpoint("+mode+")").Error) // err is nil
		}
		if walSize(t, path) < 64<<10 {
			t.Fatal("the log was cut under a reader")
		}
		var busy, log, moved int
		must(t, db.Raw("PRAGMA wal_checkpoint(PASSIVE)").Row().Scan(&busy, &log, &moved))
		if busy != 0 || moved >= log {
			t.Fatalf("busy is %d with %d of %d frames moved; this trap is about a 0 that means nothing", busy, moved, log)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		end := read(t, db)
		addBytes(t, db, 1)
		got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
		must(t, err)
		if !got.Busy || got.Complete() {
			t.Fatalf("under a reader: got %+v", got)
		}
		got, err = maintenance.Checkpoint(t.Context(), db, maintenance.Passive)
		must(t, err)
		if got.Complete() {
			t.Fatalf("under a reader: got %+v", got)
		}
		end()
		got, err = maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
		must(t, err)
		if got.Busy || !got.Complete() || walSize(t, path) != 0 {
			t.Fatalf("after it: got %+v and a log of %d bytes", got, walSize(t, path))
		}
	})
}

func trapCheckpointHoldsWriters(t *testing.T) {
	// underReader runs a checkpoint under a reader. It returns how long that
	// took once it held back the writers.
	underReader := func(t *testing.T, db *gorm.DB, path string, checkpoint func() error) time.Duration {
		read(t, db)
		must(t, add(db))
		other := elsewhere(t, path)
		done := start(checkpoint)
		awaitTrue(t, "a writer is held back", func() bool {
			_, err := other.Exec("UPDATE items SET n = n + 1")
			return err != nil || len(done) > 0
		})
		held := time.Now()
		must(t, await(t, done))
		return time.Since(held)
	}
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "&_busy_timeout=1500")
		took := underReader(t, db, path, func() error { return db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error })
		if took < time.Second {
			t.Fatalf("it took %v, want the whole busy timeout that this trap is about", took)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		took := underReader(t, db, path, func() error {
			_, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
			return err
		})
		if took > patience { // it is to be 250 ms of a busy timeout of 5 s
			t.Fatalf("it held back the writers for %v", took)
		}
	})
}

// autocheckpoint is how long the log gets, in bytes, before SQLite begins it
// anew: by default, and with the plugin's Balanced.
const autocheckpoint = 1000 * 4096

// leak leaves rows open while others write five times autocheckpoint.
func leak(t *testing.T, db *gorm.DB) (end func() error) {
	t.Helper()
	addBytes(t, db, 2)
	rows, err := db.Model(&item{}).Select("id").Rows()
	must(t, err)
	t.Cleanup(func() { must(t, rows.Close()) })
	rows.Next()
	addBytes(t, db, 5*autocheckpoint/(64<<10))
	return rows.Close
}

func trapOpenRows(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "")
		leak(t, db)
		if size := walSize(t, path); size < 4*autocheckpoint {
			t.Fatalf("the log has %d bytes; this trap is about one that is never begun anew", size)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path, quiet())
		plugin := use(t, db, hooks.Config{TraceRows: true})
		must(t, db.Exec(createItems).Error)
		end := leak(t, db)
		stats, err := maintenance.Stats(t.Context(), db)
		must(t, err)
		if stats.WALBytes < 4*autocheckpoint {
			t.Errorf("the statistics do not show the log: %+v", stats)
		}
		open := plugin.State().Rows
		if len(open) != 1 || !strings.Contains(open[0].Site, "traps_maintenance_test.go:") || open[0].Since.IsZero() {
			t.Fatalf("got %+v, want the one reader that pins the log", open)
		}
		must(t, end())
		if open := plugin.State().Rows; len(open) != 0 {
			t.Errorf("got %+v after they were closed", open)
		}
		got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
		must(t, err)
		if !got.Complete() || walSize(t, path) != 0 {
			t.Errorf("got %+v and a log of %d bytes", got, walSize(t, path))
		}
	})
}

func trapVacuumLeavesLog(t *testing.T) {
	const content = 64 * 64 << 10
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "")
		addBytes(t, db, 64)
		must(t, db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error)
		must(t, db.Exec("VACUUM").Error)
		if size := walSize(t, path); size < content {
			t.Fatalf("the log has %d bytes, want one as long as the database", size)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		addBytes(t, db, 64)
		must(t, db.Exec("DELETE FROM items WHERE id % 2").Error)
		got, err := maintenance.Vacuum(t.Context(), db)
		must(t, err)
		if got.AfterBytes >= got.BeforeBytes || got.AfterBytes < content/2 {
			t.Errorf("got %+v", got)
		}
		if size := walSize(t, path); size != 0 || got.Checkpoint.Busy {
			t.Errorf("the log has %d bytes; got %+v", size, got)
		}
		mustCount(t, db, 32)
		t.Log("that the free disk is looked at before is tested in package maintenance, where its size can be made up")
	})
}

func trapStatistics(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "")
		addBytes(t, db, 1)
		result := db.Raw("PRAGMA cache_stats").Scan(new([]string))
		must(t, result.Error) // err is nil
		if result.RowsAffected != 0 {
			t.Fatal("PRAGMA cache_stats exists")
		}
		before := digest(t, path)
		must(t, db.Raw("PRAGMA wal_checkpoint").Row().Err()) // what is often run for the size of the log
		if digest(t, path) == before {
			t.Fatal("asking for the size of the log has changed nothing")
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		addBytes(t, db, 1)
		file, log := digest(t, path), digest(t, path+"-wal")
		got, err := maintenance.Stats(t.Context(), db)
		must(t, err)
		if digest(t, path) != file || digest(t, path+"-wal") != log {
			t.Error("asking for statistics has changed the database")
		}
		if got.WALBytes != walSize(t, path) || got.WALPages < 16 || got.Pages < 16 || got.JournalMode != "wal" {
			t.Errorf("got %+v", got)
		}
	})
}

// digest returns a hash of a file's content.
func digest(tb testing.TB, path string) [sha256.Size]byte {
	tb.Helper()
	content, err := os.ReadFile(path)
	must(tb, err)
	return sha256.Sum256(content)
}

func trapJournalSizeLimit(t *testing.T) {
	const limit = 64 << 10
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "")
		pool(t, db).SetMaxOpenConns(1)
		must(t, db.Exec("PRAGMA wal_autocheckpoint=0").Error)
		mustBeInt(t, db, limit, "PRAGMA journal_size_limit=65536")
		addBytes(t, db, 32)
		if size := walSize(t, path); size < 8*limit {
			t.Fatalf("the log has %d bytes; this trap is about one far above the limit", size)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		t.Log("checked: that a checkpoint trims the log, and that the plugin's own bound it; what the limit does is said in package hooks")
		db, path := newItems(t)
		addBytes(t, db, 40*autocheckpoint/(64<<10))
		if size := walSize(t, path); size > 64<<20 {
			t.Errorf("nobody reads, and the log has %d bytes", size)
		}
		got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
		must(t, err)
		if !got.Complete() || walSize(t, path) != 0 {
			t.Errorf("got %+v and a log of %d bytes", got, walSize(t, path))
		}
	})
}
