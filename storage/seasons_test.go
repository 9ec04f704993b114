package storage

import (
	"strconv"
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
)

func mustZone(tb testing.TB, name string) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

// N11: a week is as long as the clocks on the wall make it.
func TestSeasonOf_Lengths(t *testing.T) {
	for _, test := range []struct {
		zone   string
		at     string // local time
		id     int64
		starts string // UTC
		hours  float64
	}{
		{"America/New_York", "2026-05-13 12:00", 20260510, "2026-05-10T04:00:00Z", 168},
		// The clocks change on Sunday at 02:00, two hours after the bell.
		{"America/New_York", "2026-03-07 23:59", 20260301, "2026-03-01T05:00:00Z", 168},
		{"America/New_York", "2026-03-08 12:00", 20260308, "2026-03-08T05:00:00Z", 167},
		{"America/New_York", "2026-10-31 23:59", 20261025, "2026-10-25T04:00:00Z", 168},
		{"America/New_York", "2026-11-01 12:00", 20261101, "2026-11-01T04:00:00Z", 169},
		{"America/New_York", "2026-11-08 00:00", 20261108, "2026-11-08T05:00:00Z", 168},
		// Across the year.
		{"America/New_York", "2026-12-31 12:00", 20261227, "2026-12-27T05:00:00Z", 168},
		{"America/New_York", "2027-01-01 12:00", 20261227, "2026-12-27T05:00:00Z", 168},
		{"America/New_York", "2024-02-29 12:00", 20240225, "2024-02-25T05:00:00Z", 168},
		{"UTC", "2026-05-13 12:00", 20260510, "2026-05-10T00:00:00Z", 168},
		{"Asia/Kolkata", "2026-05-13 12:00", 20260510, "2026-05-09T18:30:00Z", 168},
		// Half an hour of daylight saving.
		{"Australia/Lord_Howe", "2026-04-05 12:00", 20260405, "2026-04-04T13:00:00Z", 168.5},
		{"Australia/Lord_Howe", "2026-10-04 12:00", 20261004, "2026-10-03T13:30:00Z", 167.5},
		// Where the clocks go forward at midnight, Sunday begins at 01:00.
		{"America/Havana", "2026-03-08 12:00", 20260308, "2026-03-08T05:00:00Z", 167},
		{"America/Sao_Paulo", "2018-11-04 12:00", 20181104, "2018-11-04T03:00:00Z", 167},
		{"America/Sao_Paulo", "2018-11-03 23:59", 20181028, "2018-10-28T03:00:00Z", 168},
		{"Asia/Beirut", "2026-03-29 12:00", 20260329, "2026-03-28T22:00:00Z", 167},
		// Where they go back to 23:00, Saturday is the longer.
		{"America/Sao_Paulo", "2018-02-17 22:30", 20180211, "2018-02-11T02:00:00Z", 169},
		{"America/Sao_Paulo", "2018-02-18 00:00", 20180218, "2018-02-18T03:00:00Z", 168},
		{"Asia/Beirut", "2026-10-24 22:30", 20261018, "2026-10-17T21:00:00Z", 169},
		{"Asia/Beirut", "2026-10-25 00:00", 20261025, "2026-10-24T22:00:00Z", 168},
		// Where Sunday has two midnights, it begins at the first.
		{"America/Havana", "2026-11-01 12:00", 20261101, "2026-11-01T04:00:00Z", 169},
		{"Atlantic/Azores", "2026-10-25 12:00", 20261025, "2026-10-25T00:00:00Z", 169},
		{"Europe/Bucharest", "1993-09-26 12:00", 19930926, "1993-09-25T21:00:00Z", 169},
		{"Asia/Magadan", "2014-10-26 12:00", 20141026, "2014-10-25T12:00:00Z", 170},
		{"Antarctica/Casey", "2020-03-08 12:00", 20200308, "2020-03-07T13:00:00Z", 171},
		// Here Sunday loses its midnight hour in spring, too.
		{"Atlantic/Azores", "2026-03-29 12:00", 20260329, "2026-03-29T01:00:00Z", 167},
	} {
		t.Run(test.zone+" "+test.at, func(t *testing.T) {
			zone := mustZone(t, test.zone)
			at, err := time.ParseInLocation("2006-01-02 15:04", test.at, zone)
			if err != nil {
				t.Fatal(err)
			}
			got := seasonOf(at, zone)
			if got.ID != test.id || got.Zone != test.zone || got.SettledAt != nil {
				t.Errorf("got season %d of %s, want %d", got.ID, got.Zone, test.id)
			}
			if starts := got.StartsAt.Format(time.RFC3339); starts != test.starts {
				t.Errorf("it starts at %s, want %s", starts, test.starts)
			}
			if hours := got.EndsAt.Sub(got.StartsAt).Hours(); hours != test.hours {
				t.Errorf("it has %v hours, want %v", hours, test.hours)
			}
		})
	}
}

