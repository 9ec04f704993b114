package writequeue_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

func never(t *testing.T) func(*gorm.DB) error {
	return func(*gorm.DB) error {
		t.Error("it ran")
		return nil
	}
}

// A call whose context ends while it waits leaves at once: the one that waits
// for the writer, and the one behind it.
func TestContextEndsWhileWaiting(t *testing.T) {
	for name, leaver := range map[string]int{"first": 0, "second": 1, "last": 3} {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			ctx, cancel := context.WithCancel(t.Context())
			l := newLine(t, q, db)
			want := make([]error, 4)
			for i := range want {
				if i == leaver {
					l.do(ctx, never(t))
				} else {
					l.do(t.Context(), adds(i, 0))
				}
			}
			cancel()
			left := await(t, l.calls[leaver]) // the writer is held still
			mustBe(t, left, context.Canceled)
			awaitWaiting(t, q, 3)
			l.calls[leaver] = start(func() error { return left })
			want[leaver] = context.Canceled
			l.mustEnd(want...)
			mustCount(t, db, 3)
		})
	}
}

func TestContextThatHasEnded(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	cause := errors.New("the client has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	bulk := writequeue.NewBulk(q, insertRows)
	for range 50 { // whether it hears first of its turn or of the end is chance
		mustBe(t, q.Do(ctx, never(t)), cause)
		_, err := bulk.Do(ctx, row{})
		mustBe(t, err, cause)
	}
	must(t, await(t, start(func() error { return q.Do(t.Context(), adds(0, 0)) })))
	mustBeStored(t, db, 0)
}

// A context that ends in a group, before its own turn.
func TestContextEndsBeforeItsTurn(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	bulk := writequeue.NewBulk(q, insertRows)
	l := newLine(t, q, db)
	l.do(t.Context(), func(tx *gorm.DB) error { cancel(); return adds(0, 0)(tx) })
	l.do(ctx, never(t))
	l.add(func() error { _, err := bulk.Do(t.Context(), row{Caller: 1}); return err })
	l.add(func() error { _, err := bulk.Do(ctx, row{Caller: 2}); return err })
	l.add(func() error { _, err := bulk.Do(t.Context(), row{Caller: 3}); return err })
	l.mustEnd(nil, context.Canceled, nil, context.Canceled, nil)
	mustBeStored(t, db, 0, 1, 3)
}

// And it does not wait for the end of those before it.
func TestContextEndsWhileOthersOfItsGroupRun(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	bulk := writequeue.NewBulk(q, insertRows)
	do := map[string]func(ctx context.Context, caller int) error{
		"Do": func(ctx context.Context, caller int) error { return q.Do(ctx, adds(caller, 0)) },
		"Bulk": func(ctx context.Context, caller int) error {
			_, err := bulk.Do(ctx, row{Caller: caller})
			return err
		},
	}
	want, n := []int{}, 0
	for name, call := range do {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			left := make(chan error, 2)
			leaves := func(caller int) func() error {
				return func() error {
					err := call(ctx, caller)
					left <- err
					return err
				}
			}
			l := newLine(t, q, db)
			l.do(t.Context(), func(tx *gorm.DB) error {
				cancel()
				mustBe(t, await(t, left), context.Canceled) // it has returned while this one is at it
				mustBe(t, await(t, left), context.Canceled)
				return adds(n, 0)(tx)
			})
			l.add(leaves(-1))
			l.add(func() error { return call(t.Context(), n+1) })
			l.add(leaves(-2))
			l.add(func() error { return call(t.Context(), n+2) })
			l.mustEnd(nil, context.Canceled, nil, context.Canceled, nil)
			want, n = append(want, n, n+1, n+2), n+3
			mustBeStored(t, db, want...)
		})
	}
}

// SQLite rolls everything back when a statement that writes is interrupted:
// the others run again.
func TestContextEndsInAStatement(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	ctx, forever := addsForever(t, -1)
	mustBe(t, q.Do(ctx, forever), context.Canceled)
	must(t, q.Do(t.Context(), adds(0, 0)))
	for _, at := range []int{1, 3, 5} { // first, in the middle, last
		l := newLine(t, q, db)
		ctx, forever := addsForever(t, -1)
		want := make([]error, 5)
		for i := range want {
			if i+1 == at {
				l.do(ctx, forever)
				want[i] = context.Canceled
			} else {
				l.do(t.Context(), adds(i, at))
			}
		}
		l.mustEnd(want...)
	}
	mustCount(t, db, 1+3*4)
}

