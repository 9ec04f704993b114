package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func TestShop_Put(t *testing.T) {
	hat := models.ShopItem{
		Slug: "hat", Name: "Hat", Description: "A hat.", Slot: "head", Rarity: "rare",
		Price: 60, AssetValue: "hat.png", Active: true,
	}
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		in := hat
		in.Slug, in.Slot, in.ID = " hat ", "\thead", 77 // the id is the store's
		got, err := f.Shop.Put(ctx, in)
		must(t, err)
		want := hat
		want.ID = 1
		equal(t, got, want)
		stored, err := f.Shop.Item(ctx, " hat")
		must(t, err)
		equal(t, stored, want)
	})
	t.Run("OK/Changes", func(t *testing.T) {
		f := MustOpen(t)
		first, err := f.Shop.Put(ctx, hat)
		must(t, err)
		MustItem(t, f.Store, "cap", "head", 5)
		want := models.ShopItem{ID: first.ID, Slug: "hat", Slot: "head"} // everything else to nothing
		got, err := f.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head"})
		must(t, err)
		equal(t, got, want)
		stored, err := f.Shop.Item(ctx, "hat")
		must(t, err)
		equal(t, stored, want)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM shop_items"), 2)
		MustNotChange(t, f, func() {
			_, err := f.Shop.Put(ctx, want)
			must(t, err)
		})
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t)
		MustNotChange(t, f, func() {
			for field, item := range map[string]models.ShopItem{
				"slug":  {Slug: " ", Slot: "head"},
				"slot":  {Slug: "hat", Slot: "\n"},
				"price": {Slug: "hat", Slot: "head", Price: -1},
			} {
				_, err := f.Shop.Put(ctx, item)
				mustBeInvalid(t, err, field)
			}
			for field, item := range map[string]models.ShopItem{
				"slug": {Slug: tooLong, Slot: "head"}, "slot": {Slug: "hat", Slot: tooLong},
			} {
				_, err := f.Shop.Put(ctx, item)
				mustBeInvalid(t, err, field)
			}
			for _, item := range []models.ShopItem{
				{Slug: "a\x00", Slot: "head"}, {Slug: "a", Slot: "\xff"}, {Slug: "a", Slot: "head", Name: "\xc3"},
				{Slug: "a", Slot: "head", Description: "\x00"}, {Slug: "a", Slot: "head", Rarity: "\xff"},
				{Slug: "a", Slot: "head", AssetValue: "\xff"},
			} {
				_, err := f.Shop.Put(ctx, item)
				mustBe(t, err, storage.ErrInvalid)
			}
		})
	})
	t.Run("ErrInvalid/OtherSlot", func(t *testing.T) {
		// N14: it may be worn where it is.
		f := MustOpen(t)
		item := MustItem(t, f.Store, "hat", "head", 1)
		MustNotChange(t, f, func() {
			item.Slot, item.Price = "ears", 2
			_, err := f.Shop.Put(ctx, item)
			mustBeInvalid(t, err, "slot")
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		_, err := f.Shop.Item(ctx, "hat")
		mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
	})
}

func TestShop_Catalogue(t *testing.T) {
	f := MustOpen(t)
	MustItem(t, f.Store, "crown", "head", 900)
	MustItem(t, f.Store, "hat", "head", 60)
	MustItem(t, f.Store, "cap", "head", 60)
	MustItem(t, f.Store, "boots", "feet", 70)
	_, err := f.Shop.Put(ctx, models.ShopItem{Slug: "old", Slot: "head", Price: 1})
	must(t, err)
	got, err := f.Shop.Catalogue(ctx)
	must(t, err)
	slugs := make([]string, len(got))
	for i, item := range got {
		slugs[i] = item.Slug
	}
	equal(t, slugs, []string{"boots", "hat", "cap", "crown"})
}

// S32, S33: at the shop's price, in one transaction.
func TestShop_Purchase(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 60)
		id, later := idAt(noon, 1), noon.Add(time.Minute)
		f.clock.Set(later)
		got := MustPurchase(t, f.Store, user.ID, hat.ID, id)
		equal(t, got, storage.PurchaseReceipt{Item: hat, PricePaid: 60, Balance: 40})

		want := user
		want.Coins, want.UpdatedAt = 40, later
		equal(t, MustGet(t, f.Store, user.ID), want)
		entries, err := f.Coins.Ledger(ctx, user.ID, 0, 1)
		must(t, err)
		equal(t, entries, []models.CoinEntry{{
			UserID: user.ID, Seq: 2, EntryID: id, Delta: -60, BalanceAfter: 40,
			Reason: storage.ReasonPurchase, Reference: "hat", CreatedAt: later,
		}})
		owned, err := f.Shop.Inventory(ctx, user.ID)
		must(t, err)
		equal(t, owned, []storage.Owned{{ShopItem: hat, InventoryItem: models.InventoryItem{
			UserID: user.ID, ItemID: hat.ID, PricePaid: 60, PurchaseID: id, AcquiredAt: later,
		}}})
		MustReconcile(t, f.Store)
	})
	t.Run("OK/LastCoin", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 100)
		equal(t, MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1)).Balance, 0)
	})
	t.Run("OK/Free", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 0)
		equal(t, MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1)).Balance, 100)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM inventory WHERE price_paid = 0"), 1)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		f := MustOpen(t)
		user, hat, boots := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30), MustItem(t, f.Store, "boots", "feet", 30)
		want := MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
		want.Repeated = true
		MustPurchase(t, f.Store, user.ID, boots.ID, idAt(noon, 2))
		f.clock.Set(noon.Add(time.Hour))
		MustNotChange(t, f, func() {
			equal(t, MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1)), want)
		})
		// It was bought; neither a new price nor the end of its sale undoes that.
		hat.Price, hat.Active = 500, false
		_, err := f.Shop.Put(ctx, hat)
		must(t, err)
		MustNotChange(t, f, func() {
			got := MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
			equal(t, []any{got.PricePaid, got.Balance, got.Repeated}, []any{int64(30), int64(70), true})
		})
	})
	t.Run("OK/PriceOfTheShop", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30)
		hat.Price = 45
		_, err := f.Shop.Put(ctx, hat)
		must(t, err)
		equal(t, MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1)).PricePaid, 45)
	})
	t.Run("OK/OneIDOfTwoUsers", func(t *testing.T) {
		f := MustOpen(t)
		hat := MustItem(t, f.Store, "hat", "head", 30)
		for _, uid := range []string{"ada", "bob"} {
			equal(t, MustPurchase(t, f.Store, MustUser(t, f.Store, uid).ID, hat.ID, idAt(noon, 1)).Balance, 70)
		}
	})
	t.Run("OK/OneIDAtOnce", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30)
		must(t, errors.Join(atOnce(16, func(int) error {
			_, err := f.Shop.Purchase(ctx, user.ID, hat.ID, idAt(noon, 1))
			return err
		})...))
		equal(t, MustGet(t, f.Store, user.ID).Coins, 70)
	})
}