// To the millisecond, the bell belongs to the season that it begins.
func TestSeasonOf_Bell(t *testing.T) {
	zone := mustZone(t, "America/New_York")
	for week := range 60 {
		bell := time.Date(2026, 1, 4+7*week, 0, 0, 0, 0, zone)
		before, after := seasonOf(bell.Add(-time.Millisecond), zone), seasonOf(bell, zone)
		if !before.EndsAt.Equal(bell) || !after.StartsAt.Equal(bell) {
			t.Errorf("around %s the seasons are %+v and %+v", bell, before, after)
		}
	}
}

// Over ten years of hours: a season contains its moments, the next one begins
// where it ends, and its id is the Sunday that the calendar says.
func TestSeasonOf_TenYears(t *testing.T) {
	for _, name := range []string{
		"America/New_York", "UTC", "Europe/London", "Asia/Kathmandu", "Australia/Lord_Howe",
		"America/Havana", "America/Santiago", "America/Asuncion", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca",
		"Atlantic/Azores", "America/Sao_Paulo", "Pacific/Kiritimati", "Pacific/Apia",
	} {
		t.Run(name, func(t *testing.T) {
			zone := mustZone(t, name)
			from := time.Date(2018, 1, 1, 0, 30, 0, 0, time.UTC)
			season := seasonOf(from, zone)
			for at := from; at.Year() < 2028; at = at.Add(time.Hour) {
				next := seasonOf(at, zone)
				mustContain(t, next, at, zone)
				if next.ID == season.ID {
					if next != season {
						t.Fatalf("at %s the season is %+v, and before %+v", at, next, season)
					}
					continue
				}
				if !next.StartsAt.Equal(season.EndsAt) {
					t.Fatalf("season %d begins at %s, and the one before it ends at %s", next.ID, next.StartsAt, season.EndsAt)
				}
				mustBeginOnSunday(t, next, zone)
				season = next
			}
		})
	}
}

func mustContain(tb testing.TB, s models.Season, at time.Time, zone *time.Location) {
	tb.Helper()
	if at.Before(s.StartsAt) || !at.Before(s.EndsAt) {
		tb.Fatalf("%s is not in its season, %+v", at, s)
	}
	year, month, day := at.In(zone).Date()
	sunday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	for sunday.Weekday() != time.Sunday {
		sunday = sunday.AddDate(0, 0, -1)
	}
	if want := sunday.Format("20060102"); strconv.FormatInt(s.ID, 10) != want {
		tb.Fatalf("the season of %s is %d, want %s", at.In(zone), s.ID, want)
	}
}

// mustBeginOnSunday fails unless a season begins with the first moment of one.
func mustBeginOnSunday(tb testing.TB, s models.Season, zone *time.Location) {
	tb.Helper()
	first, last := s.StartsAt.In(zone), s.StartsAt.Add(-time.Nanosecond).In(zone)
	if first.Weekday() != time.Sunday || last.Weekday() != time.Saturday {
		tb.Fatalf("season %d begins at %s, right after %s", s.ID, first, last)
	}
}
