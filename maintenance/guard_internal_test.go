package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// newTestGuardian returns a guardian of a new file that looks by hand, with a
// soft limit of 1 MiB, and a log that is longer.
func newTestGuardian(t *testing.T, cfg hooks.Config) *Guardian {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "app.db")), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	plugin := hooks.New(cfg)
	if err := db.Use(plugin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = plugin.Close() })
	for _, statement := range []string{
		"CREATE TABLE t (x BLOB)",
		"INSERT INTO t VALUES (zeroblob(1200000))",
	} {
		if err := db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
	g, err := newGuardian(db, GuardConfig{SoftLimit: 1 << 20, Logger: slog.New(slog.DiscardHandler)}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Stop)
	return g
}

func mustLookIn(t *testing.T, g *Guardian) GuardReport {
	t.Helper()
	r, err := g.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A press that waits is followed by a rest, whatever the number of looks.
func TestGuardRests(t *testing.T) {
	g := newTestGuardian(t, hooks.Config{})
	clock := time.Now()
	g.now = func() time.Time { return clock }
	tx := g.db.Begin(&sql.TxOptions{ReadOnly: true})
	defer tx.Rollback()
	var n int
	if err := tx.Raw("SELECT count(*) FROM t").Scan(&n).Error; err != nil {
		t.Fatal(err)
	}
	for i := range 12 { // a look a second, with a reader in the way
		mustLookIn(t, g)
		if want := clock.Truncate(0).Add(-time.Duration(i%5) * time.Second); !g.waited.Truncate(0).Equal(want) {
			t.Fatalf("look %d: the last press that waited was %v ago, want %d s", i, clock.Sub(g.waited), i%5)
		}
		clock = clock.Add(time.Second)
	}
}

func TestGuardWaitMost(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name     string
		bytes    int64
		ago      time.Duration
		refusing bool
		want     time.Duration
	}{
		{"rested", 101, 5 * time.Second, false, holdMost},
		{"not rested", 101, 5*time.Second - 1, false, 0},
		{"the file is long, the log is not", 100, time.Hour, false, 0},
		{"nobody writes", 101, 0, true, holdMost},
	} {
		g := &Guardian{cfg: GuardConfig{SoftLimit: 100}, refusing: test.refusing,
			waited: now.Add(-test.ago), now: func() time.Time { return now }}
		if got := g.waitMost(test.bytes); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
}

// What was written while the press waited for its turn among the writers is
// not moved while they are held back.
func TestGuardLooksAgainInItsTurn(t *testing.T) {
	g := newTestGuardian(t, hooks.Config{ExternalCheckpointer: true}) // nothing is moved behind its back
	if err := g.db.Exec("INSERT INTO t VALUES (zeroblob(5000000))").Error; err != nil {
		t.Fatal(err)
	}
	err := onOwn(t.Context(), g.db, func(conn *sql.Conn) error { return g.truncate(t.Context(), conn, &GuardReport{}) })
	if err != nil {
		t.Fatal(err)
	}
	if r := mustLookIn(t, g); r.Bytes < 5000000 {
		t.Errorf("got %+v, want the log left as it was", r)
	}
}

// An SQLite that cannot be asked is judged by the log's file.
func TestGuardOfOldSQLite(t *testing.T) {
	g := newTestGuardian(t, hooks.Config{})
	if _, err := Checkpoint(t.Context(), g.db, Restart); err != nil {
		t.Fatal(err)
	}
	if err := g.db.Exec("INSERT INTO t VALUES (1)").Error; err != nil { // begins the log anew
		t.Fatal(err)
	}
	g.external = true
	for asks, long := range map[bool]bool{true: false, false: true} {
		g.asks = asks
		if r := mustLookIn(t, g); r.FileBytes < 1200000 || (r.Bytes == r.FileBytes) != long {
			t.Errorf("it can be asked: %v; got %+v", asks, r)
		}
	}
	g.external, g.asks = false, false
	if r := mustLookIn(t, g); !r.Pressed || r.Bytes != 0 || r.FileBytes != 0 {
		t.Errorf("got %+v after a press", r)
	}
}

// Whose context ends, during a look or before, learns that; it is no failure
// to tell of.
func TestGuardLookInterrupted(t *testing.T) {
	t.Run("ErrCanceled", func(t *testing.T) {
		g := newTestGuardian(t, hooks.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		g.now = func() time.Time { cancel(); return time.Now() } // in the middle of the press
		if _, err := g.Look(ctx); !errors.Is(err, context.Canceled) || g.failed != nil {
			t.Errorf("got %v; told of %v", err, g.failed)
		}
	})
	t.Run("ErrGuardStopped", func(t *testing.T) {
		g := newTestGuardian(t, hooks.Config{})
		if err := g.turn.Acquire(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		looked := make(chan error)
		go func() {
			_, err := g.Look(context.Background())
			looked <- err
		}()
		g.end()
		if err := <-looked; !errors.Is(err, ErrGuardStopped) {
			t.Errorf("got %v", err)
		}
		g.turn.Release(1)
	})
}

// Where the press fails, writes are refused all the same.
func TestGuardRefusesWhereItCannotPress(t *testing.T) {
	g := newTestGuardian(t, hooks.Config{})
	g.cfg.HardLimit = g.cfg.SoftLimit + 1
	tx := g.db.Begin() // of this goroutine: the press would wait for itself
	var own *hooks.SelfWaitError
	if _, err := g.Look(t.Context()); !errors.As(err, &own) {
		t.Errorf("got %v", err)
	}
	if err := tx.Rollback().Error; err != nil {
		t.Fatal(err)
	}
	var full *WALFullError
	if err := g.db.Exec("DELETE FROM t").Error; !errors.As(err, &full) {
		t.Errorf("got %v", err)
	}
	if r := mustLookIn(t, g); r.Refusing || r.Bytes != 0 {
		t.Errorf("got %+v", r)
	}
	if err := g.db.Exec("DELETE FROM t").Error; err != nil {
		t.Error(err)
	}
}

func TestGuardAdvice(t *testing.T) {
	now := time.Now()
	rows := func(n int) (all []hooks.OpenRows) {
		for range n {
			all = append(all, hooks.OpenRows{SQL: "SELECT 1", Site: "app.go:7", Since: now.Add(-time.Second)})
		}
		return all
	}
	const one = "rows opened at app.go:7 1s ago (SELECT 1)"
	for _, test := range []struct {
		name    string
		cfg     hooks.Config
		readers []hooks.OpenRows
		want    string
	}{
		{"one", hooks.Config{TraceRows: true}, rows(1), "it is pinned by " + one + ": close them"},
		{"many", hooks.Config{TraceRows: true}, rows(5), "it is pinned by " + one + ", " + one + ", " + one + ", 2 more: close them"},
		{"not traced", hooks.Config{}, nil, "rows that are not closed (hooks.Config.TraceRows names them), a read-only transaction"},
		{"traced", hooks.Config{TraceRows: true}, nil, "no rows of the plugin's readers are open; a read-only transaction"},
		{"external", hooks.Config{ExternalCheckpointer: true}, nil, "see that the external checkpointer runs; or a read-only transaction"},
	} {
		g := &Guardian{plugin: hooks.New(test.cfg), external: test.cfg.ExternalCheckpointer, now: func() time.Time { return now }}
		if got := g.advice(test.readers); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
}

func TestWALFullError(t *testing.T) {
	err := &WALFullError{Bytes: 5 << 20, Limit: 4 << 20, Advice: "end it"}
	if want := "the write-ahead log has 5120 KiB, and writes are refused above 4096 KiB: end it"; err.Error() != want {
		t.Fatalf("got %q, want %q", err, want)
	}
}