func TestShop_Purchase_Errors(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	hat, boots := MustItem(t, f.Store, "hat", "head", 60), MustItem(t, f.Store, "boots", "feet", 41)
	old, err := f.Shop.Put(ctx, models.ShopItem{Slug: "old", Slot: "head", Price: 1})
	must(t, err)
	MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
	worn := session(user.ID, 0, right(1, "1+1", 0), wrong(2, "1+1", 0)) // 2 XP, a coin
	MustSubmit(t, f.Store, worn)

	for _, test := range []struct {
		name         string
		user, item   int64
		purchase     models.ID
		want         error
		wantToo      error
		invalidField string
	}{
		{name: "ErrAlreadyOwned", user: user.ID, item: hat.ID, purchase: idAt(noon, 2), want: storage.ErrAlreadyOwned},
		{name: "ErrNotForSale", user: user.ID, item: old.ID, purchase: idAt(noon, 2), want: storage.ErrNotForSale},
		{name: "ErrNotFound/User", user: 99, item: hat.ID, purchase: idAt(noon, 2), want: storage.ErrNotFound, wantToo: gorm.ErrRecordNotFound},
		{name: "ErrNotFound/Item", user: user.ID, item: 99, purchase: idAt(noon, 2), want: storage.ErrNotFound, wantToo: gorm.ErrRecordNotFound},
		{name: "ErrConflict/OtherItem", user: user.ID, item: boots.ID, purchase: idAt(noon, 1), want: storage.ErrConflict},
		{name: "ErrConflict/IDOfASession", user: user.ID, item: MustItem(t, f.Store, "pin", "coat", 1).ID, purchase: worn.ID, want: storage.ErrConflict},
		{name: "ErrInvalid/None", user: user.ID, item: boots.ID, want: storage.ErrInvalid, invalidField: "purchase_id"},
		{name: "ErrInvalid/VersionFour", user: user.ID, item: boots.ID, purchase: models.ID{6: 0x40}, want: storage.ErrInvalid, invalidField: "purchase_id"},
		{name: "ErrInvalid/Ahead", user: user.ID, item: boots.ID, purchase: idAt(noon.Add(5*time.Minute+time.Millisecond), 0), want: storage.ErrInvalid, invalidField: "purchase_id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			MustNotChange(t, f, func() {
				got, err := f.Shop.Purchase(ctx, test.user, test.item, test.purchase)
				mustBe(t, err, test.want)
				if test.wantToo != nil {
					mustBe(t, err, test.wantToo)
				}
				if test.invalidField != "" {
					mustBeInvalid(t, err, test.invalidField)
				}
				equal(t, got, storage.PurchaseReceipt{})
			})
		})
	}
	t.Run("InsufficientFundsError", func(t *testing.T) {
		boots.Price = 42
		_, err := f.Shop.Put(ctx, boots)
		must(t, err)
		MustNotChange(t, f, func() {
			_, err := f.Shop.Purchase(ctx, user.ID, boots.ID, idAt(noon, 2))
			var poor *storage.InsufficientFundsError
			if !errors.As(err, &poor) {
				t.Fatalf("got error %v, want an *InsufficientFundsError", err)
			}
			equal(t, *poor, storage.InsufficientFundsError{Have: 41, Need: 42})
		})
	})
}

