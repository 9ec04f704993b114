package storage_test

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/storage"
)

// P8, N11: bells are where the calendar has them, over both changes of the
// clocks.
func TestLeagues_Schedule(t *testing.T) {
	f := MustOpen(t)
	for _, test := range []struct {
		name  string
		at    string
		ids   []int64
		hours []float64
		bell  string // before the moment
	}{
		{"Spring", "2026-03-07T23:59:59-05:00", []int64{20260301, 20260308, 20260315}, []float64{168, 167, 168}, "2026-03-01T05:00:00Z"},
		{"SpringChanged", "2026-03-08T03:00:00-04:00", []int64{20260308, 20260315}, []float64{167, 168}, "2026-03-08T05:00:00Z"},
		{"Autumn", "2026-10-31T12:00:00-04:00", []int64{20261025, 20261101, 20261108}, []float64{168, 169, 168}, "2026-10-25T04:00:00Z"},
		{"AutumnChanged", "2026-11-01T01:30:00-05:00", []int64{20261101, 20261108}, []float64{169, 168}, "2026-11-01T04:00:00Z"},
		{"Bell", "2026-05-10T00:00:00-04:00", []int64{thisSeason}, []float64{168}, "2026-05-10T04:00:00Z"},
		{"BeforeTheBell", "2026-05-09T23:59:59.999-04:00", []int64{lastSeason, thisSeason}, []float64{168, 168}, "2026-05-03T04:00:00Z"},
		{"Year", "2026-12-31T12:00:00-05:00", []int64{20261227, 20270103}, []float64{168, 168}, "2026-12-27T05:00:00Z"},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, test.at)
			must(t, err)
			got, err := f.Leagues.Schedule(ctx, at, len(test.ids))
			must(t, err)
			equal(t, len(got), len(test.ids))
			equal(t, got[0].StartsAt.Format(time.RFC3339), test.bell)
			for i, season := range got {
				equal(t, season.ID, test.ids[i])
				equal(t, season.EndsAt.Sub(season.StartsAt).Hours(), test.hours[i])
				if i > 0 {
					equal(t, season.StartsAt, got[i-1].EndsAt)
				}
			}
		})
	}
	t.Run("OK/Default", func(t *testing.T) {
		got, err := f.Leagues.Schedule(ctx, noon, 0)
		must(t, err)
		equal(t, len(got), 50)
		equal(t, got[49].ID, 20270418)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, weeks := range []int{-1, 1001} {
			_, err := f.Leagues.Schedule(ctx, noon, weeks)
			mustBeInvalid(t, err, "weeks")
		}
		_, err := f.Leagues.Schedule(ctx, time.Time{}, 1)
		mustBeInvalid(t, err, "at")
	})
	t.Run("ErrNotInUse", func(t *testing.T) {
		_, err := storage.New(storage.Config{}).Leagues.Schedule(ctx, noon, 1)
		mustBe(t, err, storage.ErrNotInUse)
	})
}

// A season that is an hour shorter, or longer, is settled at its own bell.
func TestLeagues_Settle_DaylightSaving(t *testing.T) {
	for _, test := range []struct {
		id   int64
		ends string
	}{
		{20260308, "2026-03-15T04:00:00Z"},
		{20261101, "2026-11-08T05:00:00Z"},
	} {
		ends, err := time.Parse(time.RFC3339, test.ends)
		must(t, err)
		f := MustOpen(t)
		f.clock.Set(ends.Add(-time.Millisecond))
		user := MustUser(t, f.Store, "ada")
		equal(t, MustBookXP(t, f.Store, user.ID, 20, ends.Add(-time.Millisecond)).ID, test.id)
		equal(t, MustSettleDue(t, f.Store), nil)
		f.clock.Set(ends)
		equal(t, MustSettleDue(t, f.Store), []int64{test.id})
	}
}
