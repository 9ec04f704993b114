package maintenance_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// mustBeSound opens a copy, with the plugin as a restored application would,
// and returns its rows.
func mustBeSound(tb testing.TB, path string) (debits, credits int64) {
	tb.Helper()
	db := mustOpenHooks(tb, path)
	if report := mustCheck(tb, db); !report.OK() {
		tb.Fatalf("the copy: %+v", report)
	}
	return counts(tb, db)
}

// S59.
func TestBackup(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 100)

		t.Run("OK", func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "a b%20#c?é.db") // nothing that a URI would take for its own
			var seen []maintenance.Progress
			got, err := maintenance.Backup(t.Context(), db, path, maintenance.PagesPerStep(20),
				maintenance.OnProgress(func(p maintenance.Progress) { seen = append(seen, p) }))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{filepath.Base(path)}, files(t, dir)); diff != "" {
				t.Errorf("not a single file: %s", diff)
			}
			want := maintenance.BackupResult{Path: path, Bytes: fileSize(t, path), Pages: int(fileSize(t, path) / 4096), Duration: got.Duration}
			if diff := cmp.Diff(want, got); diff != "" || got.Duration <= 0 {
				t.Errorf("%s %v", diff, got.Duration)
			}
			last := maintenance.Progress{Done: got.Pages, Total: got.Pages}
			if len(seen) < 3 || seen[0].Done != 20 || seen[len(seen)-1] != last {
				t.Errorf("progress: %v", seen)
			}
		})
		t.Run("SingleFile", func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "copy.db")
			if _, err := maintenance.Backup(t.Context(), db, path); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			// https://www.sqlite.org/fileformat2.html#file_format_version_numbers
			if content[18] != 1 || content[19] != 1 {
				t.Errorf("the header's versions are %v, want 1 (no log)", content[18:20])
			}
			if debits, credits := mustBeSound(t, path); debits != 100 || credits != 100 {
				t.Errorf("%d and %d rows", debits, credits)
			}
		})
		t.Run("RelativePath", func(t *testing.T) {
			t.Chdir(t.TempDir())
			if _, err := maintenance.Backup(t.Context(), db, "copy.db"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"copy.db"}, files(t, ".")); diff != "" {
				t.Error(diff)
			}
		})
		t.Run("ErrNoFolder", func(t *testing.T) {
			_, err := maintenance.Backup(t.Context(), db, filepath.Join(t.TempDir(), "missing", "copy.db"))
			if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "back up to ") {
				t.Errorf("got %v", err)
			}
		})
	})
}

// T17, T18: the copy is one snapshot, finishes while others write at each of
// its steps, and holds up nobody.
func TestBackupWhileOthersWrite(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := tempFile(t)
		db := open(path)
		mustFill(t, db, 500)
		w := startWriters(t, db, 8)
		w.wait()
		before := w.stored.Load() + 500
		copied := filepath.Join(t.TempDir(), "copy.db")
		steps := 0
		_, err := maintenance.Backup(t.Context(), db, copied, maintenance.PagesPerStep(5),
			maintenance.OnProgress(func(maintenance.Progress) { steps++; w.wait() }))
		if err != nil {
			t.Fatal(err)
		}
		after := w.stop() + 500
		// At the snapshot, each writer may have committed and not counted yet.
		newer := int64(steps) - 8
		debits, credits := mustBeSound(t, copied)
		if newer < 10 || debits != credits || debits < before || debits > after-newer {
			t.Errorf("%d steps; the copy has %d and %d rows; there were %d before it and %d after", steps, debits, credits, before, after)
		}
		if debits, credits := counts(t, db); debits != after || credits != after {
			t.Errorf("the database has %d and %d rows, want %d", debits, credits, after)
		}
	})
}

func TestBackupNeverOverwrites(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 10)
		for name, take := range map[string]func(t *testing.T, path string){
			"File":    func(t *testing.T, path string) { mustWriteFile(t, path, "precious") },
			"Sidecar": func(t *testing.T, path string) { mustWriteFile(t, path+"-wal", "of an older database") }, // T23
			"Folder": func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			"DanglingLink": func(t *testing.T, path string) {
				if err := os.Symlink(path+".gone", path); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(name, func(t *testing.T) {
				path := tempFile(t)
				take(t, path)
				before := files(t, filepath.Dir(path))
				worked := false
				_, err := maintenance.Backup(t.Context(), db, path,
					maintenance.OnProgress(func(maintenance.Progress) { worked = true }))
				if !errors.Is(err, fs.ErrExist) || worked {
					t.Fatalf("got %v; worked: %v", err, worked)
				}
				if diff := cmp.Diff(before, files(t, filepath.Dir(path))); diff != "" {
					t.Error(diff)
				}
			})
		}
		t.Run("FileThatComesMeanwhile", func(t *testing.T) {
			path := tempFile(t)
			_, err := maintenance.Backup(t.Context(), db, path, maintenance.OnProgress(func(maintenance.Progress) {
				mustWriteFile(t, path, "precious")
			}))
			content, reading := os.ReadFile(path)
			if !errors.Is(err, fs.ErrExist) || reading != nil || string(content) != "precious" {
				t.Fatalf("got %v, and the file has %d bytes, %v", err, len(content), reading)
			}
			if diff := cmp.Diff([]string{filepath.Base(path)}, files(t, filepath.Dir(path))); diff != "" {
				t.Error(diff)
			}
		})
	})
}

