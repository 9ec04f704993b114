package models_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// all are the models, each as a row that the tables take, in the order in
// which they refer to each other, as either engine has them. No field is zero,
// but for what the database gives.
func all(postgres bool) []schema.Tabler {
	const userID, itemID, seasonID = 1, 1, 20260301
	settled := noon.Add(8 * 24 * time.Hour)
	user := newUser("ada")
	user.ID = userID
	answerID := models.NewID()
	archive := schema.Tabler(&models.ArchiveFile{ID: models.NewID(), MadeAt: noon})
	if postgres {
		archive = &models.ArchivedAnswer{UserID: userID, ID: models.NewID(), SessionID: models.NewID(), Operation: "addition", Fact: "2+3",
			Correct: true, ResponseTimeMS: 1500, CreatedAt: noon}
	}
	return []schema.Tabler{
		&models.League{ID: 6, Slug: "nadir", Name: "Nadir", Tier: 6},
		&user,
		&models.Season{ID: seasonID, StartsAt: noon, EndsAt: noon.Add(7 * 24 * time.Hour), Zone: "Asia/Tokyo", SettledAt: &settled},
		&models.Session{UserID: userID, ID: models.NewID(), Operation: "addition", StartedAt: noon, EndedAt: noon.Add(time.Minute),
			TotalCount: 10, CorrectCount: 9, AvgResponseMS: 1500, XPEarned: 30, CoinsEarned: 15, SeasonID: seasonID,
			PayloadHash: []byte{1, 2, 3}, CreatedAt: noon.Add(time.Second)},
		&models.AnswerEvent{UserID: userID, ID: answerID, SessionID: models.NewID(), Operation: "addition", Fact: "2+3",
			Correct: true, ResponseTimeMS: 1500, CreatedAt: noon},
		&models.SetAsideAnswer{AnswerEvent: models.AnswerEvent{UserID: userID, ID: models.NewID(), SessionID: models.NewID(),
			Operation: "addition", Fact: "2+3", Correct: true, ResponseTimeMS: 20, CreatedAt: noon},
			Reason: "too_fast", SetAsideAt: noon.Add(time.Minute), PayloadHash: []byte{1, 2, 3}},
		&models.MasteryStat{UserID: userID, Operation: "addition", Fact: "2+3", MasteryLevel: 120, LastDelta: -50, LastAnswerID: answerID,
			Attempts: 4, CorrectCount: 3, TotalResponseMS: 6000, LastResponseTime: 1400, UpdatedAt: noon},
		&models.MasteryRollup{UserID: userID, Operation: "addition", Fact: "2+3", TotalAttempts: 4, CorrectCount: 3,
			AvgResponseTime: 1500.5, MasteryLevel: 4, LastUpdated: noon},
		&models.RollupTask{UserID: userID},
		&models.LeagueParticipant{SeasonID: seasonID, LeagueID: 1, UserID: userID, WeeklyXP: 30, ReachedAt: noon},
		&models.BoardRange{SeasonID: seasonID, LeagueID: 2, FromMinusXP: -30, FromReachedAt: noon, FromUser: userID, Players: 5},
		&models.BoardMove{SeasonID: seasonID, LeagueID: 2, MinusXP: -30, ReachedAt: noon, OfUser: userID, Players: -1},
		&models.SeasonResult{SeasonID: seasonID, UserID: userID, LeagueID: 1, Rank: 2, WeeklyXP: 30, MovedTo: 3, Prize: 50},
		&models.ShopItem{ID: itemID, Slug: "hat", Name: "Hat", Description: "A hat", Slot: "head", Rarity: "common", Price: 20,
			AssetValue: "hat.svg", Active: true},
		&models.InventoryItem{UserID: userID, ItemID: itemID, PricePaid: 20, PurchaseID: models.NewID(), AcquiredAt: noon},
		&models.Loadout{UserID: userID, Slot: "head", ItemID: itemID},
		&models.CoinEntry{UserID: userID, Seq: 1, EntryID: models.NewID(), Delta: -20, BalanceAfter: 85, Reason: "purchase",
			Reference: "hat", CreatedAt: noon},
		&models.ArchiveHorizon{UserID: userID, BeforeID: models.NewID(), Answers: 3, MovedAt: noon},
		archive,
	}
}

// table is what a model and its table must agree on.
type table struct {
	Columns []string // sorted
	Key     []string // in the key's order
}

