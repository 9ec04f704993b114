package storagetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// purchase: at the shop's price, once under one id; what is worn is owned.
func purchase(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	hat, cap, crown := k.item(t, "hat", 60), k.item(t, "cap", 1), k.item(t, "crown", 900)
	want := storage.PurchaseReceipt{Item: hat, PricePaid: 60, Balance: 40}
	got, err := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
	must(t, err)
	equal(t, "receipt", got, want)
	must(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID))
	owned, err := k.Shop.Inventory(t.Context(), ada.ID)
	must(t, err)
	equal(t, "inventory", owned, []storage.Owned{{ShopItem: hat, InventoryItem: models.InventoryItem{
		UserID: ada.ID, ItemID: hat.ID, PricePaid: 60, PurchaseID: idAt(noon, 1), AcquiredAt: noon,
	}, Equipped: true}})

	k.stays(t, func() {
		want.Repeated = true
		got, err := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
		must(t, err)
		equal(t, "receipt of a retry", got, want)
		_, err = k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 2))
		mustBe(t, err, storage.ErrAlreadyOwned)
		_, err = k.Shop.Purchase(t.Context(), ada.ID, cap.ID, idAt(noon, 1))
		mustBe(t, err, storage.ErrConflict)
		_, err = k.Shop.Purchase(t.Context(), ada.ID, crown.ID, idAt(noon, 3))
		var poor *storage.InsufficientFundsError
		if !errors.As(err, &poor) || *poor != (storage.InsufficientFundsError{Have: 40, Need: 900}) {
			t.Fatalf("got error %v, want that 900 coins are needed and 40 there", err)
		}
		mustBe(t, k.Shop.Equip(t.Context(), ada.ID, cap.ID), storage.ErrNotOwned)
	})
	must(t, k.Shop.Unequip(t.Context(), ada.ID, "head"))
	k.reconciled(t)
}

// coinsNeverBelowZero: of many purchases at once, exactly as many succeed as
// the purse pays for.
func coinsNeverBelowZero(t *testing.T, k kit) {
	const buyers, price, affordable = 16, 30, 3 // of 100 coins
	ada := k.user(t, "ada")
	items := make([]models.ShopItem, buyers)
	for i := range items {
		items[i] = k.item(t, fmt.Sprint("item-", i), price)
	}
	bought := 0
	for _, err := range atOnce(buyers, func(i int) error {
		_, err := k.Shop.Purchase(t.Context(), ada.ID, items[i].ID, idAt(noon, int64(i)))
		return err
	}) {
		var poor *storage.InsufficientFundsError
		switch {
		case err == nil:
			bought++
		case !errors.As(err, &poor):
			t.Errorf("got error %v, want an *InsufficientFundsError", err)
		}
	}
	equal(t, "purchases", bought, affordable)
	balance, err := k.Coins.Balance(t.Context(), ada.ID)
	must(t, err)
	equal(t, "coins left", balance, 100-affordable*price)
	entries, err := k.Coins.Ledger(t.Context(), ada.ID, 0, 0)
	must(t, err)
	equal(t, "entries of the ledger", len(entries), 1+affordable)
	k.reconciled(t)
}
