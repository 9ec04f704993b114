package maintenance_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"
)

const mib = 1 << 20

// told takes what a guardian logs, in the order in which it does.
type told chan slog.Record

func (told) Enabled(context.Context, slog.Level) bool { return true }
func (h told) Handle(_ context.Context, r slog.Record) error {
	h <- r
	return nil
}
func (h told) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h told) WithGroup(string) slog.Handler      { return h }

// await returns the next text, with its advice.
func (h told) await(tb testing.TB) string {
	tb.Helper()
	select {
	case r := <-h:
		return line(r)
	case <-time.After(lockWait):
		tb.Fatal("the guardian says nothing")
		return ""
	}
}

// all returns what was logged and not read yet.
func (h told) all() (lines []string) {
	for len(h) > 0 {
		lines = append(lines, line(<-h))
	}
	return lines
}

func line(r slog.Record) string {
	text := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool { text += " " + a.String(); return true })
	return text
}

// onlyByHand is an interval that no test lives to see.
const onlyByHand = time.Hour

// mustGuard starts a guardian with limits of 1 and 4 MiB that looks when it is
// told to, unless cfg says otherwise.
func mustGuard(tb testing.TB, db *gorm.DB, cfg maintenance.GuardConfig) (*maintenance.Guardian, told) {
	tb.Helper()
	said := make(told, 100)
	cfg.Logger = slog.New(said)
	if cfg.SoftLimit == 0 {
		cfg.SoftLimit, cfg.HardLimit = mib, 4*mib
	}
	if cfg.Interval == 0 {
		cfg.Interval = onlyByHand
	}
	g, err := maintenance.Guard(db, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(g.Stop)
	return g, said
}

func mustLook(tb testing.TB, g *maintenance.Guardian) maintenance.GuardReport {
	tb.Helper()
	r, err := g.Look(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// mustOpenTraced opens a new file with 500 pairs, whose rows are traced.
func mustOpenTraced(tb testing.TB, cfg hooks.Config) (db *gorm.DB, path string) {
	tb.Helper()
	cfg.BusyTimeout, cfg.TraceRows, cfg.Logger = lockWait, true, slog.New(slog.DiscardHandler)
	path = tempFile(tb)
	db = mustOpen(tb, sqlite.Open(path), gorm.Config{}, hooks.New(cfg))
	mustFill(tb, db, 500)
	return db, path
}

// mustPin leaves rows open until the returned function is called.
func mustPin(tb testing.TB, db *gorm.DB) (end func()) {
	tb.Helper()
	rows, err := db.Raw("SELECT id FROM debits").Rows()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = rows.Close() })
	rows.Next()
	return func() {
		tb.Helper()
		if err := rows.Close(); err != nil {
			tb.Fatal(err)
		}
	}
}

func mustAdd(tb testing.TB, db *gorm.DB, pairs int) {
	tb.Helper()
	if err := addPairs(db, pairs); err != nil {
		tb.Fatal(err)
	}
}

func mustCounts(tb testing.TB, db *gorm.DB, want int64) {
	tb.Helper()
	if debits, credits := counts(tb, db); debits != want || credits != want {
		tb.Errorf("%d and %d rows, want %d", debits, credits, want)
	}
}

// T16: rows that are left open pin the log.
func TestGuardNamesTheReader(t *testing.T) {
	db, path := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	end := mustPin(t, db)
	mustAdd(t, db, 600)

	for range 3 {
		r := mustLook(t, g)
		if r.Bytes <= mib || !r.Pressed || r.Refusing {
			t.Fatalf("got %+v, want a press in vain", r)
		}
		if len(r.Readers) != 1 || !strings.Contains(r.Readers[0].Site, "guard_test.go:") {
			t.Fatalf("got %+v, want the reader", r.Readers)
		}
	}
	lines := said.all()
	if len(lines) != 1 || !strings.Contains(lines[0], "WARN the log stays above its soft limit") ||
		!strings.Contains(lines[0], "guard_test.go:") || !strings.Contains(lines[0], "(SELECT id FROM debits)") {
		t.Errorf("it says %q, want a warning that names the reader", lines)
	}

	end()
	if r := mustLook(t, g); r.Bytes != 0 || r.FileBytes != 0 || len(r.Readers) != 0 || fileSize(t, path+"-wal") != 0 {
		t.Errorf("got %+v and a file of %d bytes after it has gone", r, fileSize(t, path+"-wal"))
	}
	mustLook(t, g)
	if lines := said.all(); len(lines) != 1 || !strings.Contains(lines[0], "INFO the log is below its soft limit again") {
		t.Errorf("it says %q after it has gone", lines)
	}
	mustCounts(t, db, 1100)
}

// A short log is not touched, and nobody is told of it.
func TestGuardLeavesAShortLog(t *testing.T) {
	db, path := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{SoftLimit: 2 * mib, HardLimit: 4 * mib})
	before := hashes(t, path)
	if r := mustLook(t, g); r.Pressed || r.Bytes != fileSize(t, path+"-wal") {
		t.Errorf("got %+v", r)
	}
	if hashes(t, path) != before || len(said) > 0 {
		t.Errorf("it has changed something, or said %q", said.all())
	}
}

