package storage_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/writequeue"
)

// every sets how often last-active times are written; a negative one writes
// them at FlushPresence and Close only.
func every(interval time.Duration) func(*setup) {
	return func(s *setup) { s.store.PresenceInterval = interval }
}

// mustBeActive fails unless the user was last active at that time, as stored.
func mustBeActive(tb testing.TB, f *fixture, userID int64, want time.Time) {
	tb.Helper()
	equal(tb, MustGet(tb, f.Store, userID).LastActiveAt, want)
}

func TestUsers_Touch(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t, every(-1))
		ada, bob, eve := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob"), MustUser(t, f.Store, "eve")
		MustNotChange(t, f, func() {
			for i, id := range []int64{ada.ID, bob.ID, ada.ID} {
				f.clock.Set(noon.Add(time.Duration(i+1) * time.Second))
				must(t, f.Users.Touch(ctx, id))
			}
		})
		must(t, f.Users.FlushPresence(ctx))
		ada.LastActiveAt, bob.LastActiveAt = noon.Add(3*time.Second), noon.Add(2*time.Second)
		users, err := f.Users.List(ctx, 0, 0)
		must(t, err)
		equal(t, users, []models.User{ada, bob, eve})
		// What is written is forgotten.
		MustExec(t, f.db, "UPDATE users SET last_active_at = 0")
		MustNotChange(t, f, func() { must(t, f.Users.FlushPresence(ctx)) })
	})
	t.Run("OK/ManyBatches", func(t *testing.T) {
		f := MustOpen(t, every(-1))
		users := MustUsers(t, f, 1203)
		f.clock.Set(noon.Add(time.Second))
		for _, user := range users[1:] {
			must(t, f.Users.Touch(ctx, user.ID))
		}
		must(t, f.Users.FlushPresence(ctx))
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM users WHERE last_active_at = ?", noon.Add(time.Second).UnixMilli()), 1202)
		mustBeActive(t, f, users[0].ID, noon)
	})
	t.Run("OK/NeverBackwards", func(t *testing.T) {
		f := MustOpen(t, every(-1))
		ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		// Neither in memory …
		f.clock.Set(noon.Add(2 * time.Second))
		must(t, f.Users.Touch(ctx, ada.ID))
		must(t, f.Users.Touch(ctx, bob.ID))
		f.clock.Set(noon.Add(time.Second))
		must(t, f.Users.Touch(ctx, ada.ID))
		// … nor where another process has written a later one.
		MustExec(t, f.db, "UPDATE users SET last_active_at = ? WHERE id = ?", noon.Add(time.Minute).UnixMilli(), bob.ID)
		must(t, f.Users.FlushPresence(ctx))
		mustBeActive(t, f, ada.ID, noon.Add(2*time.Second))
		mustBeActive(t, f, bob.ID, noon.Add(time.Minute))
	})
	t.Run("OK/Nobody", func(t *testing.T) {
		f := MustOpen(t, every(-1))
		ada, gone := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "gone")
		f.clock.Set(noon.Add(time.Second))
		for _, id := range []int64{gone.ID, 99, ada.ID, -1} {
			must(t, f.Users.Touch(ctx, id))
		}
		_, err := f.Users.Erase(ctx, gone.ID)
		must(t, err)
		must(t, f.Users.FlushPresence(ctx))
		mustBeActive(t, f, ada.ID, noon.Add(time.Second))
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM users"), 1)
	})
	t.Run("OK/InTransaction", func(t *testing.T) {
		f := MustOpen(t, every(-1))
		ada := MustUser(t, f.Store, "ada")
		f.clock.Set(noon.Add(time.Second))
		lost := errors.New("lost")
		mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
			inside := f.In(tx)
			must(t, inside.Users.Touch(ctx, ada.ID))
			must(t, inside.Users.FlushPresence(ctx))
			equal(t, MustGet(t, inside, ada.ID).LastActiveAt, noon.Add(time.Second))
			return lost
		}), lost)
		mustBeActive(t, f, ada.ID, noon)
		must(t, f.Users.FlushPresence(ctx))
		mustBeActive(t, f, ada.ID, noon.Add(time.Second))
	})
}