func tableOf(t *testing.T, db *gorm.DB, name string) table {
	t.Helper()
	columns, key := "SELECT name FROM pragma_table_info(?)", "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk"
	if isPostgres(db) {
		columns = "SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0"
		key = "SELECT column_name FROM information_schema.key_column_usage WHERE constraint_name = ? || '_pkey' ORDER BY ordinal_position"
	}
	var got table
	must(t, db.Raw(columns, name).Scan(&got.Columns).Error)
	must(t, db.Raw(key, name).Scan(&got.Key).Error)
	slices.Sort(got.Columns)
	return got
}

func tablesOf(t *testing.T, db *gorm.DB) (names []string) {
	t.Helper()
	query := "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if isPostgres(db) {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
	}
	must(t, db.Raw(query).Scan(&names).Error)
	slices.Sort(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "schema_migrations" })
}

func modelled(t *testing.T, model schema.Tabler, names schema.Namer) (table, string) {
	t.Helper()
	parsed, err := schema.Parse(model, &sync.Map{}, names)
	must(t, err)
	got := table{Columns: slices.Clone(parsed.DBNames), Key: parsed.PrimaryFieldDBNames}
	slices.Sort(got.Columns)
	return got, parsed.Table
}

// naming are strategies of applications. None of them reaches our names.
var naming = map[string]schema.Namer{
	"GORM's own": schema.NamingStrategy{},
	"singular, as they are": schema.NamingStrategy{
		TablePrefix: "app_", SingularTable: true, NoLowerCase: true, IdentifierMaxLength: 8,
	},
	"replaced": schema.NamingStrategy{NameReplacer: strings.NewReplacer("ID", "Key", "User", "Person", "_", "")},
}

func TestColumns(t *testing.T) {
	onEach(t, func(t *testing.T, db *gorm.DB) {
		for strategy, namer := range naming {
			t.Run(strategy, func(t *testing.T) {
				var modelledTables []string
				for _, model := range all(isPostgres(db)) {
					got, name := modelled(t, model, namer)
					modelledTables = append(modelledTables, name)
					if diff := cmp.Diff(tableOf(t, db, name), got); diff != "" {
						t.Errorf("%s (-table +model)\n%s", name, diff)
					}
				}
				slices.Sort(modelledTables)
				if diff := cmp.Diff(tablesOf(t, db), modelledTables); diff != "" {
					t.Errorf("tables (-there +modelled)\n%s", diff)
				}
			})
		}
	})
}

// Every field of every model is written and read back as it was, whatever
// naming strategy the application has.
func TestRowsRoundTrip(t *testing.T) {
	for _, engine := range engines {
		for strategy, namer := range naming {
			t.Run(engine.name+"/"+strategy, func(t *testing.T) {
				db := engine.new(t)
				db.NamingStrategy = namer
				for _, want := range all(isPostgres(db)) {
					mustHaveNoZeroField(t, want)
					must(t, db.Create(want).Error)
					got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
					must(t, db.Where(want).Take(got).Error)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("%s (-written +read)\n%s", want.TableName(), diff)
					}
				}
			})
		}
	}
}

// In JSON a row has the names of its columns, and is the same when it is read
// back. What is not for clients is left out.
func TestRowsInJSON(t *testing.T) {
	hidden := []string{"payload_hash"}
	for _, want := range append(all(false), all(true)...) {
		text, err := json.Marshal(want)
		must(t, err)
		var fields map[string]any
		must(t, json.Unmarshal(text, &fields))
		columns, name := modelled(t, want, schema.NamingStrategy{})
		visible := slices.DeleteFunc(columns.Columns, func(c string) bool { return slices.Contains(hidden, c) })
		if diff := cmp.Diff(visible, slices.Sorted(maps.Keys(fields))); diff != "" {
			t.Errorf("%s (-columns +fields)\n%s", name, diff)
		}
		switch row := want.(type) {
		case *models.Session:
			row.PayloadHash = nil
		case *models.SetAsideAnswer:
			row.PayloadHash = nil
		}
		got := reflect.New(reflect.TypeOf(want).Elem()).Interface()
		must(t, json.Unmarshal(text, got))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-written +read)\n%s", name, diff)
		}
	}
}

// mustHaveNoZeroField keeps the test honest: a zero would come back as a zero
// from a column that nobody wrote.
func mustHaveNoZeroField(t *testing.T, model schema.Tabler) {
	t.Helper()
	value := reflect.ValueOf(model).Elem()
	for i := range value.NumField() {
		if value.Field(i).IsZero() {
			t.Fatalf("the test's %T has no %s", model, value.Type().Field(i).Name)
		}
	}
}
