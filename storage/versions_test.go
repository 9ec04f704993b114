package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustHaveVersion fails unless the user is of that version.
func MustHaveVersion(tb testing.TB, f *fixture, userID, want int64) {
	tb.Helper()
	equal(tb, MustGet(tb, f.Store, userID).Version, want)
}

// mustBeVersion fails unless err says which version there is and which was
// asked for.
func mustBeVersion(tb testing.TB, err error, want storage.VersionError) {
	tb.Helper()
	mustBe(tb, err, storage.ErrVersion)
	var got *storage.VersionError
	if !errors.As(err, &got) {
		tb.Fatalf("got error %v, want a *VersionError", err)
	}
	equal(tb, *got, want)
}

// A version counts what clients change, and nothing else.
func TestVersions(t *testing.T) {
	f := MustOpen(t)
	ada := MustUser(t, f.Store, "ada")
	hat, bonnet, boots := MustItem(t, f.Store, "hat", "head", 10), MustItem(t, f.Store, "bonnet", "head", 10), MustItem(t, f.Store, "boots", "feet", 10)
	name := func(to string) func() error {
		return func() error { return err2(f.Users.Update(ctx, ada.ID, storage.UserUpdate{Name: &to})) }
	}
	buy := func(item models.ShopItem, n int64) func() error {
		return func() error { return err2(f.Shop.Purchase(ctx, ada.ID, item.ID, idAt(noon, n))) }
	}
	equip := func(item models.ShopItem) func() error {
		return func() error { return f.Shop.Equip(ctx, ada.ID, item.ID) }
	}
	want := int64(1)
	for _, step := range []struct {
		name    string
		do      func() error
		changes int64
	}{
		{"name", name("Countess"), 1},
		{"same name", name(" Countess "), 0},
		{"nothing", func() error { return err2(f.Users.Update(ctx, ada.ID, storage.UserUpdate{})) }, 0},
		{"session", func() error {
			return err2(f.Sessions.Submit(ctx, session(ada.ID, 0, right(1, "1+1", 900), right(2, "1+1", 900))))
		}, 0},
		{"answer", func() error {
			return err2(f.Answers.Append(ctx, ada.ID, singles(models.ID{}, right(9, "1+1", 900))...))
		}, 0},
		{"league XP", func() error { return err2(f.Leagues.BookXP(ctx, ada.ID, 50, noon)) }, 0},
		{"coins", func() error { return err2(f.Coins.Grant(ctx, ada.ID, idAt(noon, 50), 5, "quest", "")) }, 0},
		{"presence", func() error { return errors.Join(f.Users.Touch(ctx, ada.ID), f.Users.FlushPresence(ctx)) }, 0},
		{"hat", buy(hat, 1), 0},
		{"bonnet", buy(bonnet, 2), 0},
		{"boots", buy(boots, 3), 0},
		{"wear", equip(hat), 1},
		{"wear again", equip(hat), 0},
		{"wear another", equip(bonnet), 1},
		{"take off", func() error { return f.Shop.Unequip(ctx, ada.ID, " head ") }, 1},
		{"take off again", func() error { return f.Shop.Unequip(ctx, ada.ID, "head") }, 0},
		{"give back", func() error { return err2(f.Shop.Refund(ctx, ada.ID, boots.ID, idAt(noon, 4))) }, 0},
		{"wear once more", equip(bonnet), 1},
		{"give back what is worn", func() error { return err2(f.Shop.Refund(ctx, ada.ID, bonnet.ID, idAt(noon, 5))) }, 1},
		{"settle", func() error {
			f.clock.Set(noon.AddDate(0, 0, 7))
			return err2(f.Leagues.Settle(ctx, thisSeason))
		}, 0},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		want += step.changes
		if got := MustGet(t, f.Store, ada.ID).Version; got != want {
			t.Fatalf("%s: version %d, want %d", step.name, got, want)
		}
	}
	equal(t, MustGet(t, f.Store, ada.ID).LeagueID, 2) // it did settle
	MustReconcile(t, f.Store)
}