// 64 buyers' goroutines, different items, one purse: exactly as many succeed
// as it pays for, and no coin is lost.
func TestShop_Purchase_AtOnce(t *testing.T) {
	const buyers, price, affordable = 64, 9, 11 // of 100 coins
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	items := make([]models.ShopItem, buyers)
	for i := range items {
		items[i] = MustItem(t, f.Store, fmt.Sprintf("item-%02d", i), "pocket", price)
	}
	bought := 0
	for _, err := range atOnce(buyers, func(i int) error {
		_, err := f.Shop.Purchase(ctx, user.ID, items[i].ID, idAt(noon, int64(i)))
		return err
	}) {
		var poor *storage.InsufficientFundsError
		switch {
		case err == nil:
			bought++
		case !errors.As(err, &poor):
			t.Errorf("got error %v, want an *InsufficientFundsError", err)
		default:
			equal(t, *poor, storage.InsufficientFundsError{Have: 1, Need: price})
		}
	}
	equal(t, bought, affordable)
	equal(t, MustGet(t, f.Store, user.ID).Coins, 100-affordable*price)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM inventory"), affordable)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM coin_ledger"), 1+affordable)
	MustReconcile(t, f.Store)
}

// worn returns the slugs of what a user wears.
func worn(tb testing.TB, f *fixture, userID int64) (slugs []string) {
	tb.Helper()
	owned, err := f.Shop.Inventory(ctx, userID)
	must(tb, err)
	for _, item := range owned {
		if item.Equipped {
			slugs = append(slugs, item.Slug)
		}
	}
	return slugs
}

