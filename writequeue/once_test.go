package writequeue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/writequeue"
)

// once is a counted whose jobs are first tried at once, which its jobs can make
// fail in the same ways, and with fall apart.
type once struct {
	*counted
	mu    sync.Mutex
	tries []int
}

// fall has a connection break, as far as anybody knows; apart is not tried.
const (
	fall  = kill - 1
	apart = 1
)

var errFallen = errors.New("the connection fell")

func newOnce(q *writequeue.Queue) *once {
	o := &once{counted: newCounted(q)}
	o.AtOnce(func(r row) bool { return r.N != apart }, func(db *gorm.DB, jobs []*writequeue.Job[row, int64]) (bool, error) {
		o.mu.Lock()
		o.tries = append(o.tries, len(jobs))
		o.mu.Unlock()
		if db.Statement.Context.Done() != nil {
			return false, errors.New("it ends with a call")
		}
		var good []*writequeue.Job[row, int64]
		for _, j := range jobs {
			switch j.In.N {
			case refuse:
				j.Err = errNo
				continue
			case explode:
				return false, panics(db)
			case exit:
				return false, exits(db)
			case fall:
				return false, errFallen
			}
			good = append(good, j)
		}
		return len(good) == 0 || insertRows(db, good) == nil, nil
	})
	return o
}

// mustHaveTried fails unless that many jobs were tried at a time, and the
// function ran with those.
func (o *once) mustHaveTried(tb testing.TB, tries, runs []int) {
	tb.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Equal(o.tries, tries) {
		tb.Errorf("it was tried with %v jobs, want %v", o.tries, tries)
	}
	o.mustHaveRun(tb, runs...)
}

// What can be written at once is; what cannot, for one job, runs as if it had
// not been tried, and takes nobody along.
func TestAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		n       int
		is      error // of the job
		all     error // of the others
		runs    []int
		commits int64
	}{
		"good":      {0, nil, nil, nil, 1},
		"Err":       {refuse, errNo, nil, nil, 1},
		"violation": {violate, errAny, nil, []int{5, 1, 1, 1, 1, 1}, 4},
		"panic":     {explode, panicked{"poison"}, nil, []int{5, 1, 1, 1, 1, 1}, 4},
		"broken":    {fall, errFallen, errFallen, nil, 0},
	} {
		for _, at := range []int{0, 2, 4} {
			t.Run(name, func(t *testing.T) {
				db := openPlain(t)
				q := writequeue.New(db, writequeue.Config{Lanes: 2})
				o, l := newOnce(q), newLine(t, q, db)
				var stored []int
				for i := range 5 {
					n := 0
					if i == at {
						n = test.n
					}
					l.job(o.counted, i, n)
					if test.all == nil && (i != at || test.is == nil) {
						stored = append(stored, i)
					}
				}
				for i, err := range l.end() {
					want := test.all
					if i == at {
						want = test.is
					}
					if ok := errors.Is(err, want) || errors.Is(want, errAny) && err != nil; !ok {
						t.Errorf("job %d ended with %v, want %v", i, err, want)
					}
				}
				must(t, q.Close())
				mustBeStored(t, db, stored...)
				o.mustHaveTried(t, []int{5}, test.runs)
				if got := q.Stats().Group.TotalCount(); got != test.commits {
					t.Errorf("it took %d commits, want %d", got, test.commits)
				}
			})
		}
	}
}

// errAny stands for an error of the database's.
var errAny = errors.New("any error")

// Who exits leaves the others what they came for.
func TestAtOnce_Exit(t *testing.T) {
	db := openPlain(t)
	q := writequeue.New(db, writequeue.Config{Lanes: 2})
	o, l := newOnce(q), newLine(t, q, db)
	l.job(o.counted, 0, exit)
	l.job(o.counted, 1, 0)
	l.job(o.counted, 2, 0)
	l.mustEnd(errExited, nil, nil)
	must(t, q.Close())
	mustBeStored(t, db, 1, 2)
	o.mustHaveTried(t, []int{3}, []int{2})
}

