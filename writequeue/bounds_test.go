package writequeue_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/writequeue"
)

func TestOverloaded(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxWaiting: 3})
	l := newLine(t, q, db)
	for i := range 3 {
		l.do(t.Context(), adds(i, 0))
	}
	for range 10 {
		mustBe(t, q.Do(t.Context(), never(t)), writequeue.ErrOverloaded)
	}
	l.mustEnd(nil, nil, nil)
	must(t, q.Do(t.Context(), adds(3, 0))) // the places are free again
	mustBeStored(t, db, 0, 1, 2, 3)
}

// One key that floods takes its own places and nobody else's.
func TestOneKeyFloods(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxWaiting: 5, MaxPerKey: 2})
	flood, other := writequeue.WithKey(t.Context(), "flood"), writequeue.WithKey(t.Context(), 7)
	l := newLine(t, q, db)
	l.do(flood, adds(0, 0))
	l.do(flood, adds(1, 0))
	for range 10 {
		mustBe(t, q.Do(flood, never(t)), writequeue.ErrOverloaded)
	}
	l.do(other, adds(2, 0))
	l.do(t.Context(), adds(3, 0)) // no key, no bound of its own
	l.do(t.Context(), adds(4, 0))
	mustBe(t, q.Do(other, never(t)), writequeue.ErrOverloaded) // of all
	l.mustEnd(nil, nil, nil, nil, nil)
	must(t, q.Do(flood, adds(5, 0)))
	mustBeStored(t, db, 0, 1, 2, 3, 4, 5)
}

// By default a key has an eighth of the places.
func TestPlacesOfAKeyByDefault(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxWaiting: 16})
	flood := writequeue.WithKey(t.Context(), "flood")
	l := newLine(t, q, db)
	l.do(flood, adds(0, 0))
	l.do(flood, adds(1, 0))
	mustBe(t, q.Do(flood, never(t)), writequeue.ErrOverloaded)
	l.mustEnd(nil, nil)
	mustCount(t, db, 2)
}

// Who finds a place for his key, and none of all, keeps neither.
func TestPlaceOfTheKeyOnly(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxWaiting: 2, MaxPerKey: 2})
	key := writequeue.WithKey(t.Context(), "key")
	ctx, cancel := context.WithCancel(t.Context())
	l := newLine(t, q, db)
	l.do(key, adds(0, 0))
	l.do(ctx, never(t))
	mustBe(t, q.Do(key, never(t)), writequeue.ErrOverloaded)
	cancel()
	mustBe(t, await(t, l.calls[1]), context.Canceled)
	l.calls = l.calls[:1]
	l.do(key, adds(1, 0))
	l.mustEnd(nil, nil)
	mustBeStored(t, db, 0, 1)
}

// With Wait, who finds no place waits for one, under its context.
func TestWaitForAPlace(t *testing.T) {
	for name, cfg := range map[string]writequeue.Config{
		"of all":     {MaxWaiting: 2, MaxPerKey: 2, Wait: true},
		"of the key": {MaxWaiting: 9, MaxPerKey: 2, Wait: true},
	} {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, cfg)
			ctx := writequeue.WithKey(t.Context(), "key")
			l := newLine(t, q, db)
			l.do(ctx, adds(0, 0))
			l.do(ctx, adds(1, 0))
			short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			mustBe(t, q.Do(short, never(t)), context.DeadlineExceeded)
			waits := start(func() error { return q.Do(ctx, adds(2, 0)) })
			l.mustEnd(nil, nil)
			must(t, await(t, waits))
			mustBeStored(t, db, 0, 1, 2)
		})
	}
}

// Places are given back, however a call ends.
func TestPlacesAreGivenBack(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxWaiting: 1, MaxPerKey: 1})
	ctx := writequeue.WithKey(t.Context(), "key")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	mustBe(t, q.Do(ended, never(t)), context.Canceled)
	mustBe(t, q.Do(ctx, fails), errNo)
	for _, end := range ends {
		mustBe(t, caught(func() error { return q.Do(ctx, end.fn) }), end.want)
	}
	must(t, q.Do(ctx, adds(0, 0)))
	mustBeStored(t, db, 0)
}

func TestBadConfig(t *testing.T) {
	cfg := writequeue.Config{MaxWaiting: -1, MaxPerKey: -1, MaxGroup: -1, Lanes: -1}
	for _, field := range []string{"MaxWaiting", "MaxPerKey", "MaxGroup", "Lanes"} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("the error %v does not name %s", err, field)
		}
	}
	must(t, writequeue.Config{}.Validate())
	_, db := newQueue(t, writequeue.Config{})
	if catch(func() error { writequeue.New(db, cfg); return nil }) == nil {
		t.Error("New takes it")
	}
	must(t, db.Transaction(func(tx *gorm.DB) error {
		if catch(func() error { writequeue.New(tx, writequeue.Config{}); return nil }) == nil {
			t.Error("New takes a transaction")
		}
		return nil
	}))
}
