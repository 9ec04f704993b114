package storagetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

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

// grants: coins for the application's own reasons, once under one id.
func grants(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	quest := func(id models.ID, delta int64, reason string) (models.CoinEntry, error) {
		return k.Coins.Grant(t.Context(), ada.ID, id, delta, reason, "monday")
	}
	want, err := quest(idAt(noon, 1), 50, "quest")
	must(t, err)
	equal(t, "number, change and balance", []int64{want.Seq, want.Delta, want.BalanceAfter}, []int64{2, 50, 150})
	k.stays(t, func() {
		again, err := quest(idAt(noon, 1), 50, "quest")
		must(t, err)
		equal(t, "entry of a retry", again, want)
		_, err = quest(idAt(noon, 1), 51, "quest")
		mustBe(t, err, storage.ErrConflict)
		_, err = quest(idAt(noon, 2), 50, "session")
		mustBe(t, err, storage.ErrInvalid)
		_, err = quest(idAt(noon, 2), -151, "quest")
		var poor *storage.InsufficientFundsError
		if !errors.As(err, &poor) || *poor != (storage.InsufficientFundsError{Have: 150, Need: 151}) {
			t.Fatalf("got error %v, want that 151 coins are needed and 150 there", err)
		}
		_, err = k.Coins.Grant(t.Context(), ada.ID+1, idAt(noon, 2), 1, "quest", "")
		mustBe(t, err, storage.ErrNotFound)
	})
	entry, err := quest(idAt(noon, 2), -150, "fine")
	must(t, err)
	equal(t, "balance", entry.BalanceAfter, 0)
	k.reconciled(t)

	must(t, k.db.Exec("UPDATE coin_ledger SET delta = 49 WHERE delta = 50").Error)
	found, err := k.Coins.Reconcile(t.Context(), ada.ID)
	must(t, err)
	if found == nil || found.UserID != ada.ID || found.Seq != 2 {
		t.Fatalf("got %v, want the break at entry 2", found)
	}
	must(t, k.db.Exec("UPDATE coin_ledger SET delta = 50 WHERE delta = 49").Error)
	k.reconciled(t)
}

// economy: what was made and spent, by day and reason, is what there is.
func economy(t *testing.T, k kit) {
	ada, bob, hat := k.user(t, "ada"), k.user(t, "bob"), k.item(t, "hat", 60)
	k.submit(t, session(ada.ID, 0, answer(1, "8+7", true, 100), answer(2, "1+1", true, 100)))
	k.clock.set(noon.Add(24 * time.Hour))
	for i, user := range []models.User{ada, bob} {
		_, err := k.Shop.Purchase(t.Context(), user.ID, hat.ID, idAt(noon, int64(i)))
		must(t, err)
	}
	_, err := k.Coins.Grant(t.Context(), bob.ID, idAt(noon, 3), 7, "quest", "")
	must(t, err)
	lines, err := k.Coins.Economy(t.Context(), noon.Add(-48*time.Hour), noon.Add(48*time.Hour))
	must(t, err)
	first := noon.Truncate(24 * time.Hour)
	second := first.Add(24 * time.Hour)
	equal(t, "the economy", lines, []storage.EconomyLine{
		{Day: first, Reason: storage.ReasonSession, Made: 4, Entries: 1},
		{Day: first, Reason: storage.ReasonWelcome, Made: 200, Entries: 2},
		{Day: second, Reason: storage.ReasonPurchase, Spent: 120, Entries: 2},
		{Day: second, Reason: "quest", Made: 7, Entries: 1},
	})
	k.reconciled(t)
}