func TestShop_Equip(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	hat, helmet := MustItem(t, f.Store, "hat", "head", 1), MustItem(t, f.Store, "helmet", "head", 1)
	boots, crown := MustItem(t, f.Store, "boots", "feet", 1), MustItem(t, f.Store, "crown", "head", 900)
	for i, item := range []models.ShopItem{hat, helmet, boots} {
		MustPurchase(t, f.Store, user.ID, item.ID, idAt(noon, int64(i)))
	}
	MustPurchase(t, f.Store, other.ID, hat.ID, idAt(noon, 9))
	equal(t, worn(t, f, user.ID), nil)

	t.Run("OK", func(t *testing.T) {
		must(t, f.Shop.Equip(ctx, user.ID, hat.ID))
		must(t, f.Shop.Equip(ctx, user.ID, boots.ID))
		equal(t, worn(t, f, user.ID), []string{"hat", "boots"})
		MustNotChange(t, f, func() { must(t, f.Shop.Equip(ctx, user.ID, hat.ID)) })
		// One item a slot.
		must(t, f.Shop.Equip(ctx, user.ID, helmet.ID))
		equal(t, worn(t, f, user.ID), []string{"helmet", "boots"})
		equal(t, worn(t, f, other.ID), nil)
	})
	t.Run("OK/NoLongerForSale", func(t *testing.T) {
		hat.Active = false
		_, err := f.Shop.Put(ctx, hat)
		must(t, err)
		must(t, f.Shop.Equip(ctx, user.ID, hat.ID))
		equal(t, worn(t, f, user.ID), []string{"hat", "boots"})
	})
	t.Run("ErrNotOwned", func(t *testing.T) {
		MustNotChange(t, f, func() {
			mustBe(t, f.Shop.Equip(ctx, user.ID, crown.ID), storage.ErrNotOwned)
			mustBe(t, f.Shop.Equip(ctx, other.ID, boots.ID), storage.ErrNotOwned)
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		MustNotChange(t, f, func() {
			mustBe(t, f.Shop.Equip(ctx, user.ID, 99), storage.ErrNotFound)
			mustBe(t, f.Shop.Equip(ctx, 99, hat.ID), storage.ErrNotFound)
			mustBe(t, f.Shop.Unequip(ctx, 99, "head"), storage.ErrNotFound)
		})
	})
	t.Run("OK/Unequip", func(t *testing.T) {
		must(t, f.Shop.Equip(ctx, other.ID, hat.ID))
		must(t, f.Shop.Unequip(ctx, user.ID, " head "))
		equal(t, worn(t, f, user.ID), []string{"boots"})
		equal(t, worn(t, f, other.ID), []string{"hat"})
		MustNotChange(t, f, func() {
			must(t, f.Shop.Unequip(ctx, user.ID, "head"))
			must(t, f.Shop.Unequip(ctx, user.ID, "none"))
		})
	})
}

// S12.
func TestShop_Inventory(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	hat, boots := MustItem(t, f.Store, "hat", "head", 1), MustItem(t, f.Store, "boots", "feet", 2)
	MustPurchase(t, f.Store, user.ID, boots.ID, idAt(noon, 1))
	MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 2))
	MustPurchase(t, f.Store, other.ID, boots.ID, idAt(noon, 1))
	must(t, f.Shop.Equip(ctx, user.ID, boots.ID))
	row := func(item models.ShopItem, n int64) models.InventoryItem {
		return models.InventoryItem{UserID: user.ID, ItemID: item.ID, PricePaid: item.Price, PurchaseID: idAt(noon, n), AcquiredAt: noon}
	}
	got, err := f.Shop.Inventory(ctx, user.ID)
	must(t, err)
	equal(t, got, []storage.Owned{
		{ShopItem: hat, InventoryItem: row(hat, 2)},
		{ShopItem: boots, InventoryItem: row(boots, 1), Equipped: true},
	})
	got, err = f.Shop.Inventory(ctx, 99)
	must(t, err)
	equal(t, got, nil)
}
