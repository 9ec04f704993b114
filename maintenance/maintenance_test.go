package maintenance_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/flashstore/flashstore/maintenance"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"
)

// everyFunction are all that take a database.
var everyFunction = map[string]func(ctx context.Context, db *gorm.DB, dir string) error{
	"Checkpoint": func(ctx context.Context, db *gorm.DB, _ string) error {
		_, err := maintenance.Checkpoint(ctx, db, maintenance.Truncate)
		return err
	},
	"Vacuum": func(ctx context.Context, db *gorm.DB, _ string) error {
		_, err := maintenance.Vacuum(ctx, db)
		return err
	},
	"IncrementalVacuum": func(ctx context.Context, db *gorm.DB, _ string) error {
		_, err := maintenance.IncrementalVacuum(ctx, db, 10)
		return err
	},
	"Optimize": func(ctx context.Context, db *gorm.DB, _ string) error {
		return maintenance.Optimize(ctx, db)
	},
	"Backup": func(ctx context.Context, db *gorm.DB, dir string) error {
		_, err := maintenance.Backup(ctx, db, filepath.Join(dir, "copy.db"))
		return err
	},
	"Check": func(ctx context.Context, db *gorm.DB, _ string) error {
		_, err := maintenance.Check(ctx, db)
		return err
	},
	"Stats": func(ctx context.Context, db *gorm.DB, _ string) error {
		_, err := maintenance.Stats(ctx, db)
		return err
	},
}

func eachFunction(t *testing.T, test func(t *testing.T, call func(ctx context.Context, db *gorm.DB) error)) {
	for name, function := range everyFunction {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test(t, func(ctx context.Context, db *gorm.DB) error { return function(ctx, db, dir) })
			if name != "Backup" {
				return
			}
			for _, file := range files(t, dir) {
				if file != "copy.db" {
					t.Errorf("the backup left %s behind", file)
				}
			}
		})
	}
}

func TestEveryFunction(t *testing.T) {
	t.Run("ErrNotSQLite", func(t *testing.T) {
		db, err := gorm.Open(tests.DummyDialector{}, &gorm.Config{})
		if err != nil {
			t.Fatal(err)
		}
		eachFunction(t, func(t *testing.T, call func(context.Context, *gorm.DB) error) {
			if err := call(t.Context(), db); !errors.Is(err, maintenance.ErrNotSQLite) {
				t.Fatalf("got %v", err)
			}
		})
	})

	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 10)
		if _, err := maintenance.Vacuum(t.Context(), db); err != nil { // auto_vacuum, for those that need it
			t.Fatal(err)
		}
		t.Run("OK", func(t *testing.T) {
			eachFunction(t, func(t *testing.T, call func(context.Context, *gorm.DB) error) {
				if err := call(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			})
		})
		t.Run("ErrInTransaction", func(t *testing.T) {
			eachFunction(t, func(t *testing.T, call func(context.Context, *gorm.DB) error) {
				err := db.Transaction(func(tx *gorm.DB) error { return call(t.Context(), tx) })
				if !errors.Is(err, maintenance.ErrInTransaction) {
					t.Fatalf("got %v", err)
				}
			})
		})
		t.Run("ErrCanceled", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			eachFunction(t, func(t *testing.T, call func(context.Context, *gorm.DB) error) {
				if err := call(ctx, db); !errors.Is(err, context.Canceled) {
					t.Fatalf("got %v", err)
				}
			})
		})
		if report, err := maintenance.Check(t.Context(), db); err != nil || !report.OK() {
			t.Fatalf("the database afterwards: %v, %v", report, err)
		}
	})
}

// pluginSets are what a database is opened with; a plugin serves one.
var pluginSets = map[string]func() []gorm.Plugin{
	"plain": func() []gorm.Plugin { return nil },
	"hooks": func() []gorm.Plugin { return []gorm.Plugin{newPlugin()} },
}

// An application may limit db.DB() to one connection, and have GORM prepare
// its statements: no function waits for a second connection.
func TestOneConnection(t *testing.T) {
	for name, plugins := range pluginSets {
		t.Run(name, func(t *testing.T) {
			dialector := sqlite.Open(tempFile(t) + "?_journal_mode=WAL")
			db := mustOpen(t, dialector, gorm.Config{PrepareStmt: true}, plugins()...)
			mustPool(t, db).SetMaxOpenConns(1)
			mustFill(t, db, 10)
			if _, err := maintenance.Vacuum(t.Context(), db); err != nil {
				t.Fatal(err)
			}
			eachFunction(t, func(t *testing.T, call func(context.Context, *gorm.DB) error) {
				if err := call(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// What a database in memory can do, and what it says where it cannot.
func TestMemory(t *testing.T) {
	cannot := map[string]error{
		"Checkpoint":        maintenance.ErrNotWAL,
		"IncrementalVacuum": maintenance.ErrNoAutoVacuum,
	}
	for name, plugins := range pluginSets {
		t.Run(name, func(t *testing.T) {
			for function, call := range everyFunction {
				t.Run(function, func(t *testing.T) {
					db := mustOpenMemory(t, plugins()...)
					mustFill(t, db, 10)
					if err := call(t.Context(), db, t.TempDir()); !errors.Is(err, cannot[function]) {
						t.Fatalf("got %v, want %v", err, cannot[function])
					}
					if debits, credits := counts(t, db); debits != 10 || credits != 10 {
						t.Fatalf("%d and %d rows afterwards, want 10 and 10", debits, credits)
					}
				})
			}
		})
	}
}
