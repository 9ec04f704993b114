package writequeue_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// What waits at the same time shares one transaction, and is acknowledged when
// another connection can see it.
func TestWaitingCallsShareATransaction(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	outside, err := db.DB() // connections that do not go through the writer
	must(t, err)
	const calls = 50
	l := newLine(t, q, db)
	for i := range calls {
		l.add(func() error {
			if err := q.Do(t.Context(), adds(i, 0)); err != nil {
				return err
			}
			var seen int
			if err := outside.QueryRow("SELECT count(*) FROM rows WHERE caller = ?", i).Scan(&seen); err != nil {
				return err
			}
			if seen != 1 {
				t.Errorf("call %d is acknowledged, and another connection sees it %d times", i, seen)
			}
			return nil
		})
	}
	l.mustEnd(make([]error, calls)...)
	mustCount(t, db, calls)
	if s := q.Stats(); s.Group.TotalCount() != 1 || s.Group.Max() != calls {
		t.Fatalf("%d transactions, the largest of %d calls; want one of %d", s.Group.TotalCount(), s.Group.Max(), calls)
	}
}

func TestMaxGroup(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxGroup: 4})
	l := newLine(t, q, db)
	for i := range 10 {
		l.do(t.Context(), adds(i, 0))
	}
	l.mustEnd(make([]error, 10)...)
	mustBeStored(t, db, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if s := q.Stats(); s.Group.Max() != 4 || s.Group.TotalCount() != 3 {
		t.Fatalf("%d transactions, the largest of %d calls; want 3, of 4 at the most", s.Group.TotalCount(), s.Group.Max())
	}
}

// What runs in a call comes into the group that is under way, too.
func TestCallsJoinARunningGroup(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	l := newLine(t, q, db)
	late := make(chan error, 1)
	l.do(t.Context(), adds(0, 0))
	l.do(t.Context(), func(tx *gorm.DB) error {
		go func() { late <- q.Do(context.Background(), adds(2, 0)) }()
		awaitWaiting(t, q, 1)
		return adds(1, 0)(tx)
	})
	l.mustEnd(nil, nil)
	must(t, await(t, late))
	mustBeStored(t, db, 0, 1, 2)
	if got := q.Stats().Group.Max(); got != 3 {
		t.Fatalf("the group has %d calls, want 3", got)
	}
}

func TestOrderOfArrival(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxGroup: 7})
	l := newLine(t, q, db)
	bulk := writequeue.NewBulk(q, insertRows)
	var want []int
	for i := range 60 {
		if i%5 < 3 {
			l.add(func() error { _, err := bulk.Do(t.Context(), row{Caller: i}); return err })
		} else {
			l.do(t.Context(), adds(i, 0))
		}
		want = append(want, i)
	}
	l.mustEnd(make([]error, 60)...)
	mustBeStored(t, db, want...)
}

// Who is alone pays for no savepoint.
func TestAlone(t *testing.T) {
	statements := &statements{Interface: logger.Discard}
	db := openAt(t, filepath.Join(t.TempDir(), "app.db"), hooks.Config{}, &gorm.Config{Logger: statements})
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()
	for n := range 3 {
		statements.clear()
		must(t, q.Do(t.Context(), adds(1, n)))
		if got := statements.list(); len(got) != 1 {
			t.Errorf("alone, a call runs %q, want its INSERT only", got)
		}
	}
	s := q.Stats()
	if s.Group.Max() != 1 || s.Group.TotalCount() != 3 {
		t.Errorf("%d transactions, the largest of %d calls; want 3 of one", s.Group.TotalCount(), s.Group.Max())
	}

	statements.clear()
	l := newLine(t, q, db)
	l.do(t.Context(), adds(2, 0))
	l.do(t.Context(), adds(3, 0))
	l.mustEnd(nil, nil)
	if got := statements.list(); len(got) != 6 {
		t.Errorf("two run %q, want a savepoint around each", got)
	}
}

// Who comes while a call is alone is in the next transaction: it has no
// savepoint that would keep others from its harm.
func TestAloneStaysAlone(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	var late <-chan error
	mustBe(t, q.Do(t.Context(), then(0, func(*gorm.DB) error {
		late = start(func() error { return q.Do(t.Context(), adds(1, 0)) })
		awaitWaiting(t, q, 1)
		return errNo
	})), errNo)
	must(t, await(t, late))
	mustBeStored(t, db, 1)
}

// statements is a logger that notes what GORM runs.
type statements struct {
	logger.Interface
	mu  sync.Mutex
	ran []string
}

func (s *statements) LogMode(logger.LogLevel) logger.Interface { return s }

func (s *statements) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	sql, _ := fc()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, sql)
}

func (s *statements) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ran)
}

func (s *statements) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = nil
}

func TestPrepareStmt(t *testing.T) {
	config := &gorm.Config{Logger: logger.Discard, PrepareStmt: true}
	db := openAt(t, filepath.Join(t.TempDir(), "app.db"), hooks.Config{}, config)
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()
	must(t, q.Do(t.Context(), adds(0, 0)))
	l := newLine(t, q, db)
	l.do(t.Context(), adds(1, 0))
	l.do(t.Context(), func(tx *gorm.DB) error { must(t, adds(2, 0)(tx)); return errNo })
	l.do(t.Context(), func(tx *gorm.DB) error { return q.Do(t.Context(), adds(3, 0)) })
	l.do(t.Context(), adds(4, 0))
	errs := l.end()
	must(t, errs[0])
	mustBe(t, errs[1], errNo)
	mustWaitForItself(t, errs[2])
	must(t, errs[3])
	mustBeStored(t, db, 0, 1, 4)
}

// With several lanes groups overlap; on SQLite the second waits for the first.
func TestLanes(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{Lanes: 3, MaxGroup: 3})
	const callers, each = 16, 40
	must(t, atOnce(callers, func(caller int) error {
		for n := range each {
			err := q.Do(t.Context(), func(tx *gorm.DB) error {
				if err := adds(caller, n)(tx); err != nil || n%5 != 0 {
					return err
				}
				return errNo
			})
			if (n%5 == 0) != (err != nil) {
				return err
			}
		}
		return nil
	}))
	mustCount(t, db, callers*each*4/5)
}

func TestStats(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	must(t, q.Do(t.Context(), adds(0, 0)))
	l := newLine(t, q, db)
	for i := range 9 {
		l.do(t.Context(), adds(i+1, 0))
	}
	if got := q.Stats().Waiting; got != 9 {
		t.Errorf("%d calls wait, want 9", got)
	}
	l.mustEnd(make([]error, 9)...)
	mustBe(t, q.Do(t.Context(), func(*gorm.DB) error { return errNo }), errNo)
	s := q.Stats()
	type figures struct{ waiting, depths, deepest, groups, largest, waits, commits int64 }
	got := figures{int64(s.Waiting), s.Depth.TotalCount(), s.Depth.Max(), s.Group.TotalCount(), s.Group.Max(), s.Wait.TotalCount(), s.Commit.TotalCount()}
	if want := (figures{0, 11, 9, 2, 9, 10, 2}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}
