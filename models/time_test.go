package models_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/flashstore/flashstore/models"
)

// event is a row as applications have it on plain GORM, milliEvent the same
// with the serializer.
type event struct {
	ID   int64
	Name string
	At   time.Time
}

type milliEvent struct {
	ID    int64
	Name  string
	At    time.Time  `gorm:"serializer:flashstore_millis"`
	Until *time.Time `gorm:"serializer:flashstore_millis"`
}

// Without STRICT, so that a column may hold anything at all.
const createMilliEvents = "CREATE TABLE milli_events (id INTEGER PRIMARY KEY, name TEXT, at INTEGER, until INTEGER)"

func newMilliEvents(t *testing.T) *gorm.DB {
	t.Helper()
	db := newFile(t)
	must(t, db.Exec(createMilliEvents).Error)
	return db
}

// In Tokyo it is 10 o'clock an hour before it is 2 o'clock in London.
var (
	inTokyo  = time.Date(2026, time.March, 1, 10, 0, 0, 0, tokyo)
	inLondon = time.Date(2026, time.March, 1, 2, 0, 0, 0, time.UTC)
)

func TestT20_OrderAcrossZones(t *testing.T) {
	if !inTokyo.Before(inLondon) {
		t.Fatal("the test's times are the wrong way round")
	}
	t.Run("plain GORM", func(t *testing.T) {
		db := newFile(t)
		must(t, db.AutoMigrate(&event{}))
		must(t, db.Create([]event{{Name: "Tokyo", At: inTokyo}, {Name: "London", At: inLondon}}).Error)
		var names []string
		must(t, db.Model(&event{}).Order("at").Pluck("name", &names).Error)
		if diff := cmp.Diff([]string{"London", "Tokyo"}, names); diff != "" {
			t.Errorf("plain GORM sorts better than it did (-want +got)\n%s", diff)
		}
	})
	t.Run("milliseconds", func(t *testing.T) {
		db := newMilliEvents(t)
		must(t, db.Create([]milliEvent{{Name: "London", At: inLondon}, {Name: "Tokyo", At: inTokyo}}).Error)
		var events []milliEvent
		must(t, db.Order("at").Find(&events).Error)
		want := []milliEvent{{ID: 2, Name: "Tokyo", At: inTokyo.UTC()}, {ID: 1, Name: "London", At: inLondon}}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("events by time (-want +got)\n%s", diff)
		}
		for _, e := range events {
			if e.At.Location() != time.UTC {
				t.Errorf("%s is in %v", e.Name, e.At.Location())
			}
		}
	})
}

func TestT20_Garbage(t *testing.T) {
	t.Run("plain GORM", func(t *testing.T) {
		db := newFile(t)
		must(t, db.AutoMigrate(&event{}))
		must(t, db.Exec("INSERT INTO events (at) VALUES ('soon')").Error)
		var got event
		if err := db.Take(&got).Error; err != nil || !got.At.IsZero() {
			t.Errorf("plain GORM reads 'soon' as %v (%v), better than it did", got.At, err)
		}
	})
	for _, garbage := range []string{"'soon'", "''", "'2026-03-01 10:00:00+09:00'", "1.5", "x'00'"} {
		t.Run("milliseconds/"+garbage, func(t *testing.T) {
			db := newMilliEvents(t)
			must(t, db.Exec("INSERT INTO milli_events (at, until) VALUES ("+garbage+", "+garbage+")").Error)
			for _, column := range []string{"at", "until"} {
				var got milliEvent
				err := db.Select(column).Take(&got).Error
				if err == nil || !strings.Contains(err.Error(), column) {
					t.Errorf("%s is read as %v and %v (%v), want an error that names the column", garbage, got.At, got.Until, err)
				}
			}
		})
	}
	t.Run("tables of ours take none", func(t *testing.T) {
		db := newTables(t)
		user := newUser("ada")
		must(t, db.Create(&user).Error)
		if err := db.Exec("UPDATE users SET created_at = 'soon'").Error; err == nil {
			t.Error("text is stored for a time")
		}
		// A map of columns goes past the serializers.
		if err := db.Model(&user).Updates(map[string]any{"created_at": noon}).Error; err == nil {
			t.Error("GORM's text is stored for a time")
		}
	})
}