// One lane, other calls and those that were tried share nothing with what is
// written at once.
func TestAtOnce_WhatShares(t *testing.T) {
	db := openPlain(t)
	single := writequeue.New(db, writequeue.Config{})
	one, l := newOnce(single), newLine(t, single, db)
	l.job(one.counted, 0, 0)
	l.job(one.counted, 1, 0)
	l.mustEnd(nil, nil)
	must(t, single.Close())
	one.mustHaveTried(t, nil, []int{2})

	q := writequeue.New(db, writequeue.Config{Lanes: 2})
	o, l := newOnce(q), newLine(t, q, db)
	l.job(o.counted, 2, 0)
	l.do(t.Context(), adds(3, 0))
	l.job(o.counted, 4, apart)
	l.job(o.counted, 5, 0)
	l.job(o.counted, 6, apart)
	l.mustEnd(nil, nil, nil, nil, nil)
	must(t, q.Close())
	o.mustHaveTried(t, []int{2}, []int{2})
	mustBeStored(t, db, 0, 1, 2, 5, 3, 4, 6)
}

// Contexts end as with a transaction: while a call waits for a connection, it
// returns. What is being written goes on.
func TestAtOnce_Contexts(t *testing.T) {
	db := openPlain(t)
	q := writequeue.New(db, writequeue.Config{Lanes: 2})
	o, l := newOnce(q), newLine(t, q, db)
	inside, goOn := make(chan struct{}), make(chan struct{})
	l.do(t.Context(), func(tx *gorm.DB) error { // has the one connection
		close(inside)
		<-goOn
		return adds(0, 0)(tx)
	})
	cause := errors.New("had enough")
	ctx, end := context.WithCancelCause(t.Context())
	l.add(func() error {
		_, err := o.Do(ctx, row{Caller: 1})
		return err
	})
	l.job(o.counted, 2, 0)
	l.free()
	<-inside
	end(cause)
	mustBe(t, await(t, l.calls[1]), cause)
	close(goOn)
	must(t, await(t, l.calls[0]))
	must(t, await(t, l.calls[2]))
	must(t, q.Close())
	mustBeStored(t, db, 0, 2)
	o.mustHaveTried(t, []int{1}, nil)
}

// A call that is alone and whose context can end has a transaction, which can
// be rolled back.
func TestAtOnce_Alone(t *testing.T) {
	db := openPlain(t)
	q := writequeue.New(db, writequeue.Config{Lanes: 2})
	o := newOnce(q)
	_, err := o.Do(t.Context(), row{Caller: 0})
	must(t, err)
	o.mustHaveTried(t, nil, []int{1})
	_, err = o.Do(context.Background(), row{Caller: 1})
	must(t, err)
	must(t, q.Close())
	o.mustHaveTried(t, []int{1}, nil)
	mustBeStored(t, db, 0, 1)
}

// Many at once, among them some that fail in each way: in the end exactly what
// was acknowledged is stored.
func TestAtOnce_Storm(t *testing.T) {
	db := openPlain(t)
	q := writequeue.New(db, writequeue.Config{Lanes: 2})
	o := newOnce(q)
	const callers, each = 32, 40
	must(t, atOnce(callers, func(caller int) error {
		for n := range each {
			what := n
			if n%8 == 7 {
				what = []int{refuse, violate, explode, fall}[(caller+n/8)%4]
			}
			err := caught(func() error {
				_, err := o.Do(t.Context(), row{Caller: caller, N: what})
				return err
			})
			if (err == nil) != (what == n) && !errors.Is(err, errFallen) {
				return err
			}
			if errors.Is(err, errFallen) && what == n { // with somebody else's: it is not stored
				if err := q.Do(t.Context(), adds(caller, n)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	must(t, q.Close())
	mustCount(t, db, callers*each*7/8)
	if len(o.tries) == 0 || o.runs == nil {
		t.Errorf("%d tries, %d runs", len(o.tries), len(o.runs))
	}
}