// What cannot be written is kept for the next time.
func TestUsers_FlushPresence_Fails(t *testing.T) {
	f := MustOpen(t, every(-1))
	ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	f.clock.Set(noon.Add(time.Second))
	must(t, f.Users.Touch(ctx, ada.ID))
	must(t, f.Users.Touch(ctx, bob.ID))
	broken := errors.New("the disk is full")
	must(t, f.db.Callback().Create().Before("gorm:create").Register("test:fail", func(tx *gorm.DB) { _ = tx.AddError(broken) }))
	MustNotChange(t, f, func() { mustBe(t, f.Users.FlushPresence(ctx), broken) })
	must(t, f.db.Callback().Create().Remove("test:fail"))
	f.clock.Set(noon.Add(2 * time.Second))
	must(t, f.Users.Touch(ctx, bob.ID))
	must(t, f.Users.FlushPresence(ctx))
	mustBeActive(t, f, ada.ID, noon.Add(time.Second))
	mustBeActive(t, f, bob.ID, noon.Add(2*time.Second))
}

// A touch that comes while the one before is being written is kept.
func TestUsers_Touch_WhileWriting(t *testing.T) {
	f := MustOpen(t, every(-1))
	ada := MustUser(t, f.Store, "ada")
	f.clock.Set(noon.Add(time.Second))
	must(t, f.Users.Touch(ctx, ada.ID))
	must(t, f.db.Callback().Create().Before("gorm:create").Register("test:touch", func(*gorm.DB) {
		f.clock.Set(noon.Add(2 * time.Second))
		must(t, f.Users.Touch(ctx, ada.ID))
	}))
	must(t, f.Users.FlushPresence(ctx))
	must(t, f.db.Callback().Create().Remove("test:touch"))
	mustBeActive(t, f, ada.ID, noon.Add(time.Second))
	must(t, f.Users.FlushPresence(ctx))
	mustBeActive(t, f, ada.ID, noon.Add(2*time.Second))
}

// mostTouched is how many users' times are kept in memory.
const mostTouched = 1 << 16

// Memory is bounded, whether there are such users or not.
func TestUsers_Touch_Bounded(t *testing.T) {
	f := MustOpen(t, every(-1))
	ada := MustUser(t, f.Store, "ada")
	for i := range int64(mostTouched) {
		must(t, f.Users.Touch(ctx, ada.ID+i))
	}
	mustBe(t, f.Users.Touch(ctx, ada.ID+mostTouched), writequeue.ErrOverloaded)
	f.clock.Set(noon.Add(time.Second))
	must(t, f.Users.Touch(ctx, ada.ID))
	must(t, f.Users.FlushPresence(ctx))
	must(t, f.Users.Touch(ctx, ada.ID+mostTouched))
	mustBeActive(t, f, ada.ID, noon.Add(time.Second))
}

// presenceRuns reports whether the goroutine is there that writes.
func presenceRuns(tb testing.TB) bool {
	tb.Helper()
	var stacks bytes.Buffer
	must(tb, pprof.Lookup("goroutine").WriteTo(&stacks, 1))
	return strings.Contains(stacks.String(), "(*presence).run")
}

// mustEndPresence fails unless that goroutine is not there, or on its way out.
func mustEndPresence(tb testing.TB) {
	tb.Helper()
	for began := time.Now(); presenceRuns(tb); runtime.Gosched() {
		if time.Since(began) > time.Minute {
			tb.Fatal("the goroutine that writes last-active times does not end")
		}
	}
}

// awaitPresence lets do touch users and waits until times are written behind
// its back.
func awaitPresence(t *testing.T, f *fixture, do func()) {
	t.Helper()
	writes := make(chan struct{}, 1)
	must(t, f.db.Callback().Create().After("gorm:create").Register("test:await", func(*gorm.DB) {
		select {
		case writes <- struct{}{}:
		default:
		}
	}))
	do()
	select {
	case <-writes:
	case <-time.After(time.Minute):
		t.Fatal("nothing is written")
	}
}

