package writequeue_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

func panics(*gorm.DB) error { panic("poison") }

func exits(*gorm.DB) error {
	runtime.Goexit()
	return nil
}

// ends are the ways in which a function does not return, and what comes out of
// its own goroutine.
var ends = map[string]struct {
	fn   func(*gorm.DB) error
	want error
}{
	"panic":  {panics, panicked{"poison"}},
	"Goexit": {exits, errExited},
}

// A function that does not return ends its own goroutine and no other call,
// alone, and wherever it stands in a group.
func TestCallThatDoesNotReturn(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			mustBe(t, caught(func() error { return q.Do(t.Context(), then(-1, end.fn)) }), end.want)
			must(t, q.Do(t.Context(), adds(0, 0)))
			l := newLine(t, q, db)
			l.do(t.Context(), then(-1, end.fn))
			l.do(t.Context(), adds(1, 0))
			l.do(t.Context(), then(-1, end.fn))
			l.do(t.Context(), then(-1, end.fn))
			l.do(t.Context(), adds(2, 0))
			l.do(t.Context(), then(-1, end.fn))
			l.mustEnd(end.want, nil, end.want, end.want, nil, end.want)
			must(t, q.Do(t.Context(), adds(3, 0)))
			mustBeStored(t, db, 0, 1, 2, 3)
		})
	}
}

// It ends its own goroutine too where the transaction died with it.
func TestPanicThatKillsTheTransaction(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			kills := then(-1, func(tx *gorm.DB) error { tx.Rollback(); return end.fn(tx) })
			l := newLine(t, q, db)
			l.do(t.Context(), adds(0, 0))
			l.do(t.Context(), kills)
			l.do(t.Context(), adds(1, 0))
			l.do(t.Context(), kills)
			l.mustEnd(nil, end.want, nil, end.want)
			must(t, q.Do(t.Context(), adds(2, 0)))
			mustBeStored(t, db, 0, 1, 2)
		})
	}
}

// Who has recovered from his panic may write again, while those who stood in
// line with him are still at it.
func TestWriteAfterAPanic(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	recovered := make(chan error, 1)
	l := newLine(t, q, db)
	l.do(t.Context(), adds(0, 0))
	l.add(func() error {
		_ = catch(func() error { return q.Do(t.Context(), panics) })
		recovered <- hooks.WaitsForItself(db)
		return q.Do(t.Context(), adds(2, 0))
	})
	l.do(t.Context(), func(tx *gorm.DB) error {
		must(t, await(t, recovered))
		return adds(1, 0)(tx)
	})
	l.mustEnd(nil, nil, nil)
	mustBeStored(t, db, 0, 1, 2)
}

// catch calls fn on the present goroutine.
func catch(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked{p}
		}
	}()
	return fn()
}

// What was asked for with hooks.AfterCommit runs once, and never for a call
// that failed.
func TestAfterCommit(t *testing.T) {
	for name, kill := range map[string]func(*gorm.DB) error{
		"shared":            fails,
		"panic":             panics,
		"again, one by one": func(tx *gorm.DB) error { return tx.Rollback().Error },
	} {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			var told [5]atomic.Int64
			l := newLine(t, q, db)
			for i := range told {
				tells := then(i, func(tx *gorm.DB) error { return hooks.AfterCommit(tx, func() { told[i].Add(1) }) })
				l.add(func() error {
					err := q.Do(t.Context(), func(tx *gorm.DB) error {
						if err := tells(tx); err != nil || i != 2 {
							return err
						}
						return kill(tx)
					})
					if got := told[i].Load(); err == nil && got != 1 {
						t.Errorf("call %d returns, and was told of %d times", i, got)
					}
					return err
				})
			}
			l.end()
			for i := range told {
				if got := told[i].Load(); (got == 1) != (i != 2) {
					t.Errorf("call %d was told of %d times", i, got)
				}
			}
			mustBeStored(t, db, 0, 1, 3, 4)
		})
	}
}

// Such a function may use the queue and the outer db.
func TestDoAfterCommit(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	asks := func(caller int) func(tx *gorm.DB) error {
		return then(caller, func(tx *gorm.DB) error {
			return hooks.AfterCommit(tx, func() {
				must(t, q.Do(context.Background(), adds(caller+10, 0)))
				must(t, adds(caller+20, 0)(db))
			})
		})
	}
	must(t, await(t, start(func() error { return q.Do(t.Context(), asks(0)) })))
	l := newLine(t, q, db)
	l.do(t.Context(), asks(1))
	l.do(t.Context(), asks(2))
	l.mustEnd(nil, nil)
	mustCount(t, db, 9)
}

// And where it does not return, all calls are answered still, for they are
// stored.
func TestAfterCommitThatDoesNotReturn(t *testing.T) {
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			asks := func(tx *gorm.DB) error { return hooks.AfterCommit(tx, func() { _ = end.fn(nil) }) }
			mustBe(t, caught(func() error { return q.Do(t.Context(), then(0, asks)) }), end.want)
			told := false
			l := newLine(t, q, db)
			l.do(t.Context(), then(1, asks))
			l.do(t.Context(), then(2, func(tx *gorm.DB) error { return hooks.AfterCommit(tx, func() { told = true }) }))
			l.do(t.Context(), adds(3, 0)) // the last commits
			l.mustEnd(nil, nil, end.want)
			if !told {
				t.Error("who stood behind it was not told")
			}
			must(t, q.Do(t.Context(), adds(4, 0)))
			mustBeStored(t, db, 0, 1, 2, 3, 4)
		})
	}
}
