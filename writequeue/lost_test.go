package writequeue_test

import (
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// loses returns a call's function that loses against another transaction as
// often as it says, and how often it ran.
func loses(caller, times int) (fn func(tx *gorm.DB) error, runs *int) {
	runs = new(int)
	return then(caller, func(*gorm.DB) error {
		if *runs++; *runs <= times {
			return sqlite3.Error{Code: sqlite3.ErrBusy}
		}
		return nil
	}), runs
}

// A call whose transaction lost against another one is run again, alone or in
// a group, until it wins.
func TestLost(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	alone, runs := loses(0, 3)
	must(t, q.Do(t.Context(), alone))
	if *runs != 4 {
		t.Errorf("it ran %d times, want 4", *runs)
	}
	l := newLine(t, q, db)
	among, runs := loses(2, 3)
	l.do(t.Context(), adds(1, 0))
	l.do(t.Context(), among)
	l.do(t.Context(), adds(3, 0))
	l.mustEnd(nil, nil, nil)
	if *runs != 4 {
		t.Errorf("in a group it ran %d times, want 4", *runs)
	}
	mustBeStored(t, db, 0, 1, 2, 3)
}

func TestLostForGood(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	never, runs := loses(0, 1000)
	if err := q.Do(t.Context(), never); !hooks.Lost(err) || *runs != 10 {
		t.Errorf("it ran %d times and ended with %v, want 10 times and the last error", *runs, err)
	}
	must(t, q.Do(t.Context(), adds(1, 0)))
	mustBeStored(t, db, 1)
}
