package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// note is a row of the application's own.
type note struct {
	ID   int64
	Text string
}

// MustOpenNotes returns a store beside a table of the application's.
func MustOpenNotes(tb testing.TB, changes ...func(*setup)) *fixture {
	tb.Helper()
	f := MustOpen(tb, changes...)
	MustExec(tb, f.db, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
	return f
}

// mustHave fails unless that many notes, sessions and items of an inventory are stored.
func mustHave(tb testing.TB, f *fixture, notes, sessions, items int64) {
	tb.Helper()
	equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM notes"), notes)
	equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM sessions"), sessions)
	equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM inventory"), items)
	MustReconcile(tb, f.Store)
}

func TestStore_In(t *testing.T) {
	errStop := errors.New("stop")
	t.Run("OK", func(t *testing.T) {
		f := MustOpenNotes(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 50)
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&note{Text: "first"}).Error)
			inside := f.In(tx)
			MustSubmit(t, inside, session(user.ID, 0, right(1, "8+7", 0)))
			MustPurchase(t, inside, user.ID, hat.ID, idAt(noon, 0))
			// It reads what it wrote; others do not, and do not wait.
			equal(t, MustGet(t, inside, user.ID).Coins, 52)
			equal(t, MustGet(t, f.Store, user.ID).Coins, 100)
			standing, err := inside.Leagues.Rank(ctx, thisSeason, user.ID)
			must(t, err)
			equal(t, standing.Rank, 1)
			return nil
		}))
		mustHave(t, f, 1, 1, 1)
		equal(t, MustGet(t, f.Store, user.ID).Coins, 52)
	})
	t.Run("OK/RollsBack", func(t *testing.T) {
		f := MustOpenNotes(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 50)
		MustNotChange(t, f, func() {
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				must(t, tx.Create(&note{Text: "first"}).Error)
				inside := f.In(tx)
				MustUser(t, inside, "bob")
				MustSubmit(t, inside, session(user.ID, 0, right(1, "8+7", 0)))
				MustPurchase(t, inside, user.ID, hat.ID, idAt(noon, 0))
				return errStop
			}), errStop)
		})
	})
	t.Run("OK/ByHand", func(t *testing.T) {
		f := MustOpenNotes(t)
		user := MustUser(t, f.Store, "ada")
		tx := f.db.Begin()
		must(t, tx.Error)
		MustSubmit(t, f.In(tx), session(user.ID, 0, right(1, "8+7", 0)))
		must(t, tx.Commit().Error)
		mustHave(t, f, 0, 1, 0)
		_, err := f.In(tx).Sessions.Submit(ctx, session(user.ID, 1, right(2, "8+7", 0)))
		if err == nil {
			t.Fatal("a session was booked in a transaction that has ended")
		}
		mustHave(t, f, 0, 1, 0)
	})
	t.Run("OK/OfASession", func(t *testing.T) {
		// Conditions of the caller's statement are none of the store's.
		f := MustOpenNotes(t)
		user := MustUser(t, f.Store, "ada")
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			MustSubmit(t, f.In(tx.Model(&note{}).Where("text = ?", "none").Limit(1)), session(user.ID, 0, right(1, "8+7", 0)))
			return nil
		}))
		mustHave(t, f, 0, 1, 0)
	})
	t.Run("OK/InItself", func(t *testing.T) {
		f := MustOpenNotes(t)
		user := MustUser(t, f.Store, "ada")
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			inner := tx.Transaction(func(tx *gorm.DB) error {
				MustSubmit(t, f.In(tx), session(user.ID, 0, right(1, "8+7", 0)))
				return errStop
			})
			mustBe(t, inner, errStop)
			MustSubmit(t, f.In(tx), session(user.ID, 1, right(2, "8+7", 0)))
			return nil
		}))
		mustHave(t, f, 0, 1, 0)
		equal(t, MustGet(t, f.Store, user.ID).TotalXP, 4)
	})
	t.Run("ErrOfReadOnly", func(t *testing.T) {
		f := MustOpenNotes(t)
		user := MustUser(t, f.Store, "ada")
		MustNotChange(t, f, func() {
			tx := f.db.Begin(&readOnly)
			must(t, tx.Error)
			_, err := f.In(tx).Sessions.Submit(ctx, session(user.ID, 0, right(1, "8+7", 0)))
			if err == nil {
				t.Error("a session was booked in a read-only transaction")
			}
			must(t, tx.Rollback().Error)
		})
	})
}