// Once a function has returned, what its context does changes nothing: the
// answer is what the commit says.
func TestContextEndsBeforeTheCommit(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	ends := func(caller int) (context.Context, func(tx *gorm.DB) error) {
		ctx, cancel := context.WithCancel(t.Context())
		return ctx, then(caller, func(*gorm.DB) error { cancel(); return nil })
	}
	must(t, q.Do(ends(0)))
	l := newLine(t, q, db)
	l.do(ends(1)) // it began the transaction
	l.do(t.Context(), adds(2, 0))
	l.mustEnd(nil, nil)
	l = newLine(t, q, db)
	l.do(t.Context(), adds(3, 0))
	l.do(ends(4)) // it commits
	l.mustEnd(nil, nil)
	mustBeStored(t, db, 0, 1, 2, 3, 4)
}

// While a group is run again one by one, who waits for it may still leave.
func TestContextEndsBeforeItRunsAgain(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	early, cancelEarly := context.WithCancel(t.Context())
	late, cancelLate := context.WithCancel(t.Context())
	left := make(chan error, 2)
	runs := 0
	l := newLine(t, q, db)
	l.do(t.Context(), func(tx *gorm.DB) error {
		if runs++; runs == 2 {
			cancelLate()
			must(t, errors.Join(await(t, left), await(t, left)))
		}
		return adds(0, 0)(tx)
	})
	for i, ctx := range []context.Context{early, late} {
		l.add(func() error {
			err := q.Do(ctx, adds(i+1, 0))
			left <- nil
			return err
		})
	}
	l.do(t.Context(), func(tx *gorm.DB) error { cancelEarly(); return tx.Rollback().Error })
	l.do(t.Context(), adds(4, 0))
	errs := l.end()
	must(t, errs[0])
	mustBe(t, errs[1], context.Canceled)
	mustBe(t, errs[2], context.Canceled)
	must(t, errs[4])
	mustBeStored(t, db, 0, 4)
}

// lockElsewhere takes the write lock of the file on a connection that knows
// nothing of GORM or the plugin, and returns what gives it free.
func lockElsewhere(tb testing.TB, path string) (release func()) {
	tb.Helper()
	elsewhere, err := sql.Open("sqlite3", path+"?_txlock=immediate&_busy_timeout=10000")
	must(tb, err)
	tb.Cleanup(func() { must(tb, elsewhere.Close()) })
	tx, err := elsewhere.Begin()
	must(tb, err)
	release = sync.OnceFunc(func() { must(tb, tx.Rollback()) })
	tb.Cleanup(release)
	return release
}

// While others hold the writer, calls without a deadline give up together, and
// those with one wait until then.
func TestBusy(t *testing.T) {
	const timeout = 300 * time.Millisecond
	for holder, held := range map[string]func(tb testing.TB, db *gorm.DB, path string) (release func()){
		"another process":         func(tb testing.TB, _ *gorm.DB, path string) func() { return lockElsewhere(tb, path) },
		"another of this process": func(tb testing.TB, db *gorm.DB, _ string) func() { return hold(tb, db) },
	} {
		for _, patient := range []int{0, 3} {
			name := map[int]string{0: ", a patient one first", 3: ", an impatient one first"}[patient]
			t.Run(holder+name, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "app.db")
				db := openAt(t, path, hooks.Config{BusyTimeout: timeout}, &gorm.Config{Logger: logger.Discard})
				q := writequeue.New(db, writequeue.Config{})
				defer q.Close()
				l := &line{tb: t, q: q, free: held(t, db, path)}
				began := time.Now()
				for i := range 6 {
					ctx := t.Context()
					if i == patient || i == 5 {
						ctx = within(t, hang)
					}
					l.do(ctx, adds(i, 0))
				}
				for i, call := range l.calls {
					if i == patient || i == 5 {
						continue
					}
					var busy *hooks.BusyError
					if err := await(t, call); !errors.As(err, &busy) {
						t.Errorf("call %d ended with %v, want a *hooks.BusyError", i, err)
					}
				}
				if took := time.Since(began); took < timeout || took > 3*timeout { // one after the other they would take four
					t.Errorf("they gave up after %v, want all after %v", took, timeout)
				}
				awaitWaiting(t, q, 2)
				l.free()
				must(t, await(t, l.calls[patient]))
				must(t, await(t, l.calls[5]))
				mustBeStored(t, db, patient, 5)
			})
		}
	}
}

// And who has set a deadline leaves when it comes.
func TestBusyUntilTheDeadline(t *testing.T) {
	db := open(t, hooks.Config{BusyTimeout: 20 * time.Millisecond})
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()
	l := newLine(t, q, db)
	began := time.Now()
	const deadline = 150 * time.Millisecond
	l.do(within(t, deadline), never(t))
	l.do(within(t, deadline), never(t))
	for _, call := range l.calls {
		err := await(t, call)
		mustBe(t, err, context.DeadlineExceeded)
		if errors.Is(err, context.Canceled) { // a service would take it for a client that has gone
			t.Errorf("%q is of a context that was canceled, too", err)
		}
	}
	if took := time.Since(began); took < deadline || took > deadline+hang/10 {
		t.Errorf("they left after %v, want %v", took, deadline)
	}
	l.free()
	mustCount(t, db, 0)
}
