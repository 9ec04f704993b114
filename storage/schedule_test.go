package storage_test

import (
	"errors"
	"fmt"
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
		zone         string
		id, next     int64
		starts, ends string
	}{
		{"America/New_York", 20260308, 20260315, "2026-03-08T05:00:00Z", "2026-03-15T04:00:00Z"},
		{"America/New_York", 20261101, 20261108, "2026-11-01T04:00:00Z", "2026-11-08T05:00:00Z"},
		// Winter begins in April, summer in September or October.
		{"Australia/Sydney", 20260405, 20260412, "2026-04-04T13:00:00Z", "2026-04-11T14:00:00Z"},
		{"Australia/Sydney", 20261004, 20261011, "2026-10-03T14:00:00Z", "2026-10-10T13:00:00Z"},
		{"Pacific/Auckland", 20260405, 20260412, "2026-04-04T11:00:00Z", "2026-04-11T12:00:00Z"},
		{"Pacific/Auckland", 20260927, 20261004, "2026-09-26T12:00:00Z", "2026-10-03T11:00:00Z"},
		// The clocks change at the bell itself: back to Saturday, 23:00, and
		// on to Sunday, 01:00.
		{"America/Santiago", 20260329, 20260405, "2026-03-29T03:00:00Z", "2026-04-05T04:00:00Z"},
		{"America/Santiago", 20260906, 20260913, "2026-09-06T04:00:00Z", "2026-09-13T03:00:00Z"},
	} {
		t.Run(fmt.Sprint(test.zone, " ", test.id), func(t *testing.T) {
			starts, err := time.Parse(time.RFC3339, test.starts)
			must(t, err)
			ends, err := time.Parse(time.RFC3339, test.ends)
			must(t, err)
			f := MustOpen(t, withRules(func(r *storage.Rules) { r.Zone = test.zone }))
			f.clock.Set(ends.Add(-time.Millisecond))
			user := MustUser(t, f.Store, "ada")
			for _, at := range []time.Time{starts, ends.Add(-time.Millisecond)} {
				equal(t, MustBookXP(t, f.Store, user.ID, 20, at).ID, test.id)
			}
			before := MustBookXP(t, f.Store, user.ID, 20, starts.Add(-time.Millisecond))
			equal(t, before.EndsAt, starts)
			equal(t, MustSettleDue(t, f.Store), []int64{before.ID})
			_, err = f.Leagues.Settle(ctx, test.id)
			var open *storage.SeasonOpenError
			if !errors.As(err, &open) || *open != (storage.SeasonOpenError{SeasonID: test.id, EndsAt: ends}) {
				t.Fatalf("got error %v, want that the season runs until %s", err, ends)
			}
			f.clock.Set(ends)
			equal(t, MustBookXP(t, f.Store, user.ID, 20, ends).ID, test.next)
			equal(t, MustSettleDue(t, f.Store), []int64{test.id})
		})
	}
}
