package writequeue_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// hang bounds every wait of these tests: who reaches it hangs.
const hang = 30 * time.Second

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// GORM's store of prepared statements sweeps itself by the clock, and
		// has no way to be stopped: gorm.Open starts it where PrepareStmt is on.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

// row is what these tests write.
type row struct {
	ID     int64
	Caller int
	N      int
}

const createRows = `CREATE TABLE rows (id INTEGER PRIMARY KEY, caller INTEGER NOT NULL, n INTEGER NOT NULL CHECK (n >= 0), UNIQUE (caller, n))`

// open opens a new file with the hooks plugin and an empty table of rows.
func open(tb testing.TB, cfg hooks.Config) *gorm.DB {
	tb.Helper()
	return openAt(tb, filepath.Join(tb.TempDir(), "app.db"), cfg, &gorm.Config{Logger: logger.Discard})
}

func openAt(tb testing.TB, path string, cfg hooks.Config, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(sqlite.New(sqlite.Config{DriverName: tickDriver, DSN: path}), config)
	must(tb, err)
	must(tb, db.Use(hooks.New(cfg)))
	tb.Cleanup(func() {
		pool, err := db.DB()
		must(tb, err)
		must(tb, pool.Close())
	})
	must(tb, db.Exec(createRows).Error)
	return db
}

// newQueue returns a queue over a new file. It is closed with the test, and
// nothing must be left in it.
func newQueue(tb testing.TB, cfg writequeue.Config) (*writequeue.Queue, *gorm.DB) {
	tb.Helper()
	db := open(tb, hooks.Config{})
	q := writequeue.New(db, cfg)
	tb.Cleanup(func() {
		must(tb, q.Close())
		if keys, groups := q.Left(); keys != 0 || groups != 0 {
			tb.Errorf("left in the queue: %d keys and %d groups", keys, groups)
		}
	})
	return q, db
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

func mustBe(tb testing.TB, err, want error) {
	tb.Helper()
	if !errors.Is(err, want) {
		tb.Fatalf("got error %v, want %v", err, want)
	}
}

// mustCount fails unless there are want rows.
func mustCount(tb testing.TB, db *gorm.DB, want int64) {
	tb.Helper()
	var got int64
	must(tb, db.Model(&row{}).Count(&got).Error)
	if got != want {
		tb.Fatalf("%d rows are stored, want %d", got, want)
	}
}

// within returns a context that ends after d, or with the test.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	tb.Cleanup(cancel)
	return ctx
}

// adds returns a call's function that writes a row.
func adds(caller, n int) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error { return tx.Create(&row{Caller: caller, N: n}).Error }
}

// start calls fn on a goroutine of its own.
func start(fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- fn() }()
	return done
}

func await(tb testing.TB, done <-chan error) error {
	tb.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(hang):
		tb.Fatal("it hangs")
		return nil
	}
}

// hold takes the writer away from the queue until release is called.
func hold(tb testing.TB, db *gorm.DB) (release func()) {
	tb.Helper()
	begun := make(chan *gorm.DB)
	go func() { begun <- db.Begin() }() // in a goroutine of its own: it is to wait for nobody
	tx := <-begun
	must(tb, tx.Error)
	return sync.OnceFunc(func() { must(tb, tx.Rollback().Error) })
}

// awaitWaiting waits until n calls wait in q.
func awaitWaiting(tb testing.TB, q *writequeue.Queue, n int) {
	tb.Helper()
	for deadline := time.Now().Add(hang); q.Stats().Waiting != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%d calls wait, want %d", q.Stats().Waiting, n)
		}
	}
}

// atOnce calls fn for 0 to n-1, each on a goroutine of its own.
func atOnce(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
