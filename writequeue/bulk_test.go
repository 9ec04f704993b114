package writequeue_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// counted is a bulk that notes how many jobs each run got, and fails in ways
// that its jobs choose by their N.
type counted struct {
	*writequeue.Bulk[row, int64]
	mu   sync.Mutex
	runs []int
}

// What a job can ask for with its N. It is below zero, so that it can never be
// stored.
const (
	refuse = -1 - iota // an Err of its own
	violate
	explode
	exit
	kill
)

func newCounted(q *writequeue.Queue) *counted {
	c := &counted{}
	c.Bulk = writequeue.NewBulk(q, func(tx *gorm.DB, jobs []*writequeue.Job[row, int64]) error {
		c.mu.Lock()
		c.runs = append(c.runs, len(jobs))
		c.mu.Unlock()
		var good []*writequeue.Job[row, int64]
		for _, j := range jobs {
			switch j.In.N {
			case refuse:
				j.Err = errNo
				continue
			case explode:
				return panics(tx)
			case exit:
				return exits(tx)
			case kill:
				return tx.Exec("INSERT OR ROLLBACK INTO rows (caller, n) VALUES (-1, -1)").Error
			}
			good = append(good, j)
		}
		if len(good) == 0 {
			return nil
		}
		return insertRows(tx, good)
	})
	return c
}

func (c *counted) mustHaveRun(tb testing.TB, want ...int) {
	tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.runs, want) {
		tb.Errorf("the function ran with %v jobs, want %v", c.runs, want)
	}
	c.runs = nil
}

// job adds a call with a row of that caller.
func (l *line) job(b *counted, caller, n int) {
	l.tb.Helper()
	l.add(func() error {
		id, err := b.Do(context.Background(), row{Caller: caller, N: n})
		if (err == nil) != (id > 0) {
			return fmt.Errorf("got id %d and error %w", id, err)
		}
		return err
	})
}

// What waits at the same time is one statement, and each call has its answer.
func TestBulk(t *testing.T) {
	statements := &statements{Interface: logger.Discard}
	db := openAt(t, filepath.Join(t.TempDir(), "app.db"), hooks.Config{}, &gorm.Config{Logger: statements})
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()
	bulk := newCounted(q)
	var mu sync.Mutex
	ids := map[int64]int{} // to the caller
	l := newLine(t, q, db)
	statements.clear()
	const calls = 40
	for i := range calls {
		l.add(func() error {
			id, err := bulk.Do(t.Context(), row{Caller: i})
			mu.Lock()
			defer mu.Unlock()
			ids[id] = i
			return err
		})
	}
	l.mustEnd(make([]error, calls)...)
	bulk.mustHaveRun(t, calls)
	inserts := 0
	for _, s := range statements.list() {
		if strings.HasPrefix(s, "INSERT") {
			inserts++
		}
	}
	if inserts != 1 {
		t.Errorf("%d statements wrote, want 1", inserts)
	}
	var rows []row
	must(t, db.Find(&rows).Error)
	for _, r := range rows {
		if caller, ok := ids[r.ID]; !ok || caller != r.Caller {
			t.Errorf("row %d is of caller %d, and was given to %d", r.ID, r.Caller, caller)
		}
	}
	mustCount(t, db, calls)
}

