package maintenance_test

import (
	"errors"
	"testing"
	"time"

	"github.com/flashstore/flashstore/maintenance"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func TestParseMode(t *testing.T) {
	for name, want := range map[string]maintenance.Mode{
		"passive": maintenance.Passive, "full": maintenance.Full,
		"RESTART": maintenance.Restart, "Truncate": maintenance.Truncate,
	} {
		if got, err := maintenance.ParseMode(name); err != nil || got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if got, err := maintenance.ParseMode("hard"); err == nil {
		t.Errorf("hard: got %v", got)
	}
	if got := maintenance.Mode(7).String(); got != "Mode(7)" {
		t.Errorf("got %q", got)
	}
}

func TestCheckpointResultComplete(t *testing.T) {
	for _, test := range []struct {
		name   string
		result maintenance.CheckpointResult
		want   bool
	}{
		{"all moved", maintenance.CheckpointResult{Log: 52, Moved: 52}, true},
		{"all moved, not truncated", maintenance.CheckpointResult{Busy: true, Log: 52, Moved: 52}, true},
		{"truncated", maintenance.CheckpointResult{}, true},
		{"a part moved, not busy", maintenance.CheckpointResult{Log: 52, Moved: 2}, false},
		{"another checkpoint at it", maintenance.CheckpointResult{Busy: true, Log: -1, Moved: -1}, false},
	} {
		if got := test.result.Complete(); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

// S54, S55: by hand, and after a bulk import.
func TestCheckpoint(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		t.Run("OK", func(t *testing.T) {
			path := tempFile(t)
			db := open(path)
			mustFill(t, db, 100)
			for _, mode := range []maintenance.Mode{maintenance.Passive, maintenance.Full, maintenance.Restart} {
				got, err := maintenance.Checkpoint(t.Context(), db, mode)
				if err != nil || got.Busy || !got.Complete() || got.Moved == 0 {
					t.Fatalf("%s: got %+v, %v", mode, got, err)
				}
			}
			got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate)
			if err != nil || got != (maintenance.CheckpointResult{}) {
				t.Fatalf("truncate: got %+v, %v", got, err)
			}
			if size := fileSize(t, path+"-wal"); size != 0 {
				t.Fatalf("the log has %d bytes after a truncate", size)
			}
		})
		t.Run("PassiveUnderReader", func(t *testing.T) { // T14
			db := open(tempFile(t))
			mustFill(t, db, 10)
			end := mustRead(t, db)
			if err := addPairs(db, 100); err != nil {
				t.Fatal(err)
			}
			got, err := maintenance.Checkpoint(t.Context(), db, maintenance.Passive)
			if err != nil || got.Busy || got.Moved >= got.Log || got.Complete() {
				t.Fatalf("under a reader: got %+v, %v", got, err)
			}
			end()
			got, err = maintenance.Checkpoint(t.Context(), db, maintenance.Passive)
			if err != nil || !got.Complete() {
				t.Fatalf("after it: got %+v, %v", got, err)
			}
		})
		t.Run("ErrNoSuchMode", func(t *testing.T) {
			if got, err := maintenance.Checkpoint(t.Context(), open(tempFile(t)), maintenance.Mode(4)); err == nil {
				t.Fatalf("got %+v", got)
			}
		})
	})
}

// T15: under a reader the stronger modes give up soon, so that writers, whom
// they hold back meanwhile, go on.
func TestCheckpointUnderReaderAndWriters(t *testing.T) {
	const most = 3 * time.Second // the bound is 250 ms; the rest is for a slow machine
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		for _, mode := range []maintenance.Mode{maintenance.Full, maintenance.Restart, maintenance.Truncate} {
			t.Run(mode.String(), func(t *testing.T) {
				db := open(tempFile(t))
				mustFill(t, db, 10)
				defer mustRead(t, db)()
				w := startWriters(t, db, 4)
				w.wait()
				start := time.Now()
				got, err := maintenance.Checkpoint(t.Context(), db, mode)
				if took := time.Since(start); took > most {
					t.Errorf("it took %v", took)
				}
				if err != nil || !got.Busy {
					t.Errorf("got %+v, %v, want it busy", got, err)
				}
				w.wait()
				stored := w.stop() + 10
				if debits, credits := counts(t, db); debits != stored || credits != stored {
					t.Errorf("%d and %d rows, want %d", debits, credits, stored)
				}
			})
		}
	})
}

func TestCheckpointGivesBusyTimeoutBack(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		db := open(tempFile(t))
		mustFill(t, db, 1)
		mustPool(t, db).SetMaxOpenConns(1)
		before := mustAsk(t, db, "PRAGMA busy_timeout")
		if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate); err != nil {
			t.Fatal(err)
		}
		if after := mustAsk(t, db, "PRAGMA busy_timeout"); after != before || before != "60000" {
			t.Fatalf("busy_timeout is %s, was %s", after, before)
		}
	})
}

func TestCheckpointWithoutLog(t *testing.T) {
	db := mustOpen(t, sqlite.Open(tempFile(t)), gorm.Config{})
	mustFill(t, db, 1)
	if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Passive); !errors.Is(err, maintenance.ErrNotWAL) {
		t.Fatalf("got %v", err)
	}
}