// Of many backups to one path, one wins, and its file is whole.
func TestBackupRace(t *testing.T) {
	const rivals = 8
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 100)
		path := tempFile(t)
		var started, all sync.WaitGroup
		started.Add(rivals)
		errs := make([]error, rivals)
		for i := range rivals {
			all.Go(func() {
				var once sync.Once // they all begin before any of them ends
				_, errs[i] = maintenance.Backup(t.Context(), db, path, maintenance.OnProgress(func(maintenance.Progress) {
					once.Do(func() { started.Done(); started.Wait() })
				}))
			})
		}
		all.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, fs.ErrExist) {
				t.Errorf("got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d have won", won)
		}
		if diff := cmp.Diff([]string{filepath.Base(path)}, files(t, filepath.Dir(path))); diff != "" {
			t.Error(diff)
		}
		if debits, credits := mustBeSound(t, path); debits != 100 || credits != 100 {
			t.Errorf("%d and %d rows", debits, credits)
		}
	})
}

func TestBackupLeavesNothingBehind(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 100)
		path := tempFile(t)
		t.Run("ErrCanceled", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			steps := 0
			_, err := maintenance.Backup(ctx, db, path, maintenance.PagesPerStep(10),
				maintenance.OnProgress(func(maintenance.Progress) {
					if steps++; steps == 3 {
						cancel()
					}
				}))
			if !errors.Is(err, context.Canceled) || steps != 3 {
				t.Fatalf("got %v after %d steps", err, steps)
			}
		})
		t.Run("Panic", func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_, _ = maintenance.Backup(t.Context(), db, path, maintenance.PagesPerStep(10),
				maintenance.OnProgress(func(maintenance.Progress) { panic("no progress") }))
		})
		if left := files(t, filepath.Dir(path)); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		// Nothing is held either: the log can be moved and begun anew.
		if err := addPairs(db, 1); err != nil {
			t.Fatal(err)
		}
		got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
		if err != nil || got.Busy {
			t.Errorf("a checkpoint afterwards: %+v, %v", got, err)
		}
		if _, err := maintenance.Backup(t.Context(), db, path); err != nil {
			t.Errorf("a backup afterwards: %v", err)
		}
	})
}

// A damaged page is copied as it is, and found.
func TestBackupOfDamagedDatabase(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		damaged, path := tempFile(t), tempFile(t)
		mustDamage(t, damaged, 4096*20)
		_, err := maintenance.Backup(t.Context(), open(damaged), path)
		if !errors.Is(err, maintenance.ErrDamaged) {
			t.Errorf("got %v", err)
		}
		if left := files(t, filepath.Dir(path)); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

// reverse is a collation that SQLite does not know by itself.
func reverse(a, b string) int { return strings.Compare(b, a) }

func init() {
	sql.Register("sqlite3_reverse", &sqlite3.SQLiteDriver{
		ConnectHook: func(conn *sqlite3.SQLiteConn) error { return conn.RegisterCollation("reverse", reverse) },
	})
}

// The copy is checked where the application's own collations are known.
func TestBackupWithCollation(t *testing.T) {
	for name, plugins := range pluginSets {
		t.Run(name, func(t *testing.T) {
			dialector := sqlite.New(sqlite.Config{DriverName: "sqlite3_reverse", DSN: tempFile(t)})
			db := mustOpen(t, dialector, gorm.Config{}, plugins()...)
			mustExec(t, db,
				"CREATE TABLE names (name TEXT COLLATE reverse PRIMARY KEY, CHECK (name <> ''))",
				"INSERT INTO names VALUES ('ada'), ('grace')")
			if _, err := maintenance.Backup(t.Context(), db, tempFile(t)); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestBackupOfMemory(t *testing.T) {
	for name, plugins := range pluginSets {
		t.Run(name, func(t *testing.T) {
			db := mustOpenMemory(t, plugins()...)
			mustFill(t, db, 100)
			path := tempFile(t)
			if _, err := maintenance.Backup(t.Context(), db, path); err != nil {
				t.Fatal(err)
			}
			if debits, credits := mustBeSound(t, path); debits != 100 || credits != 100 {
				t.Errorf("%d and %d rows", debits, credits)
			}
		})
	}
}

func TestBackupOfEmptyDatabase(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := tempFile(t)
		if _, err := maintenance.Backup(t.Context(), open(tempFile(t)), path); err != nil {
			t.Fatal(err)
		}
		if report := mustCheck(t, mustOpenHooks(t, path)); !report.OK() {
			t.Errorf("the copy: %+v", report)
		}
	})
}