// The file of a log that was long once is cut when the log is short.
func TestGuardGivesDiskBack(t *testing.T) {
	db, path := mustOpenTraced(t, hooks.Config{})
	mustPool(t, db).SetMaxOpenConns(1)
	mustAdd(t, db, 200)
	if r, err := maintenance.Checkpoint(t.Context(), db, maintenance.Restart); err != nil || !r.Complete() || r.Busy {
		t.Fatalf("got %+v, %v", r, err)
	}
	mustAdd(t, db, 1)
	if size := fileSize(t, path+"-wal"); size <= mib {
		t.Fatalf("the log's file has %d bytes only", size)
	}
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	if r := mustLook(t, g); !r.Pressed || r.FileBytes != 0 || fileSize(t, path+"-wal") != 0 {
		t.Errorf("got %+v and a file of %d bytes", r, fileSize(t, path+"-wal"))
	}
	if len(said) > 0 {
		t.Errorf("it says %q of a log that is short", said.all())
	}
	mustCounts(t, db, 701)
}

func TestGuardRefusesWrites(t *testing.T) {
	db, _ := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	end := mustPin(t, db)
	mustAdd(t, db, 600)
	if r := mustLook(t, g); r.Refusing {
		t.Fatalf("got %+v below the hard limit", r)
	}
	mustAdd(t, db, 2400)
	_ = said.all()
	begun := db.Begin()

	r := mustLook(t, g)
	if !r.Refusing || r.Bytes <= 4*mib {
		t.Fatalf("got %+v above the hard limit", r)
	}
	for _, table := range []string{"debits", "credits"} { // a transaction that has begun goes on
		if err := begun.Exec("INSERT INTO " + table + " (body) VALUES ('')").Error; err != nil {
			t.Fatal(err)
		}
	}
	if err := begun.Commit().Error; err != nil {
		t.Fatal(err)
	}
	var full *maintenance.WALFullError
	for name, err := range map[string]error{
		"transaction": addPairs(db, 1),
		"statement":   db.Exec("DELETE FROM debits").Error,
	} {
		if !errors.As(err, &full) || full.Bytes != r.Bytes || full.Limit != 4*mib ||
			len(full.Readers) != 1 || !strings.Contains(full.Error(), "guard_test.go:") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	mustCounts(t, db, 3501)

	end()
	if r := mustLook(t, g); r.Refusing || r.Bytes != 0 {
		t.Errorf("got %+v after the reader has gone", r)
	}
	mustAdd(t, db, 1)
	mustCounts(t, db, 3502)
	if lines := strings.Join(said.all(), "\n"); !strings.Contains(lines, "INFO the log is below its hard limit again: writes go on") {
		t.Errorf("it says %q", lines)
	}
}

// The guardian at its work: writers run into the hard limit, what they were
// told is stored is stored, and they go on when the reader has gone.
func TestGuardUnderWriters(t *testing.T) {
	db, path := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{SoftLimit: mib, HardLimit: 8 * mib, Interval: time.Millisecond})
	end := mustPin(t, db)
	var stored atomic.Int64
	stored.Store(500)
	write := func(until func(error) bool) {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					err := addPairs(db, 50)
					if err == nil {
						stored.Add(50)
					}
					if until(err) {
						return
					}
				}
			})
		}
		all.Wait()
	}
	write(func(err error) bool {
		var full *maintenance.WALFullError
		if err != nil && !errors.As(err, &full) {
			t.Errorf("writer: %v", err)
		}
		return err != nil
	})
	if size := fileSize(t, path+"-wal"); size <= 8*mib {
		t.Errorf("writes are refused with a log of %d bytes", size)
	}
	mustCounts(t, db, stored.Load())
	for text := ""; !strings.Contains(text, "writes are refused"); {
		text = said.await(t)
	}
	end()
	if text := said.await(t); !strings.Contains(text, "writes go on") {
		t.Fatalf("it says %q", text)
	}
	write(func(err error) bool {
		if err != nil {
			t.Errorf("writer: %v", err)
		}
		return true
	})
	g.Stop()
	mustCounts(t, db, stored.Load())
	if report := mustCheck(t, db); !report.OK() {
		t.Errorf("the database: %+v", report)
	}
}

