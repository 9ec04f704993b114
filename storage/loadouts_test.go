package storage_test

import (
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustBreak runs fn in a transaction without foreign keys, as a program does
// that knows nothing of ours.
func MustBreak(tb testing.TB, f *fixture, fn func(tx *gorm.DB)) {
	tb.Helper()
	plain := MustOpenGORM(tb, f.path, &gorm.Config{Logger: logger.Discard})
	must(tb, plain.Transaction(func(tx *gorm.DB) error {
		MustExec(tb, tx, pick(tx, "SELECT 1", "SET LOCAL session_replication_role = replica"))
		fn(tx)
		return nil
	}))
}

// N14: what another program has put where it does not belong is found and
// repaired; all else stays.
func TestShop_Loadouts(t *testing.T) {
	f := MustOpen(t)
	users := MustUsers(t, f, 7)
	hat, boots := MustItem(t, f.Store, "hat", "head", 1), MustItem(t, f.Store, "boots", "feet", 1)
	scarf, lost := MustItem(t, f.Store, "scarf", "neck", 1), MustItem(t, f.Store, "lost", "hand", 1)
	for _, user := range users {
		for i, item := range []models.ShopItem{hat, boots, lost} {
			MustPurchase(t, f.Store, user.ID, item.ID, idAt(noon, int64(i)))
		}
		must(t, f.Shop.Equip(ctx, user.ID, hat.ID))
	}
	findings, err := f.Shop.CheckLoadouts(ctx)
	must(t, err)
	equal(t, findings, nil)
	MustNotChange(t, f, func() {
		repairs, err := f.Shop.RepairLoadouts(ctx)
		must(t, err)
		equal(t, repairs, nil)
	})

	id := func(n int) int64 { return users[n].ID }
	MustBreak(t, f, func(tx *gorm.DB) {
		wear := func(user int64, slot string, item models.ShopItem) {
			MustExec(t, tx, "DELETE FROM loadouts WHERE user_id = ? AND slot = ?", user, slot)
			MustExec(t, tx, "INSERT INTO loadouts VALUES (?, ?, ?)", user, slot, item.ID)
		}
		wear(id(1), "feet", hat)   // its own slot has it already
		wear(id(2), "head", boots) // its own slot is empty
		wear(id(3), "head", boots) // in each other's
		wear(id(3), "feet", hat)
		wear(id(4), "neck", scarf) // not owned
		wear(id(5), "hand", lost)  // there is no such item any more
		wear(99, "head", hat)      // nor such a user
		MustExec(t, tx, "DELETE FROM shop_items WHERE id = ?", lost.ID)
	})

	want := []storage.LoadoutRepair{
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(1), Slot: "feet", ItemID: hat.ID, OwnSlot: "head", Fault: storage.WornElsewhere}},
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(2), Slot: "head", ItemID: boots.ID, OwnSlot: "feet", Fault: storage.WornElsewhere}, MovedTo: "feet"},
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(3), Slot: "feet", ItemID: hat.ID, OwnSlot: "head", Fault: storage.WornElsewhere}, MovedTo: "head"},
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(3), Slot: "head", ItemID: boots.ID, OwnSlot: "feet", Fault: storage.WornElsewhere}, MovedTo: "feet"},
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(4), Slot: "neck", ItemID: scarf.ID, OwnSlot: "neck", Fault: storage.WornNotOwned}},
		{LoadoutFinding: storage.LoadoutFinding{UserID: id(5), Slot: "hand", ItemID: lost.ID, Fault: storage.WornUnknown}},
		{LoadoutFinding: storage.LoadoutFinding{UserID: 99, Slot: "head", ItemID: hat.ID, OwnSlot: "head", Fault: storage.WornNotOwned}},
	}
	wantFindings := make([]storage.LoadoutFinding, len(want))
	for i, repair := range want {
		wantFindings[i] = repair.LoadoutFinding
	}
	MustNotChange(t, f, func() {
		findings, err = f.Shop.CheckLoadouts(ctx)
		must(t, err)
		equal(t, findings, wantFindings)
	})
	repairs, err := f.Shop.RepairLoadouts(ctx)
	must(t, err)
	equal(t, repairs, want)
	findings, err = f.Shop.CheckLoadouts(ctx)
	must(t, err)
	equal(t, findings, nil)
	for n, slugs := range [][]string{{"hat"}, {"hat"}, {"boots"}, {"hat", "boots"}, {"hat"}, {"hat"}, {"hat"}} {
		equal(t, worn(t, f, id(n)), slugs)
	}
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM loadouts"), 8)
	MustReconcile(t, f.Store)
}

// Repairs from two stores at once do not undo each other.
func TestShop_RepairLoadouts_AtOnce(t *testing.T) {
	f := MustOpen(t)
	stores := []*fixture{f, another(t, f)}
	users := MustUsers(t, f, 8)
	boots := MustItem(t, f.Store, "boots", "feet", 1)
	for i, user := range users {
		MustPurchase(t, f.Store, user.ID, boots.ID, idAt(noon, int64(i)))
		MustExec(t, f.db, "INSERT INTO loadouts VALUES (?, 'head', ?)", user.ID, boots.ID)
	}
	repaired := make([]int, 8)
	for _, err := range atOnce(len(repaired), func(i int) error {
		repairs, err := stores[i%2].Shop.RepairLoadouts(ctx)
		repaired[i] = len(repairs)
		return err
	}) {
		must(t, err)
	}
	total := 0
	for _, n := range repaired {
		total += n
	}
	equal(t, total, len(users))
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM loadouts WHERE slot = 'feet'"), 8)
}

func TestLoadoutFinding_String(t *testing.T) {
	f := storage.LoadoutFinding{UserID: 4, Slot: "head", ItemID: 3, OwnSlot: "feet", Fault: storage.WornElsewhere}
	equal(t, f.String(), `user 4, slot "head": item 3 of slot "feet" is in another slot`)
}
