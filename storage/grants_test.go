package storage_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustGrant changes a user's coins for a quest.
func MustGrant(tb testing.TB, s *storage.Store, userID int64, id models.ID, delta int64) models.CoinEntry {
	tb.Helper()
	granted, err := s.Coins.Grant(ctx, userID, id, delta, "quest", "week 20")
	must(tb, err)
	return granted
}

// another returns a second store on the same file, as another process has it.
func another(tb testing.TB, f *fixture) *fixture {
	tb.Helper()
	return MustOpen(tb, func(s *setup) { s.path = f.path })
}

func TestCoins_Grant(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		later := noon.Add(time.Minute)
		f.clock.Set(later)
		given, err := f.Coins.Grant(ctx, user.ID, idAt(noon, 1), 50, " quest ", "week 20")
		must(t, err)
		taken := MustGrant(t, f.Store, user.ID, idAt(noon, 2), -150) // the last coin
		want := []models.CoinEntry{
			{UserID: user.ID, Seq: 3, EntryID: idAt(noon, 2), Delta: -150, BalanceAfter: 0, Reason: "quest", Reference: "week 20", CreatedAt: later},
			{UserID: user.ID, Seq: 2, EntryID: idAt(noon, 1), Delta: 50, BalanceAfter: 150, Reason: "quest", Reference: "week 20", CreatedAt: later},
		}
		equal(t, []models.CoinEntry{taken, given}, want)
		stored, err := f.Coins.Ledger(ctx, user.ID, 0, 2)
		must(t, err)
		equal(t, stored, want)
		user.Coins, user.UpdatedAt = 0, later
		equal(t, MustGet(t, f.Store, user.ID), user)
		equal(t, MustGet(t, f.Store, other.ID), other)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		taken := MustGrant(t, f.Store, user.ID, idAt(noon, 1), -100)
		f.clock.Set(noon.Add(time.Hour))
		MustNotChange(t, f, func() {
			// Nothing is left that could be taken twice, and nothing is.
			equal(t, MustGrant(t, f.Store, user.ID, idAt(noon, 1), -100), taken)
		})
	})
	t.Run("OK/OneIDOfTwoUsers", func(t *testing.T) {
		f := MustOpen(t)
		for _, uid := range []string{"ada", "bob"} {
			equal(t, MustGrant(t, f.Store, MustUser(t, f.Store, uid).ID, idAt(noon, 1), 5).BalanceAfter, 105)
		}
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Bounds", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustGrant(t, f.Store, user.ID, idAt(noon, 1), 1<<40)
		equal(t, MustGrant(t, f.Store, user.ID, idAt(noon, 2), -1<<40).BalanceAfter, 100)
		MustReconcile(t, f.Store)
		MustExec(t, f.db, "UPDATE users SET coins = ? WHERE id = ?", int64(1)<<53-6, user.ID)
		MustNotChange(t, f, func() {
			_, err := f.Coins.Grant(ctx, user.ID, idAt(noon, 3), 6, "quest", "")
			mustBeInvalid(t, err, "delta")
		})
		equal(t, MustGrant(t, f.Store, user.ID, idAt(noon, 3), 5).BalanceAfter, 1<<53-1)
	})
	t.Run("OK/RollsBack", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustNotChange(t, f, func() {
			lost := errors.New("lost")
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				MustGrant(t, f.In(tx), user.ID, idAt(noon, 1), 5)
				return lost
			}), lost)
		})
	})
}