func TestGuardStop(t *testing.T) {
	db, _ := mustOpenTraced(t, hooks.Config{})
	g, _ := mustGuard(t, db, maintenance.GuardConfig{SoftLimit: mib, HardLimit: mib + 1, Interval: time.Millisecond})
	mustPin(t, db)
	mustAdd(t, db, 600)
	if r := mustLook(t, g); !r.Refusing {
		t.Fatalf("got %+v", r)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(g.Stop)
	}
	all.Wait()
	g.Stop()
	mustAdd(t, db, 1)
	if _, err := g.Look(t.Context()); !errors.Is(err, maintenance.ErrGuardStopped) {
		t.Errorf("a look after it: got %v", err)
	}
	mustAdd(t, db, 1)
	mustCounts(t, db, 1102)
}

// A refusal of the application's own is not the guardian's to end.
func TestGuardLeavesOtherRefusals(t *testing.T) {
	db, _ := mustOpenTraced(t, hooks.Config{})
	g, _ := mustGuard(t, db, maintenance.GuardConfig{})
	closed := errors.New("closed for the night")
	if err := hooks.RefuseWrites(db, closed); err != nil {
		t.Fatal(err)
	}
	mustLook(t, g)
	g.Stop()
	if err := addPairs(db, 1); !errors.Is(err, closed) {
		t.Errorf("got %v", err)
	}
}

// The press waits at most 250 ms for a reader at the log's end, and not at all
// for one that much is left behind: the writers go on.
func TestGuardHoldsWritersBriefly(t *testing.T) {
	const most = 3 * time.Second // the bound is 250 ms; the rest is for a slow machine
	t.Run("AtTheEnd", func(t *testing.T) {
		db, _ := mustOpenTraced(t, hooks.Config{})
		mustAdd(t, db, 200)
		g, _ := mustGuard(t, db, maintenance.GuardConfig{})
		mustPin(t, db)
		r := mustLook(t, g)
		if r.Held < 200*time.Millisecond || r.Held > most {
			t.Errorf("it held back the writers for %v, want 250 ms", r.Held)
		}
		mustAdd(t, db, 1)
		mustCounts(t, db, 701)
	})
	t.Run("MuchIsLeft", func(t *testing.T) {
		db, _ := mustOpenTraced(t, hooks.Config{})
		g, _ := mustGuard(t, db, maintenance.GuardConfig{SoftLimit: mib, HardLimit: 64 * mib})
		end := mustPin(t, db)
		mustAdd(t, db, 3000)
		if r := mustLook(t, g); !r.Pressed || r.Held != 0 {
			t.Errorf("got %+v, want a press that holds back nobody", r)
		}
		end()
		if r := mustLook(t, g); r.Bytes != 0 || r.Held > most {
			t.Errorf("got %+v after the reader has gone", r)
		}
		mustCounts(t, db, 3500)
	})
	t.Run("UnderWriters", func(t *testing.T) {
		db, _ := mustOpenTraced(t, hooks.Config{})
		g, _ := mustGuard(t, db, maintenance.GuardConfig{SoftLimit: mib, HardLimit: 1024 * mib, Interval: time.Millisecond})
		w := startWriters(t, db, 4)
		for range 20 {
			end := mustPin(t, db)
			w.wait()
			if r := mustLook(t, g); r.Held > most {
				t.Errorf("it held back the writers for %v", r.Held)
			}
			end()
			w.wait()
		}
		mustCounts(t, db, w.stop()+500)
		mustLook(t, g)
		if r := mustLook(t, g); r.Bytes > mib {
			t.Errorf("got %+v when nobody writes or reads", r)
		}
	})
	// Who has the writer for long is not waited for, and is no failure.
	t.Run("LongTransaction", func(t *testing.T) {
		db, _ := mustOpenTraced(t, hooks.Config{})
		mustAdd(t, db, 200)
		g, _ := mustGuard(t, db, maintenance.GuardConfig{})
		tx := db.Begin()
		looked := make(chan error)
		var r maintenance.GuardReport
		go func() { // this goroutine's own transaction would be a wait for itself
			var err error
			r, err = g.Look(t.Context())
			looked <- err
		}()
		if err := <-looked; err != nil || !r.Pressed || r.Held != 0 || r.Bytes <= mib {
			t.Errorf("got %+v, %v", r, err)
		}
		if err := tx.Rollback().Error; err != nil {
			t.Fatal(err)
		}
		if r := mustLook(t, g); r.Bytes != 0 {
			t.Errorf("got %+v after it", r)
		}
	})
}