// One job that fails takes nobody along. Those who ran together share a
// transaction again, but for one that died.
func TestPoisonedJob(t *testing.T) {
	for _, poison := range []struct {
		name    string
		n       int
		is      error
		runs    []int
		commits int64
	}{
		{"Err", refuse, errNo, []int{5}, 1},
		{"error", violate, nil, []int{5, 1, 1, 1, 1, 1}, 1},
		{"panic", explode, panicked{"poison"}, []int{5, 1, 1, 1, 1, 1}, 1},
		{"dead transaction", kill, nil, []int{5, 1, 1, 1, 1, 1}, 4},
	} {
		for _, at := range []int{0, 2, 4} {
			t.Run(fmt.Sprintf("%s/%d", poison.name, at), func(t *testing.T) {
				q, db := newQueue(t, writequeue.Config{})
				bulk := newCounted(q)
				l := newLine(t, q, db)
				var want []int
				for i := range 5 {
					if i == at {
						l.job(bulk, i, poison.n)
					} else {
						l.job(bulk, i, 0)
						want = append(want, i)
					}
				}
				for i, err := range l.end() {
					if (err != nil) != (i == at) || err != nil && poison.is != nil && !errors.Is(err, poison.is) {
						t.Errorf("job %d ended with %v", i, err)
					}
				}
				mustBeStored(t, db, want...)
				bulk.mustHaveRun(t, poison.runs...)
				if got := q.Stats().Group.TotalCount(); got != poison.commits {
					t.Errorf("it took %d commits, want %d", got, poison.commits)
				}
			})
		}
	}
}

// What was written before jobs that fail stays.
func TestPoisonedJobBehindOthers(t *testing.T) {
	for name, n := range map[string]int{"error": violate, "panic": explode, "dead transaction": kill} {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			bulk := newCounted(q)
			runs := 0
			l := newLine(t, q, db)
			l.do(t.Context(), func(tx *gorm.DB) error { runs++; return adds(0, 0)(tx) })
			l.job(bulk, 1, n)
			l.job(bulk, 2, 0)
			if errs := l.end(); errs[0] != nil || errs[1] == nil || errs[2] != nil {
				t.Errorf("they ended with %v", errs)
			}
			mustBeStored(t, db, 0, 2)
			if again := n == kill; (runs > 1) != again {
				t.Errorf("the call before them ran %d times", runs)
			}
		})
	}
}

func TestPoisonedJobAlone(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	bulk := newCounted(q)
	do := func(n int) error {
		return caught(func() error { _, err := bulk.Do(t.Context(), row{N: n}); return err })
	}
	mustBe(t, do(refuse), errNo)
	mustBe(t, do(explode), panicked{"poison"})
	mustBe(t, do(exit), errExited)
	must(t, do(0))
	mustCount(t, db, 1)
}

// A job whose function exits ends the goroutine it runs in; the others are
// answered.
func TestJobThatExits(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	bulk := newCounted(q)
	l := newLine(t, q, db)
	l.job(bulk, 0, exit)
	for i := range 3 {
		l.job(bulk, i+1, 0)
	}
	l.do(t.Context(), adds(4, 0))
	l.mustEnd(errExited, nil, nil, nil, nil)
	mustBeStored(t, db, 1, 2, 3, 4)
}

// Only neighbours of one kind run together: the order stays that of arrival.
func TestBulkAmongOthers(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	one, two := newCounted(q), newCounted(q)
	l := newLine(t, q, db)
	l.job(one, 0, 0)
	l.job(one, 1, 0)
	l.do(t.Context(), adds(2, 0))
	l.job(one, 3, 0)
	l.job(two, 4, 0)
	l.job(two, 5, 0)
	l.job(two, 6, 0)
	l.job(one, 7, 0)
	l.mustEnd(make([]error, 8)...)
	mustBeStored(t, db, 0, 1, 2, 3, 4, 5, 6, 7)
	one.mustHaveRun(t, 2, 1, 1)
	two.mustHaveRun(t, 3)
}

// A run that was undone leaves nothing in a job.
func TestJobIsNewInEachRun(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	bulk := writequeue.NewBulk(q, func(_ *gorm.DB, jobs []*writequeue.Job[int, int]) error {
		for _, j := range jobs {
			j.Out, j.Err = j.Out+1, errors.Join(j.Err, errNo)
		}
		if len(jobs) > 1 {
			return errNo
		}
		jobs[0].Err = nil
		return nil
	})
	l := newLine(t, q, db)
	for range 2 {
		l.add(func() error {
			out, err := bulk.Do(t.Context(), 0)
			if out != 1 {
				t.Errorf("got %d, want 1", out)
			}
			return err
		})
	}
	l.mustEnd(nil, nil)
}
