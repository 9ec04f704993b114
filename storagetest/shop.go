package storagetest

import (
	"errors"
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

// refund: it undoes a purchase at the price that was paid, once.
func refund(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 60)
	_, err := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
	must(t, err)
	must(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID))
	hat = k.item(t, "hat", 90)
	want := storage.RefundReceipt{Item: hat, Refunded: 60, Balance: 100}
	got, err := k.Shop.Refund(t.Context(), ada.ID, hat.ID, idAt(noon, 2))
	must(t, err)
	equal(t, "receipt", got, want)
	k.stays(t, func() {
		want.Repeated = true
		got, err := k.Shop.Refund(t.Context(), ada.ID, hat.ID, idAt(noon, 2))
		must(t, err)
		equal(t, "receipt of a retry", got, want)
		_, err = k.Shop.Refund(t.Context(), ada.ID, hat.ID, idAt(noon, 3))
		mustBe(t, err, storage.ErrNotOwned)
		mustBe(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID), storage.ErrNotOwned)
	})
	_, err = k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 4))
	must(t, err)
	k.reconciled(t)
}

// loadouts: what is worn is owned and in its slot; what another program has put
// elsewhere is found, and put back.
func loadouts(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 60)
	_, err := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
	must(t, err)
	must(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID))
	found(t, k)
	must(t, k.db.Exec("UPDATE loadouts SET slot = 'feet'").Error)
	finding := storage.LoadoutFinding{
		UserID: ada.ID, Slot: "feet", ItemID: hat.ID, OwnSlot: "head", Fault: storage.WornElsewhere,
	}
	found(t, k, finding)
	repairs, err := k.Shop.RepairLoadouts(t.Context())
	must(t, err)
	equal(t, "repairs", repairs, []storage.LoadoutRepair{{LoadoutFinding: finding, MovedTo: "head"}})
	found(t, k)
	must(t, k.Shop.Unequip(t.Context(), ada.ID, "head"))
}

// found fails unless CheckLoadouts finds just this, and changes nothing.
func found(t *testing.T, k kit, want ...storage.LoadoutFinding) {
	t.Helper()
	k.stays(t, func() {
		findings, err := k.Shop.CheckLoadouts(t.Context())
		must(t, err)
		equal(t, "findings", findings, want)
	})
}