// Times are written by themselves, by a goroutine that begins with the first
// touch and ends with Close.
func TestUsers_Touch_Behind(t *testing.T) {
	t.Run("EachInterval", func(t *testing.T) {
		f := MustOpen(t, every(time.Millisecond))
		ada := MustUser(t, f.Store, "ada")
		mustEndPresence(t)
		f.clock.Set(noon.Add(time.Second))
		awaitPresence(t, f, func() { must(t, f.Users.Touch(ctx, ada.ID)) })
		equal(t, presenceRuns(t), true)
		must(t, f.Close())
		mustEndPresence(t)
		mustBeActive(t, another(t, f), ada.ID, noon.Add(time.Second))
	})
	t.Run("Early", func(t *testing.T) {
		f := MustOpen(t, every(24*time.Hour))
		ada := MustUser(t, f.Store, "ada")
		f.clock.Set(noon.Add(time.Second))
		awaitPresence(t, f, func() {
			for i := range int64(mostTouched / 2) {
				must(t, f.Users.Touch(ctx, ada.ID+i))
			}
		})
	})
	t.Run("AtClose", func(t *testing.T) {
		f := MustOpen(t) // each half minute
		ada := MustUser(t, f.Store, "ada")
		f.clock.Set(noon.Add(time.Second))
		must(t, f.Users.Touch(ctx, ada.ID))
		must(t, errors.Join(atOnce(4, func(int) error { return f.Close() })...))
		mustBeActive(t, another(t, f), ada.ID, noon.Add(time.Second))
		mustBe(t, f.Users.Touch(ctx, ada.ID), writequeue.ErrClosed)
	})
	t.Run("AtCloseOfAFullQueue", func(t *testing.T) {
		f := MustOpen(t, func(s *setup) { s.store.Queue = writequeue.Config{MaxWaiting: 1, MaxPerKey: 1} })
		ada := MustUser(t, f.Store, "ada")
		f.clock.Set(noon.Add(time.Second))
		must(t, f.Users.Touch(ctx, ada.ID))
		closing := make(chan error, 1)
		must(t, f.Queue().Do(ctx, func(*gorm.DB) error {
			go func() { closing <- f.Close() }()
			for f.Users.Touch(ctx, ada.ID) == nil { // until Close has begun
				runtime.Gosched()
			}
			return nil
		}))
		must(t, <-closing)
		mustBeActive(t, another(t, f), ada.ID, noon.Add(time.Second))
	})
	t.Run("NotAtAll", func(t *testing.T) {
		f := MustOpen(t)
		MustUser(t, f.Store, "ada")
		must(t, f.Users.FlushPresence(ctx))
		mustEndPresence(t)
	})
}

// What cannot be written at Close is said.
func TestUsers_Touch_CloseFails(t *testing.T) {
	s := storage.New(storage.Config{PresenceInterval: -1})
	db := MustOpenGORM(t, newPath(t), &gorm.Config{Logger: logger.Discard})
	must(t, db.Use(s))
	ada := MustUser(t, s, "ada")
	must(t, s.Users.Touch(ctx, ada.ID))
	broken := errors.New("the disk is full")
	must(t, db.Callback().Row().Before("gorm:row").Register("test:fail", func(tx *gorm.DB) { _ = tx.AddError(broken) }))
	mustBe(t, s.Close(), broken)
}

// Touches, sessions and flushes of two stores at once end at the latest time.
func TestUsers_Touch_AtOnce(t *testing.T) {
	f := MustOpen(t, every(time.Millisecond))
	stores := []*fixture{f, MustOpen(t, every(-1), func(s *setup) { s.path = f.path })}
	users := MustUsers(t, f, 20)
	must(t, errors.Join(atOnce(16, func(i int) error {
		s := stores[i%2]
		for n, user := range users {
			s.clock.Set(noon.Add(time.Duration(n) * time.Second))
			err := errors.Join(s.Users.Touch(ctx, user.ID), s.Users.FlushPresence(ctx))
			if err != nil {
				return err
			}
			if _, err := s.Coins.Grant(ctx, user.ID, idAt(noon, int64(i)), 1, "quest", ""); err != nil {
				return err
			}
		}
		return nil
	})...))
	for _, s := range stores {
		s.clock.Set(noon.Add(time.Hour))
		for _, user := range users {
			must(t, s.Users.Touch(ctx, user.ID))
		}
		must(t, s.Users.FlushPresence(ctx))
	}
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM users WHERE last_active_at = ? AND coins = 116", noon.Add(time.Hour).UnixMilli()), 20)
	MustReconcile(t, f.Store)
}

// A context that has ended stops a flush, and keeps what was to be written.
func TestUsers_FlushPresence_Cancelled(t *testing.T) {
	f := MustOpen(t, every(-1))
	ada := MustUser(t, f.Store, "ada")
	f.clock.Set(noon.Add(time.Second))
	must(t, f.Users.Touch(ctx, ada.ID))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	mustBe(t, f.Users.FlushPresence(ended), context.Canceled)
	must(t, f.Users.FlushPresence(ctx))
	mustBeActive(t, f, ada.ID, noon.Add(time.Second))
}