// What fails takes back its own part and leaves the rest, whatever the
// application has set about nested transactions.
func TestStore_In_Failing(t *testing.T) {
	for name, config := range map[string]gorm.Config{
		"Default":                  {},
		"DisableNestedTransaction": {DisableNestedTransaction: true},
	} {
		t.Run(name, func(t *testing.T) {
			halfway, cancel := context.WithCancel(ctx)
			late := false // whether the context is to end in the middle of a Submit
			f := MustOpenNotes(t, func(s *setup) {
				config.Logger = s.gorm.Logger
				s.gorm = config
			}, withRules(func(r *storage.Rules) {
				r.Mastery = func(rules *storage.Rules, correct bool, ms int64) models.Level {
					if late {
						cancel()
					}
					return storage.StepMastery(rules, correct, ms)
				}
			}))
			user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 1000)
			taken := session(user.ID, 9, right(9, "8+7", 0))
			MustSubmit(t, f.Store, taken)

			for _, test := range []struct {
				name string
				fail func(*storage.Store) error
				want error
			}{
				{"ErrConflict", func(s *storage.Store) error {
					_, err := s.Sessions.Submit(ctx, session(user.ID, 0, right(1, "8+7", 0), right(9, "8+7", 0)))
					return err
				}, storage.ErrConflict},
				{"ErrInvalid", func(s *storage.Store) error {
					_, err := s.Sessions.Submit(ctx, session(user.ID, 0))
					return err
				}, storage.ErrInvalid},
				{"ErrNotFound", func(s *storage.Store) error {
					_, err := s.Sessions.Submit(ctx, session(99, 0, right(1, "8+7", 0)))
					return err
				}, storage.ErrNotFound},
				{"Funds", func(s *storage.Store) error {
					_, err := s.Shop.Purchase(ctx, user.ID, hat.ID, idAt(noon, 0))
					var poor *storage.InsufficientFundsError
					if errors.As(err, &poor) {
						return errPoor
					}
					return err
				}, errPoor},
				// The session and its answers are written when it ends, and
				// the caller's own context goes on.
				{"Cancelled", func(s *storage.Store) error {
					late = true
					defer func() { late = false }()
					_, err := s.Sessions.Submit(halfway, session(user.ID, 0, right(1, "8+7", 0)))
					return err
				}, context.Canceled},
			} {
				t.Run(test.name, func(t *testing.T) {
					MustExec(t, f.db, "DELETE FROM notes")
					before := MustDump(t, f.db)
					delete(before, "notes")
					must(t, f.db.Transaction(func(tx *gorm.DB) error {
						must(t, tx.Create(&note{Text: "before"}).Error)
						mustBe(t, test.fail(f.In(tx)), test.want)
						return tx.Create(&note{Text: "behind"}).Error
					}))
					equal(t, MustInt(t, f.db, "SELECT count(*) FROM notes"), 2)
					after := MustDump(t, f.db)
					delete(after, "notes")
					equal(t, after, before)
				})
			}
		})
	}
}

var (
	errPoor  = errors.New("poor")
	readOnly = sql.TxOptions{ReadOnly: true}
)

// When the caller's own transaction ends with its context, nothing of it
// stays, even if the caller looks at no error.
func TestStore_In_CallerCancelled(t *testing.T) {
	halfway, cancel := context.WithCancel(ctx)
	f := MustOpenNotes(t, withRules(func(r *storage.Rules) {
		r.Mastery = func(*storage.Rules, bool, int64) models.Level { cancel(); return 0 }
	}))
	user := MustUser(t, f.Store, "ada")
	in := session(user.ID, 0, right(1, "8+7", 0))
	MustNotChange(t, f, func() {
		err := f.db.WithContext(halfway).Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&note{Text: "before"}).Error)
			_, err := f.In(tx).Sessions.Submit(halfway, in)
			mustBe(t, err, context.Canceled)
			tx.Create(&note{Text: "behind"})
			return nil
		})
		if err == nil {
			t.Error("a transaction whose context had ended was committed")
		}
	})
	equal(t, MustSubmit(t, f.Store, in).Repeated, false)
}

// A panic of the game's rule leaves nothing behind and the writer free.
func TestStore_Panic(t *testing.T) {
	bad := true
	f := MustOpen(t, withRules(func(r *storage.Rules) {
		r.Mastery = func(*storage.Rules, bool, int64) models.Level {
			if bad {
				panic("bad rule")
			}
			return 0
		}
	}))
	user := MustUser(t, f.Store, "ada")
	in := session(user.ID, 0, right(1, "8+7", 0))
	MustNotChange(t, f, func() {
		defer func() { equal(t, recover(), any("bad rule")) }()
		_, _ = f.Sessions.Submit(ctx, in)
	})
	bad = false
	MustSubmit(t, f.Store, in)
}