// Another program's log is watched and left alone.
func TestGuardWithExternalCheckpointer(t *testing.T) {
	db, path := mustOpenTraced(t, hooks.Config{ExternalCheckpointer: true})
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	mustAdd(t, db, 2000)
	before := hashes(t, path)
	r := mustLook(t, g)
	if r.Pressed || !r.Refusing || r.Bytes <= 4*mib {
		t.Errorf("got %+v", r)
	}
	if hashes(t, path) != before {
		t.Error("a checkpoint was made")
	}
	var full *maintenance.WALFullError
	if err := addPairs(db, 1); !errors.As(err, &full) || !strings.Contains(full.Advice, "external checkpointer") {
		t.Errorf("got %v", err)
	}
	if _, err := maintenance.Checkpoint(t.Context(), db, maintenance.Truncate); err != nil { // the other program's
		t.Fatal(err)
	}
	if r := mustLook(t, g); r.Refusing || r.Bytes != 0 {
		t.Errorf("got %+v after the checkpoint", r)
	}
	mustAdd(t, db, 1)
	mustCounts(t, db, 2501)
	if lines := said.all(); len(lines) != 3 {
		t.Errorf("it says %q, want a refusal and two ends", lines)
	}
}

// What keeps the guardian from looking is told once.
func TestGuardOfClosedDatabase(t *testing.T) {
	db, _ := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	if err := mustPool(t, db).Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if r, err := g.Look(t.Context()); err == nil {
			t.Errorf("got %+v", r)
		}
	}
	if lines := said.all(); len(lines) != 1 || !strings.Contains(lines[0], "WARN the guardian cannot look") {
		t.Errorf("it says %q", lines)
	}
}

func TestGuardLookErrCanceled(t *testing.T) {
	db, _ := mustOpenTraced(t, hooks.Config{})
	g, said := mustGuard(t, db, maintenance.GuardConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Look(ctx); !errors.Is(err, context.Canceled) || len(said) > 0 {
		t.Errorf("got %v, and it says %q", err, said.all())
	}
}

func TestGuardErrors(t *testing.T) {
	refused := func(t *testing.T, db *gorm.DB, cfg maintenance.GuardConfig) error {
		t.Helper()
		g, err := maintenance.Guard(db, cfg)
		if err == nil {
			g.Stop()
			t.Fatal("it has started")
		}
		return err
	}
	t.Run("ErrConfig", func(t *testing.T) {
		db := mustOpenHooks(t, tempFile(t))
		for _, test := range []struct {
			cfg  maintenance.GuardConfig
			want string
		}{
			{maintenance.GuardConfig{SoftLimit: mib - 1}, "GuardConfig.SoftLimit is 1048575: give 1 MiB"},
			{maintenance.GuardConfig{SoftLimit: -1}, "GuardConfig.SoftLimit is -1"},
			{maintenance.GuardConfig{HardLimit: 64 * mib}, "GuardConfig.HardLimit is 67108864: give more than the SoftLimit of 67108864"},
			{maintenance.GuardConfig{SoftLimit: 2048 * mib}, "GuardConfig.HardLimit is 1073741824"},
			{maintenance.GuardConfig{Interval: -1}, "GuardConfig.Interval is -1ns"},
		} {
			if err := refused(t, db, test.cfg); !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q", err, test.want)
			}
		}
	})
	t.Run("ErrNoPlugin", func(t *testing.T) {
		if err := refused(t, mustOpenPlain(t, tempFile(t)), maintenance.GuardConfig{}); !errors.Is(err, hooks.ErrNoPlugin) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ErrNotWAL", func(t *testing.T) {
		if err := refused(t, mustOpenMemory(t, newPlugin()), maintenance.GuardConfig{}); !errors.Is(err, maintenance.ErrNotWAL) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ErrNotSQLite", func(t *testing.T) {
		db, err := gorm.Open(tests.DummyDialector{}, &gorm.Config{})
		if err != nil {
			t.Fatal(err)
		}
		if err := refused(t, db, maintenance.GuardConfig{}); !errors.Is(err, maintenance.ErrNotSQLite) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("ErrInTransaction", func(t *testing.T) {
		tx := mustOpenHooks(t, tempFile(t)).Begin(&sql.TxOptions{ReadOnly: true})
		defer tx.Rollback()
		if err := refused(t, tx, maintenance.GuardConfig{}); !errors.Is(err, maintenance.ErrInTransaction) {
			t.Errorf("got %v", err)
		}
	})
}
