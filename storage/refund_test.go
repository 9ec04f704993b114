package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustRefund undoes a purchase.
func MustRefund(tb testing.TB, s *storage.Store, userID, itemID int64, id models.ID) storage.RefundReceipt {
	tb.Helper()
	receipt, err := s.Shop.Refund(ctx, userID, itemID, id)
	must(tb, err)
	return receipt
}

func TestShop_Refund(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		hat, boots := MustItem(t, f.Store, "hat", "head", 60), MustItem(t, f.Store, "boots", "feet", 10)
		for i, id := range []int64{user.ID, other.ID} {
			MustPurchase(t, f.Store, id, hat.ID, idAt(noon, int64(i)))
			MustPurchase(t, f.Store, id, boots.ID, idAt(noon, int64(10+i)))
			must(t, f.Shop.Equip(ctx, id, hat.ID))
			must(t, f.Shop.Equip(ctx, id, boots.ID))
		}
		hat.Price, hat.Active = 75, false // neither the price of today nor the end of its sale matters
		_, err := f.Shop.Put(ctx, hat)
		must(t, err)
		later := noon.Add(time.Minute)
		f.clock.Set(later)

		got := MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 20))
		equal(t, got, storage.RefundReceipt{Item: hat, Refunded: 60, Balance: 90})
		user.Coins, user.UpdatedAt, user.Version = 90, later, 4 // worn twice, taken off once
		equal(t, MustGet(t, f.Store, user.ID), user)
		entries, err := f.Coins.Ledger(ctx, user.ID, 0, 1)
		must(t, err)
		equal(t, entries, []models.CoinEntry{{
			UserID: user.ID, Seq: 4, EntryID: idAt(noon, 20), Delta: 60, BalanceAfter: 90,
			Reason: storage.ReasonRefund, Reference: "hat", CreatedAt: later,
		}})
		equal(t, worn(t, f, user.ID), []string{"boots"})
		equal(t, worn(t, f, other.ID), []string{"hat", "boots"})
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM inventory"), 3)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM loadouts"), 3)
		equal(t, MustGet(t, f.Store, other.ID).Coins, 30)
		mustBe(t, f.Shop.Equip(ctx, user.ID, hat.ID), storage.ErrNotOwned)

		// It can be bought again, at today's price, and that comes back.
		hat.Active = true
		_, err = f.Shop.Put(ctx, hat)
		must(t, err)
		equal(t, MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 21)).Balance, 15)
		equal(t, MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 22)).Refunded, 75)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Free", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 0)
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
		equal(t, MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 2)), storage.RefundReceipt{Item: hat, Balance: 100})
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM inventory"), 0)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30)
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
		want := MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 2))
		want.Repeated = true
		f.clock.Set(noon.Add(time.Hour))
		MustNotChange(t, f, func() { equal(t, MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 2)), want) })
		// A late retry does not take away what was bought again.
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 3))
		MustNotChange(t, f, func() { equal(t, MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 2)), want) })
	})
	t.Run("ErrConflict/PurchaseAgain", func(t *testing.T) {
		f := MustOpen(t)
		user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30)
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
		MustRefund(t, f.Store, user.ID, hat.ID, idAt(noon, 2))
		MustNotChange(t, f, func() {
			_, err := f.Shop.Purchase(ctx, user.ID, hat.ID, idAt(noon, 1))
			mustBe(t, err, storage.ErrConflict)
		})
	})
}

func TestShop_Refund_Errors(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	hat, boots, cape := MustItem(t, f.Store, "hat", "head", 10), MustItem(t, f.Store, "boots", "feet", 10), MustItem(t, f.Store, "cape", "head", 10)
	for i, item := range []models.ShopItem{hat, boots, cape} {
		MustPurchase(t, f.Store, user.ID, item.ID, idAt(noon, int64(i)))
	}
	MustRefund(t, f.Store, user.ID, cape.ID, idAt(noon, 10))
	MustGrant(t, f.Store, user.ID, idAt(noon, 11), 10)
	for _, test := range []struct {
		name       string
		user, item int64
		id         models.ID
		want       error
	}{
		{"ErrConflict/OfItsPurchase", user.ID, hat.ID, idAt(noon, 0), storage.ErrConflict},
		{"ErrConflict/OfAnotherRefund", user.ID, hat.ID, idAt(noon, 10), storage.ErrConflict},
		{"ErrConflict/OfAGrant", user.ID, hat.ID, idAt(noon, 11), storage.ErrConflict},
		{"ErrNotOwned", user.ID, cape.ID, idAt(noon, 12), storage.ErrNotOwned},
		{"ErrNotOwned/OfAnother", other.ID, hat.ID, idAt(noon, 12), storage.ErrNotOwned},
		{"ErrNotFound/User", 99, hat.ID, idAt(noon, 12), storage.ErrNotFound},
		{"ErrNotFound/Item", user.ID, 99, idAt(noon, 12), storage.ErrNotFound},
		{"ErrInvalid/NoID", user.ID, hat.ID, models.ID{}, storage.ErrInvalid},
		{"ErrInvalid/Ahead", user.ID, hat.ID, idAt(noon.Add(5*time.Minute+time.Millisecond), 0), storage.ErrInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			MustNotChange(t, f, func() {
				got, err := f.Shop.Refund(ctx, test.user, test.item, test.id)
				mustBe(t, err, test.want)
				equal(t, got, storage.RefundReceipt{})
				if errors.Is(test.want, storage.ErrInvalid) {
					mustBeInvalid(t, err, "refund_id")
				}
			})
		})
	}
}

// Two stores on one file: an item comes back once.
func TestShop_Refund_AtOnce(t *testing.T) {
	f := MustOpen(t)
	stores := []*fixture{f, another(t, f)}
	user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 30)
	t.Run("OneID", func(t *testing.T) {
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 1))
		must(t, errors.Join(atOnce(16, func(i int) error {
			_, err := stores[i%2].Shop.Refund(ctx, user.ID, hat.ID, idAt(noon, 2))
			return err
		})...))
		equal(t, MustGet(t, f.Store, user.ID).Coins, 100)
	})
	t.Run("ManyIDs", func(t *testing.T) {
		MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 3))
		refunded := 0
		for _, err := range atOnce(16, func(i int) error {
			_, err := stores[i%2].Shop.Refund(ctx, user.ID, hat.ID, idAt(noon, int64(10+i)))
			return err
		}) {
			if err == nil {
				refunded++
				continue
			}
			mustBe(t, err, storage.ErrNotOwned)
		}
		equal(t, refunded, 1)
		equal(t, MustGet(t, f.Store, user.ID).Coins, 100)
	})
	MustReconcile(t, f.Store)
}
