package maintenance_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func mustStats(tb testing.TB, db *gorm.DB) maintenance.Statistics {
	tb.Helper()
	s, err := maintenance.Stats(tb.Context(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// S62, S63.
func TestStats(t *testing.T) {
	version, _, _ := sqlite3.Version()
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := tempFile(t)
		big := mustOpen(t, sqlite.Open(path), gorm.Config{})
		mustExec(t, big, "PRAGMA page_size=8192", "PRAGMA auto_vacuum=2", "VACUUM", "CREATE TABLE t (x)")
		db := open(path)
		mustFill(t, db, 100)
		mustExec(t, db, "DELETE FROM debits")
		got := mustStats(t, db)
		if got.Pages < 20 || got.FreePages < 10 || got.WALPages < 20 {
			t.Errorf("too few pages: %+v", got)
		}
		resolved, err := filepath.EvalSymlinks(path)
		if err != nil {
			t.Fatal(err)
		}
		want := maintenance.Statistics{
			Path: resolved, SQLiteVersion: version, JournalMode: "wal", AutoVacuum: "incremental",
			PageSizeBytes: 8192, Pages: got.Pages, FreePages: got.FreePages,
			DatabaseBytes: fileSize(t, path),
			WALBytes:      fileSize(t, path+"-wal"),
			WALPages:      (fileSize(t, path+"-wal") - 32) / (8192 + 24),
			Connections:   got.Connections,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// T28: reading the figures changes nothing.
func TestStatsChangesNothing(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := tempFile(t)
		db := open(path)
		mustFill(t, db, 100)
		before := hashes(t, path)
		for range 3 {
			if s := mustStats(t, db); s.WALBytes == 0 {
				t.Fatal("there is no log to be left alone")
			}
		}
		if hashes(t, path) != before {
			t.Fatal("the database's file or its log has changed")
		}
	})
}

func TestStatsConnections(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 1)
		defer mustRead(t, db)()
		got := mustStats(t, db).Connections
		if got.InUse != 1 || got.Open < 1 || got.Waits != 0 || got.Wait != 0 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestStatsMemory(t *testing.T) {
	for name, plugins := range pluginSets {
		t.Run(name, func(t *testing.T) {
			db := mustOpenMemory(t, plugins()...)
			mustFill(t, db, 100)
			got := mustStats(t, db)
			if got.Path != "" || got.JournalMode != "memory" || got.AutoVacuum != "none" ||
				got.DatabaseBytes < 200_000 || got.DatabaseBytes != got.Pages*got.PageSizeBytes || got.WALBytes != 0 || got.WALPages != 0 {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

// A log that was truncated has no header.
func TestStatsEmptyLog(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 10)
		if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate); err != nil {
			t.Fatal(err)
		}
		if got := mustStats(t, db); got.WALBytes != 0 || got.WALPages != 0 {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestStatsJSON(t *testing.T) {
	text, err := json.Marshal(maintenance.Statistics{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"path":"","sqlite_version":"","journal_mode":"","auto_vacuum":"",` +
		`"page_size_bytes":0,"pages":0,"free_pages":0,"database_bytes":0,"wal_bytes":0,"wal_pages":0,` +
		`"connections":{"open":0,"in_use":0,"waits":0,"wait_duration_ns":0}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
}