// P10: who has read an earlier version is told, and nothing is changed.
func TestVersions_IfVersion(t *testing.T) {
	open := func(t *testing.T) (*fixture, models.User, models.ShopItem) {
		f := MustOpen(t)
		ada, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 10)
		MustPurchase(t, f.Store, ada.ID, hat.ID, idAt(noon, 1))
		must(t, f.Shop.Equip(ctx, ada.ID, hat.ID))
		return f, ada, hat
	}
	changes := func(f *fixture, userID, itemID int64) map[string]func(version int64) error {
		return map[string]func(version int64) error{
			"Update": func(version int64) error {
				return err2(f.Users.Update(ctx, userID, storage.UserUpdate{Name: ptr("X"), IfVersion: &version}))
			},
			"Equip":   func(version int64) error { return f.Shop.Equip(ctx, userID, itemID, storage.IfVersion(version)) },
			"Unequip": func(version int64) error { return f.Shop.Unequip(ctx, userID, "head", storage.IfVersion(version)) },
		}
	}
	t.Run("OK", func(t *testing.T) {
		f, ada, hat := open(t)
		all := changes(f, ada.ID, hat.ID)
		for i, name := range []string{"Update", "Unequip", "Equip"} {
			MustHaveVersion(t, f, ada.ID, int64(2+i))
			must(t, all[name](int64(2+i)))
		}
		MustHaveVersion(t, f, ada.ID, 5)
		equal(t, MustGet(t, f.Store, ada.ID).Name, "X")
		equal(t, worn(t, f, ada.ID), []string{"hat"})
	})
	t.Run("VersionError", func(t *testing.T) {
		f, ada, hat := open(t)
		MustNotChange(t, f, func() {
			for name, change := range changes(f, ada.ID, hat.ID) {
				for _, version := range []int64{1, 3} {
					t.Log(name, version)
					mustBeVersion(t, change(version), storage.VersionError{UserID: ada.ID, Have: 2, Want: version})
				}
			}
			// All conditions must hold.
			err := f.Shop.Unequip(ctx, ada.ID, "head", storage.IfVersion(2), storage.IfVersion(1))
			mustBeVersion(t, err, storage.VersionError{UserID: ada.ID, Have: 2, Want: 1})
			equal(t, err.Error(), "user 1 has version 2 and not 1: read it again, and decide again what to change")
		})
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f, ada, hat := open(t)
		MustNotChange(t, f, func() {
			for _, change := range changes(f, ada.ID, hat.ID) {
				for _, version := range []int64{0, -1} {
					mustBeInvalid(t, change(version), "if_version")
				}
			}
			mustBeInvalid(t, f.Shop.Equip(ctx, ada.ID, hat.ID, storage.Condition{}), "if_version")
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f, _, hat := open(t)
		MustNotChange(t, f, func() {
			for _, change := range changes(f, 99, hat.ID) {
				mustBe(t, change(1), storage.ErrNotFound, gorm.ErrRecordNotFound)
			}
		})
	})
	t.Run("InTransaction", func(t *testing.T) {
		// What the transaction has changed itself, it must say.
		f, ada, hat := open(t)
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			inside := f.In(tx)
			must(t, inside.Shop.Unequip(ctx, ada.ID, "head", storage.IfVersion(2)))
			mustBeVersion(t, inside.Shop.Equip(ctx, ada.ID, hat.ID, storage.IfVersion(2)), storage.VersionError{UserID: ada.ID, Have: 3, Want: 2})
			return inside.Shop.Equip(ctx, ada.ID, hat.ID, storage.IfVersion(3))
		}))
		MustHaveVersion(t, f, ada.ID, 4)
	})
}

// Of many who have read the same version, from two stores, one may change it.
func TestVersions_AtOnce(t *testing.T) {
	f := MustOpen(t)
	stores := []*fixture{f, another(t, f)}
	ada := MustUser(t, f.Store, "ada")
	const rounds, writers = 5, 12
	for round := range int64(rounds) {
		changed := 0
		for _, err := range atOnce(writers, func(i int) error {
			name := storage.UserUpdate{Name: ptr(fmt.Sprint(round, i)), IfVersion: ptr(1 + round)}
			return err2(stores[i%2].Users.Update(ctx, ada.ID, name))
		}) {
			if err == nil {
				changed++
			} else {
				mustBeVersion(t, err, storage.VersionError{UserID: ada.ID, Have: 2 + round, Want: 1 + round})
			}
		}
		equal(t, changed, 1)
	}
	MustHaveVersion(t, f, ada.ID, 1+rounds)
}

// Who was repaired is of the next version, and nobody else.
func TestVersions_RepairLoadouts(t *testing.T) {
	f := MustOpen(t)
	ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	boots := MustItem(t, f.Store, "boots", "feet", 1)
	for i, user := range []models.User{ada, bob} {
		MustPurchase(t, f.Store, user.ID, boots.ID, idAt(noon, int64(i)))
		must(t, f.Shop.Equip(ctx, user.ID, boots.ID))
	}
	MustExec(t, f.db, "UPDATE loadouts SET slot = 'head' WHERE user_id = ?", ada.ID)
	_, err := f.Shop.RepairLoadouts(ctx)
	must(t, err)
	MustHaveVersion(t, f, ada.ID, 3)
	MustHaveVersion(t, f, bob.ID, 2)
}