func TestCoins_Grant_Errors(t *testing.T) {
	f := MustOpen(t)
	user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 1)
	MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
	earned := session(user.ID, 0, right(1, "1+1", 0)) // 4 XP, two coins
	MustSubmit(t, f.Store, earned)
	MustGrant(t, f.Store, user.ID, idAt(noon, 2), 10)

	type grant struct {
		user              int64
		id                models.ID
		delta             int64
		reason, reference string
	}
	good := grant{user.ID, idAt(noon, 3), 10, "quest", "week 20"}
	for _, test := range []struct {
		name   string
		change func(*grant)
		want   error
		field  string
	}{
		{"ErrConflict/Delta", func(g *grant) { g.id, g.delta = idAt(noon, 2), 11 }, storage.ErrConflict, ""},
		{"ErrConflict/Reason", func(g *grant) { g.id, g.reason = idAt(noon, 2), "game" }, storage.ErrConflict, ""},
		{"ErrConflict/Reference", func(g *grant) { g.id, g.reference = idAt(noon, 2), "" }, storage.ErrConflict, ""},
		{"ErrConflict/OfAPurchase", func(g *grant) { g.id, g.delta = idAt(noon, 1), -1 }, storage.ErrConflict, ""},
		{"ErrConflict/OfASession", func(g *grant) { g.id, g.delta = earned.ID, 2 }, storage.ErrConflict, ""},
		{"ErrNotFound", func(g *grant) { g.user = 99 }, storage.ErrNotFound, ""},
		{"ErrInvalid/Nothing", func(g *grant) { g.delta = 0 }, storage.ErrInvalid, "delta"},
		{"ErrInvalid/TooMuch", func(g *grant) { g.delta = 1<<40 + 1 }, storage.ErrInvalid, "delta"},
		{"ErrInvalid/TooLittle", func(g *grant) { g.delta = -1<<40 - 1 }, storage.ErrInvalid, "delta"},
		{"ErrInvalid/Least", func(g *grant) { g.delta = math.MinInt64 }, storage.ErrInvalid, "delta"},
		{"ErrInvalid/NoReason", func(g *grant) { g.reason = " \t" }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/Welcome", func(g *grant) { g.reason = storage.ReasonWelcome }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/Session", func(g *grant) { g.reason = storage.ReasonSession }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/Purchase", func(g *grant) { g.reason = storage.ReasonPurchase }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/Refund", func(g *grant) { g.reason = " Refund" }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/Prize", func(g *grant) { g.reason = "prize" }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/ReasonNoText", func(g *grant) { g.reason = "a\x00" }, storage.ErrInvalid, "reason"},
		{"ErrInvalid/ReferenceNoText", func(g *grant) { g.reference = "\xff" }, storage.ErrInvalid, "reference"},
		{"ErrInvalid/NoID", func(g *grant) { g.id = models.ID{} }, storage.ErrInvalid, "entry_id"},
		{"ErrInvalid/IDAhead", func(g *grant) { g.id = idAt(noon.Add(5*time.Minute+time.Millisecond), 0) }, storage.ErrInvalid, "entry_id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := good
			test.change(&g)
			MustNotChange(t, f, func() {
				got, err := f.Coins.Grant(ctx, g.user, g.id, g.delta, g.reason, g.reference)
				mustBe(t, err, test.want)
				if test.field != "" {
					mustBeInvalid(t, err, test.field)
				}
				equal(t, got, models.CoinEntry{})
			})
		})
	}
	t.Run("InsufficientFundsError", func(t *testing.T) {
		MustNotChange(t, f, func() {
			_, err := f.Coins.Grant(ctx, user.ID, idAt(noon, 3), -112, "quest", "")
			var poor *storage.InsufficientFundsError
			if !errors.As(err, &poor) {
				t.Fatalf("got error %v, want an *InsufficientFundsError", err)
			}
			equal(t, *poor, storage.InsufficientFundsError{Have: 111, Need: 112})
		})
	})
}

// Two stores on one file: what is repeated is booked once, and exactly as much
// is taken as there is.
func TestCoins_Grant_AtOnce(t *testing.T) {
	f := MustOpen(t)
	stores := []*fixture{f, another(t, f)}
	user := MustUser(t, f.Store, "ada")
	t.Run("Repeated", func(t *testing.T) {
		must(t, errors.Join(atOnce(32, func(i int) error {
			_, err := stores[i%2].Coins.Grant(ctx, user.ID, idAt(noon, int64(i/8)), 7, "quest", "")
			return err
		})...))
		equal(t, MustGet(t, f.Store, user.ID).Coins, 100+4*7)
	})
	t.Run("Taken", func(t *testing.T) {
		taken := 0
		for _, err := range atOnce(32, func(i int) error {
			_, err := stores[i%2].Coins.Grant(ctx, user.ID, idAt(noon, int64(100+i)), -10, "quest", "")
			return err
		}) {
			var poor *storage.InsufficientFundsError
			switch {
			case err == nil:
				taken++
			case !errors.As(err, &poor):
				t.Errorf("got error %v, want an *InsufficientFundsError", err)
			default:
				equal(t, *poor, storage.InsufficientFundsError{Have: 8, Need: 10})
			}
		}
		equal(t, taken, 12)
		equal(t, MustGet(t, f.Store, user.ID).Coins, 8)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM coin_ledger"), 1+4+12)
	})
	MustReconcile(t, f.Store)
}
