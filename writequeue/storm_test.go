package writequeue_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// Thousands of good calls, and among them what is late, panics, exits, kills
// the transaction or breaks a constraint: in the end exactly what was
// acknowledged is stored, once.
func TestStorm(t *testing.T) {
	for name, cfg := range map[string]writequeue.Config{
		"one lane":         {},
		"small groups":     {MaxGroup: 8},
		"two lanes, bound": {Lanes: 2, MaxWaiting: 40, Wait: true},
	} {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, cfg)
			s := &storm{tb: t, q: q, db: db, bulk: newCounted(q), stored: map[row]bool{}}
			const callers, each = 64, 80
			must(t, atOnce(callers, func(caller int) error {
				for n := range each {
					s.call(row{Caller: caller, N: n})
				}
				return nil
			}))
			s.mustBeExact()
		})
	}
}

type storm struct {
	tb   testing.TB
	q    *writequeue.Queue
	db   *gorm.DB
	bulk *counted

	mu     sync.Mutex
	stored map[row]bool // what was acknowledged
	told   map[row]int  // of what the world was told
}

// call makes one call, a good one in four of five, and fails unless it ends as
// its kind does.
func (s *storm) call(r row) {
	kinds := []func(r row) (stored bool, err error, want error){
		s.failing, s.panicking, s.exiting, s.ended, s.endsWaiting, s.jobEndsWaiting, s.endsInside, s.endsBehind,
		s.violating, s.poisoned, s.rollsBack,
	}
	kind := s.good
	switch n := rand.IntN(5 * len(kinds)); {
	case n < len(kinds):
		kind = kinds[n]
	case n%2 == 0:
		kind = s.job
	}
	stored, err, want := kind(r)
	if !errors.Is(err, want) {
		s.tb.Errorf("%+v ended with %v, want %v", r, err, want)
	}
	if stored {
		s.mu.Lock()
		s.stored[r] = true
		s.mu.Unlock()
	}
}

// do calls Do with a function that writes r, tells of it and does more.
func (s *storm) do(ctx context.Context, r row, more func(tx *gorm.DB) error) error {
	return caught(func() error {
		return s.q.Do(writequeue.WithKey(ctx, r.Caller), func(tx *gorm.DB) error {
			if err := tx.Create(&row{Caller: r.Caller, N: r.N}).Error; err != nil {
				return err
			}
			if err := hooks.AfterCommit(tx, func() { s.tell(r) }); err != nil {
				return err
			}
			return more(tx)
		})
	})
}

func (s *storm) tell(r row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = map[row]int{}
	}
	s.told[r]++
}

func nothing(*gorm.DB) error { return nil }

func (s *storm) good(r row) (bool, error, error) {
	err := s.do(context.Background(), r, nothing)
	return err == nil, err, nil
}

func (s *storm) job(r row) (bool, error, error) {
	_, err := s.bulk.Do(context.Background(), r)
	s.tell(r)
	return err == nil, err, nil
}

func (s *storm) failing(r row) (bool, error, error) {
	return false, s.do(context.Background(), r, fails), errNo
}

func (s *storm) panicking(r row) (bool, error, error) {
	return false, s.do(context.Background(), r, panics), panicked{"poison"}
}

func (s *storm) exiting(r row) (bool, error, error) {
	return false, s.do(context.Background(), r, exits), errExited
}

func (s *storm) ended(r row) (bool, error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return false, s.do(ctx, r, nothing), context.Canceled
}

// endsWaiting may end before, in or behind its function: it tells the truth.
func (s *storm) endsWaiting(r row) (bool, error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	err := s.do(ctx, r, nothing)
	if err == nil {
		return true, nil, nil
	}
	var interrupted sqlite3.Error
	if errors.As(err, &interrupted) && interrupted.Code == sqlite3.ErrInterrupt {
		return false, nil, nil
	}
	return false, err, context.Canceled
}

// jobEndsWaiting does too.
func (s *storm) jobEndsWaiting(r row) (bool, error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	_, err := s.bulk.Do(ctx, r)
	if err == nil {
		s.tell(r)
		return true, nil, nil
	}
	return false, err, context.Canceled
}

func (s *storm) endsInside(r row) (bool, error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	err := s.do(ctx, r, func(tx *gorm.DB) error {
		cancel()
		return tx.Exec("INSERT INTO rows (caller, n) VALUES (-1, 0)").Error
	})
	return false, err, context.Canceled
}

func (s *storm) endsBehind(r row) (bool, error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	ran := false
	err := s.do(ctx, r, func(*gorm.DB) error { ran = true; cancel(); return nil })
	if ran && errors.Is(err, context.Canceled) {
		return false, nil, nil // its transaction died by another one, and its time was over
	}
	return err == nil, err, nil
}

func (s *storm) violating(r row) (bool, error, error) {
	err := s.do(context.Background(), r, func(tx *gorm.DB) error { return adds(r.Caller, -1)(tx) })
	var se sqlite3.Error
	if errors.As(err, &se) && se.ExtendedCode == sqlite3.ErrConstraintCheck {
		return false, nil, nil
	}
	return false, err, sqlite3.ErrConstraintCheck
}

func (s *storm) poisoned(r row) (bool, error, error) {
	n := []int{refuse, explode}[rand.IntN(2)]
	err := caught(func() error { _, err := s.bulk.Do(context.Background(), row{Caller: r.Caller, N: n}); return err })
	return false, err, map[int]error{refuse: errNo, explode: panicked{"poison"}}[n]
}

func (s *storm) rollsBack(r row) (bool, error, error) {
	err := s.do(context.Background(), r, func(tx *gorm.DB) error {
		return errors.Join(tx.Exec("INSERT OR ROLLBACK INTO rows (caller, n) VALUES (-1, -1)").Error, errNo)
	})
	return false, err, errNo
}

func (s *storm) mustBeExact() {
	s.tb.Helper()
	var rows []row
	must(s.tb, s.db.Find(&rows).Error)
	for _, r := range rows {
		r.ID = 0
		if !s.stored[r] {
			s.tb.Errorf("%+v is stored, and was not acknowledged", r)
		}
		if s.told[r] != 1 {
			s.tb.Errorf("the world was told %d times of %+v", s.told[r], r)
		}
	}
	if len(rows) != len(s.stored) || len(rows) != len(s.told) {
		s.tb.Errorf("%d rows are stored, %d acknowledged, %d told of", len(rows), len(s.stored), len(s.told))
	}
	if len(rows) < 3000 {
		s.tb.Errorf("%d rows only", len(rows))
	}
}
