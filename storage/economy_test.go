package storage_test

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/storage"
)

// N13: what was made and spent, by UTC day and reason.
func TestCoins_Economy(t *testing.T) {
	f := MustOpen(t)
	day := func(n int) time.Time { return time.Date(2026, 5, 13+n, 0, 0, 0, 0, time.UTC) }
	hat := MustItem(t, f.Store, "hat", "head", 60)
	boots := MustItem(t, f.Store, "boots", "feet", 0)
	ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "1+1", 0), right(2, "1+1", 0))) // 8 XP, 4 coins
	f.clock.Set(day(1).Add(-time.Millisecond))
	MustPurchase(t, f.Store, ada.ID, hat.ID, idAt(noon, 1))
	f.clock.Set(day(1))
	MustPurchase(t, f.Store, bob.ID, hat.ID, idAt(noon, 2))
	MustPurchase(t, f.Store, bob.ID, boots.ID, idAt(noon, 3))
	MustRefund(t, f.Store, ada.ID, hat.ID, idAt(noon, 4))
	MustGrant(t, f.Store, ada.ID, idAt(noon, 5), 7)
	MustGrant(t, f.Store, bob.ID, idAt(noon, 6), -9)
	f.clock.Set(day(3).Add(time.Hour))
	MustGrant(t, f.Store, bob.ID, idAt(noon, 7), 1)

	all := []storage.EconomyLine{
		{Day: day(0), Reason: "purchase", Spent: 60, Entries: 1},
		{Day: day(0), Reason: "session", Made: 4, Entries: 1},
		{Day: day(0), Reason: "welcome", Made: 200, Entries: 2},
		{Day: day(1), Reason: "purchase", Spent: 60, Entries: 2},
		{Day: day(1), Reason: "quest", Made: 7, Spent: 9, Entries: 2},
		{Day: day(1), Reason: "refund", Made: 60, Entries: 1},
		{Day: day(3), Reason: "quest", Made: 1, Entries: 1},
	}
	ever := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name     string
		from, to time.Time
		want     []storage.EconomyLine
	}{
		{"All", time.Unix(0, 0), ever, all},
		{"OneDay", day(1), day(2), all[3:6]},
		{"FirstDay", day(0), day(1), all[:3]},
		{"ToTheMillisecond", day(1).Add(-time.Millisecond), day(1), all[:1]},
		{"InAnotherZone", day(1).In(time.FixedZone("", -4*60*60)), day(2).In(time.FixedZone("", 2*60*60)), all[3:6]},
		{"WithoutEntries", day(2), day(3), nil},
		{"NoTime", day(1), day(1), nil},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			got, err := f.Coins.Economy(ctx, test.from, test.to)
			must(t, err)
			equal(t, got, test.want)
		})
	}
	t.Run("OK/Balances", func(t *testing.T) {
		var left int64
		for _, line := range all {
			left += line.Made - line.Spent
		}
		equal(t, left, MustInt(t, f.db, "SELECT sum(coins) FROM users"))
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		_, err := f.Coins.Economy(ctx, time.Unix(-1, 0), noon)
		mustBeInvalid(t, err, "from")
		_, err = f.Coins.Economy(ctx, noon, ever.AddDate(1, 0, 0))
		mustBeInvalid(t, err, "to")
		_, err = f.Coins.Economy(ctx, noon, noon.Add(-time.Millisecond))
		mustBeInvalid(t, err, "to")
	})
	MustReconcile(t, f.Store)
}
