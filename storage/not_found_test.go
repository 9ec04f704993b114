package storage_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// whereNothingIs are the calls that have an answer where nothing is stored: an
// empty list, or what they make. All others say that it is not found.
var whereNothingIs = []string{
	"Answers.CountSetAside", "Answers.Recent", "Answers.SetAside", "Coins.Economy", "Coins.Ledger", "Coins.ReconcileAll",
	"Leagues.All", "Leagues.Board", "Leagues.RebuildBoards", "Leagues.ResultsOfUser", "Leagues.Schedule", "Leagues.Season", "Leagues.SettleDue",
	"Leagues.VerifyBoards",
	"Mastery.AsOf", "Mastery.Operation", "Mastery.RebuildAll", "Mastery.VerifyAll", "Mastery.Weakest",
	"Rollups.OfUser", "Rollups.Run", "Sessions.Recent",
	"Shop.Catalogue", "Shop.CheckLoadouts", "Shop.Inventory", "Shop.Put", "Shop.RepairLoadouts", "Shop.Search",
	"Users.Create", "Users.Ensure", "Users.FlushPresence", "Users.GetMany", "Users.List", "Users.Search", "Users.Touch",
}

// What is not there is ErrNotFound, which is GORM's ErrRecordNotFound too, in
// every method.
func TestStore_ErrNotFound(t *testing.T) {
	f := MustOpen(t)
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		t.Run(name, func(t *testing.T) {
			undo := f.db.Transaction(func(tx *gorm.DB) error { // each of them where nothing is
				err := calls[name](ctx, f.In(tx))
				switch {
				case name == "Answers.Archive":
					mustBe(t, err, storage.ErrInTransaction)
				case slices.Contains(whereNothingIs, name):
					must(t, err)
				default:
					mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
				}
				return errFault
			})
			mustBe(t, undo, errFault)
		})
	}
}

// The other thing that is not there, where a method names two.
func TestStore_ErrNotFound_Item(t *testing.T) {
	f := MustOpen(t)
	ada := MustUser(t, f.Store, "ada")
	MustNotChange(t, f, func() {
		for _, err := range []error{
			f.Shop.Equip(ctx, ada.ID, 99),
			err2(f.Shop.Purchase(ctx, ada.ID, 99, idAt(noon, 1))),
			err2(f.Shop.Refund(ctx, ada.ID, 99, idAt(noon, 2))),
			err2(f.Shop.Item(ctx, "none")),
			err2(f.Mastery.Fact(ctx, ada.ID, "addition", "1+1")),
			err2(f.Leagues.Rank(ctx, thisSeason, ada.ID)),
		} {
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}

// A context that has ended is honoured inside of the caller's transaction too,
// which goes on without.
func TestStore_In_Cancelled(t *testing.T) {
	f := MustOpen(t)
	user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 1)
	MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 2))
	must(t, f.Shop.Equip(ctx, user.ID, hat.ID))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	before := MustDump(t, f.db)
	must(t, f.db.Transaction(func(tx *gorm.DB) error {
		inside := f.In(tx)
		mustCallAll(t, ended, inside, context.Canceled)
		equal(t, MustDump(t, tx), before)
		return err2(inside.Shop.Put(ctx, models.ShopItem{Slug: "boots", Slot: "feet"}))
	}))
	after := MustDump(t, f.db)
	after["shop_items"] = slices.DeleteFunc(after["shop_items"], func(row string) bool { return strings.Contains(row, "boots") })
	equal(t, after, before)
}
