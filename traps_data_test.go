package flashstore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// The traps of what is stored, and what becomes of it.

// A class has pupils, who go with it.
type (
	class struct {
		ID     int64
		Room   string
		Pupils []pupil `gorm:"constraint:OnDelete:CASCADE"`
	}
	pupil struct {
		ID      int64
		ClassID int64
	}
)

// schoolClass is the class of the application's next version: it belongs to a
// school, for which AutoMigrate adds a foreign key.
type schoolClass struct {
	ID       int64
	Room     string
	SchoolID *int64
	School   *school
}

func (schoolClass) TableName() string { return "classes" }

type school struct{ ID int64 }

// rebuilds are changes of a table that GORM's migrator makes by building the
// table anew and dropping the old one.
var rebuilds = []struct {
	name string
	run  func(db *gorm.DB) error
}{
	{"DropColumn", func(db *gorm.DB) error { return db.Migrator().DropColumn(&class{}, "room") }},
	{"AutoMigrate", func(db *gorm.DB) error { return db.AutoMigrate(&school{}, &schoolClass{}) }},
}

func trapTableRebuild(t *testing.T) {
	const pupils = "SELECT count(*) FROM pupils"
	fill := func(t *testing.T, db *gorm.DB) {
		must(t, db.AutoMigrate(&class{}, &pupil{}))
		must(t, db.Create(&class{Pupils: make([]pupil, 30)}).Error)
		mustBeInt(t, db, 30, pupils)
	}
	for _, rebuild := range rebuilds {
		t.Run("plain/"+rebuild.name, func(t *testing.T) {
			db := openPlain(t, newPath(t)+inWAL, quiet())
			fill(t, db)
			must(t, rebuild.run(db)) // err is nil
			mustBeInt(t, db, 0, pupils)
		})
	}
	for _, rebuild := range rebuilds {
		t.Run("flashstore/"+rebuild.name, func(t *testing.T) {
			db := openHooks(t, newPath(t), quiet())
			fill(t, db)
			mustBe(t, db.Transaction(rebuild.run), hooks.ErrRebuildInTransaction)
			mustBeInt(t, db, 30, pupils)
			must(t, rebuild.run(db))
			mustBeInt(t, db, 30, pupils)
			mustBeInt(t, db, 1, "SELECT count(*) FROM classes")
			report, err := maintenance.Check(t.Context(), db)
			must(t, err)
			if !report.OK() {
				t.Errorf("got %+v", report)
			}
			must(t, db.Delete(&class{}, 1).Error)
			mustBeInt(t, db, 0, pupils) // they still go with their class
		})
	}
}

func trapForeignKeyCheck(t *testing.T) {
	const stray = `
		CREATE TABLE leagues (id INTEGER PRIMARY KEY);
		CREATE TABLE members (id INTEGER PRIMARY KEY, league INTEGER REFERENCES leagues (id));
		INSERT INTO members VALUES (7, 3)`
	path := newPath(t)
	must(t, openPlain(t, path, quiet()).Exec(stray).Error) // nothing enforces the key there
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, path, quiet())
		must(t, db.Exec("PRAGMA foreign_key_check").Error) // err is nil
	})
	t.Run("flashstore", func(t *testing.T) {
		report, err := maintenance.Check(t.Context(), openHooks(t, path, quiet()))
		must(t, err)
		if report.OK() || len(report.ForeignKeys) != 1 {
			t.Fatalf("got %+v, want the row that is a stray", report)
		}
		if got := report.ForeignKeys[0]; got.Table != "members" || got.RowID == nil || *got.RowID != 7 || got.Parent != "leagues" {
			t.Fatalf("got %v", got)
		}
	})
}

// lesson has a time as GORM stores it; bell has one as flashstore's models do.
type (
	lesson struct {
		ID int64
		At time.Time
	}
	bell struct {
		ID int64
		At time.Time `gorm:"serializer:flashstore_millis;type:integer"`
	}
)

func trapTimesAsText(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	early := noon.In(time.FixedZone("Berlin", 3600)) // 13:00+01:00
	late := noon.Add(30 * time.Minute)               // 12:30+00:00
	const garbage = "UPDATE %s SET at = 'soon' WHERE id = 1"
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		must(t, db.AutoMigrate(&lesson{}))
		must(t, db.Create(&[]lesson{{ID: 1, At: early}, {ID: 2, At: late}}).Error)
		mustBeInt(t, db, 2, "SELECT id FROM lessons ORDER BY at LIMIT 1") // the later one
		must(t, db.Exec(fmt.Sprintf(garbage, "lessons")).Error)
		var got lesson
		must(t, db.First(&got, 1).Error) // err is nil
		if !got.At.IsZero() {
			t.Fatalf("got %v, want the zero time that this trap is about", got.At)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		t.Log("checked: the serializer flashstore_millis of package models, which any model may name in its tag; hooks alone changes no types")
		db := openHooks(t, newPath(t), quiet())
		must(t, db.AutoMigrate(&bell{}))
		must(t, db.Create(&[]bell{{ID: 1, At: early}, {ID: 2, At: late}}).Error)
		mustBeInt(t, db, 1, "SELECT id FROM bells ORDER BY at LIMIT 1")
		var got bell
		must(t, db.First(&got, 1).Error)
		if !got.At.Equal(early) {
			t.Fatalf("got %v, want %v", got.At, early)
		}
		must(t, db.Exec(fmt.Sprintf(garbage, "bells")).Error)
		if err := db.First(&bell{}, 1).Error; err == nil {
			t.Fatal("garbage was read as a time")
		}
	})
}

func trapTooManyVariables(t *testing.T) {
	const many = 20_000
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, "")
		rows := make([]item, many)
		if err := db.Create(&rows).Error; err == nil || !strings.Contains(err.Error(), "too many SQL variables") {
			t.Fatalf("got error %v, want the one that this trap is about", err)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		rows := make([]item, many)
		must(t, db.Create(&rows).Error)
		mustCount(t, db, many)
		if ids := slices.Compact(idsOf(rows)); len(ids) != many || ids[0] == 0 {
			t.Fatalf("%d rows know their id, want %d", len(ids), many)
		}
	})
	t.Run("flashstore/storage", func(t *testing.T) {
		const answered = 5000
		db := openPlain(t, newPath(t), quiet())
		store := storage.New(storage.Config{})
		must(t, db.Use(store))
		learner, err := store.Users.Create(t.Context(), storage.NewUser{UID: "ada"})
		must(t, err)
		s := session(learner.ID)
		for n := answers; n < answered; n++ {
			s.Answers = append(s.Answers, storage.Answer{
				ID: models.NewID(), Fact: fmt.Sprintf("%d + %d = ?", n, n), Correct: true, ResponseMS: 1500, At: s.EndedAt,
			})
		}
		_, err = store.Sessions.Submit(t.Context(), s)
		must(t, err)
		mustBeInt(t, db, answered, "SELECT count(*) FROM answer_events")
	})
}

// idsOf returns the ids of rows.
func idsOf(rows []item) (ids []int64) {
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return ids
}
