package writequeue_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/writequeue"
)

// errNo is how a call fails that is to fail.
var errNo = errors.New("no")

// errExited is how a goroutine ended that neither returned nor panicked.
var errExited = errors.New("the goroutine has exited")

// panicked is how one ended that did.
type panicked struct{ value any }

func (p panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// caught calls fn on a goroutine of its own, which may panic or exit there.
func caught(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errExited
		defer func() {
			if p := recover(); p != nil {
				err = panicked{p}
			}
			done <- err
		}()
		err = fn()
	}()
	return <-done
}

// line is what stands in line for the writer of a queue while it is held.
type line struct {
	tb    testing.TB
	q     *writequeue.Queue
	free  func()
	calls []<-chan error
}

// newLine holds the writer of q.
func newLine(tb testing.TB, q *writequeue.Queue, db *gorm.DB) *line {
	tb.Helper()
	return &line{tb: tb, q: q, free: hold(tb, db)}
}

// add starts a call and waits until it stands in line.
func (l *line) add(call func() error) {
	l.tb.Helper()
	l.calls = append(l.calls, start(func() error { return caught(call) }))
	awaitWaiting(l.tb, l.q, len(l.calls))
}

// do adds a call of Do.
func (l *line) do(ctx context.Context, fn func(tx *gorm.DB) error) {
	l.tb.Helper()
	l.add(func() error { return l.q.Do(ctx, fn) })
}

// end frees the writer and returns how the calls ended.
func (l *line) end() []error {
	l.tb.Helper()
	l.free()
	errs := make([]error, len(l.calls))
	for i, call := range l.calls {
		errs[i] = await(l.tb, call)
	}
	return errs
}

// mustEnd frees the writer and fails unless the calls end as wanted; a nil
// stands for success.
func (l *line) mustEnd(want ...error) {
	l.tb.Helper()
	for i, err := range l.end() {
		if !errors.Is(err, want[i]) {
			l.tb.Errorf("call %d ended with %v, want %v", i, err, want[i])
		}
	}
}

// mustBeStored fails unless the rows of exactly these callers are stored, in
// this order.
func mustBeStored(tb testing.TB, db *gorm.DB, callers ...int) {
	tb.Helper()
	var got []int
	must(tb, db.Model(&row{}).Order("id").Pluck("caller", &got).Error)
	if fmt.Sprint(got) != fmt.Sprint(callers) {
		tb.Fatalf("rows of %v are stored, want of %v", got, callers)
	}
}

// tickDriver is a driver whose connections know the function tick: it returns
// its argument, and calls onTick when that is 1000. So a test can end a context
// in the middle of a statement, and no clock is needed for it.
const tickDriver = "sqlite3_writequeue_tick"

var onTick atomic.Pointer[func()]

func init() {
	sql.Register(tickDriver, &sqlite3.SQLiteDriver{
		ConnectHook: func(conn *sqlite3.SQLiteConn) error {
			return conn.RegisterFunc("tick", func(n int64) int64 {
				if fn := onTick.Load(); fn != nil && n == 1000 {
					(*fn)()
				}
				return n
			}, false)
		},
	})
}

// addsForever returns a call's function whose one statement ends with its
// context, and that context, which ends in the middle of the statement.
func addsForever(tb testing.TB, caller int) (context.Context, func(tx *gorm.DB) error) {
	tb.Helper()
	ctx, cancel := context.WithCancel(within(tb, hang))
	return ctx, func(tx *gorm.DB) error {
		stop := func() { cancel() }
		onTick.Store(&stop)
		defer onTick.Store(nil)
		return tx.Exec(`
			WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
			INSERT INTO rows (caller, n) SELECT ?, tick(n) FROM numbers`, caller).Error
	}
}