// A time is kept to the millisecond, in UTC, before 1970 too; what is finer is
// cut off, towards the past.
func TestTimesRoundTrip(t *testing.T) {
	db := newMilliEvents(t)
	times := rapid.Custom(func(t *rapid.T) time.Time {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "Tokyo") {
			return at.In(tokyo)
		}
		return at
	})
	rapid.Check(t, func(t *rapid.T) {
		at := times.Draw(t, "at")
		row := milliEvent{At: at}
		if rapid.Bool().Draw(t, "ends") {
			row.Until = &at
		}
		if err := db.Create(&row).Error; err != nil {
			t.Fatal(err)
		}
		var got milliEvent
		if err := db.Take(&got, row.ID).Error; err != nil {
			t.Fatal(err)
		}
		want := milliEvent{ID: row.ID, At: floor(at)}
		if row.Until != nil {
			until := floor(at)
			want.Until = &until
		}
		if diff := cmp.Diff(want, got); diff != "" || got.At.Location() != time.UTC {
			t.Errorf("in %v (-want +got)\n%s", got.At.Location(), diff)
		}
	})
}

func floor(at time.Time) time.Time { return at.UTC().Truncate(time.Millisecond) }

func TestTimesBefore1970(t *testing.T) {
	db := newMilliEvents(t)
	moon := time.Date(1969, time.July, 20, 20, 17, 40, 999_999_999, time.UTC)
	must(t, db.Create([]milliEvent{{Name: "zero"}, {Name: "moon", At: moon}, {Name: "1970", At: time.Unix(0, 0)}, {Name: "noon", At: noon}}).Error)
	var got []milliEvent
	must(t, db.Order("at").Find(&got).Error)
	want := []milliEvent{
		{ID: 1, Name: "zero"}, {ID: 2, Name: "moon", At: moon.Add(-999_999)}, {ID: 3, Name: "1970", At: time.UnixMilli(0).UTC()}, {ID: 4, Name: "noon", At: noon},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events by time (-want +got)\n%s", diff)
	}
	if !got[0].At.IsZero() {
		t.Errorf("the zero time is read as %v", got[0].At)
	}
}

// A season that is not settled has no time for it: NULL, not the zero time.
func TestNilTime(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		season := models.Season{ID: 20260301, StartsAt: noon, EndsAt: noon.Add(7 * 24 * time.Hour), Zone: "Asia/Tokyo"}
		must(t, db.Create(&season).Error)
		open := int64(0)
		must(t, db.Model(&models.Season{}).Where("settled_at IS NULL").Count(&open).Error)
		if open != 1 {
			t.Errorf("%d seasons have no time of settlement, want 1", open)
		}
		mustReadSeason(t, db, season)

		settled := noon.In(tokyo)
		season.SettledAt = &settled
		must(t, db.Model(&season).Select("settled_at").Updates(&season).Error)
		mustReadSeason(t, db, season)

		season.SettledAt = nil
		must(t, db.Model(&season).Select("settled_at").Updates(&season).Error)
		mustReadSeason(t, db, season)
	})
}

// mustReadSeason reads into a row that has a time already, as a loop might.
func mustReadSeason(t *testing.T, db *gorm.DB, want models.Season) {
	t.Helper()
	before := noon.Add(-time.Hour)
	got := models.Season{SettledAt: &before}
	must(t, db.Take(&got).Error)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("season (-want +got)\n%s", diff)
	}
}

// GORM fills in CreatedAt and UpdatedAt with its own clock where it may; a
// store has one clock, and the times of a log are not the clock's at all.
func TestGORMFillsInNoTimes(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		user := newUser("ada")
		user.CreatedAt, user.UpdatedAt = time.Time{}, time.Time{}
		must(t, db.Create(&user).Error)
		user.Name = "Bea"
		must(t, db.Model(&user).Select("name").Updates(&user).Error)
		must(t, db.Model(&user).Updates(&models.User{Coins: 7}).Error)
		var got models.User
		must(t, db.Take(&got, user.ID).Error)
		if !got.CreatedAt.IsZero() || !got.UpdatedAt.IsZero() {
			t.Errorf("GORM set created_at to %v and updated_at to %v", got.CreatedAt, got.UpdatedAt)
		}
		if got.Name != "Bea" || got.Coins != 7 {
			t.Errorf("the user is %+v", got)
		}
	})
}
