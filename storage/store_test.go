package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/writequeue"
)

// calls are one call of every method, with input that breaks no rule.
var calls = map[string]func(context.Context, *storage.Store) error{
	"Users.Create": func(c context.Context, s *storage.Store) error { return err2(s.Users.Create(c, storage.NewUser{})) },
	"Users.Ensure": func(c context.Context, s *storage.Store) error {
		return err2(s.Users.Ensure(c, storage.NewUser{UID: "x"}))
	},
	"Users.Get":     func(c context.Context, s *storage.Store) error { return err2(s.Users.Get(c, 1)) },
	"Users.ByUID":   func(c context.Context, s *storage.Store) error { return err2(s.Users.ByUID(c, "ada")) },
	"Users.ByEmail": func(c context.Context, s *storage.Store) error { return err2(s.Users.ByEmail(c, "ada@example.org")) },
	"Users.Update": func(c context.Context, s *storage.Store) error {
		return err2(s.Users.Update(c, 1, storage.UserUpdate{}))
	},
	"Users.List": func(c context.Context, s *storage.Store) error { return err2(s.Users.List(c, 0, 0)) },
	"Sessions.Submit": func(c context.Context, s *storage.Store) error {
		return err2(s.Sessions.Submit(c, session(1, 0, right(1, "1+1", 0))))
	},
	"Sessions.Recent": func(c context.Context, s *storage.Store) error { return err2(s.Sessions.Recent(c, 1, 0)) },
	"Answers.Append": func(c context.Context, s *storage.Store) error {
		return err2(s.Answers.Append(c, 1, singles(models.ID{}, right(1, "1+1", 0))...))
	},
	"Answers.SetAside":      func(c context.Context, s *storage.Store) error { return err2(s.Answers.SetAside(c, 1, 0)) },
	"Answers.CountSetAside": func(c context.Context, s *storage.Store) error { return err2(s.Answers.CountSetAside(c)) },

	"Answers.Recent":    func(c context.Context, s *storage.Store) error { return err2(s.Answers.Recent(c, 1, 0)) },
	"Mastery.Fact":      func(c context.Context, s *storage.Store) error { return err2(s.Mastery.Fact(c, 1, "addition", "1+1")) },
	"Mastery.Operation": func(c context.Context, s *storage.Store) error { return err2(s.Mastery.Operation(c, 1, "addition")) },
	"Mastery.Weakest":   func(c context.Context, s *storage.Store) error { return err2(s.Mastery.Weakest(c, 1, "", 0)) },
	"Leagues.All":       func(c context.Context, s *storage.Store) error { return err2(s.Leagues.All(c)) },
	"Leagues.Season":    func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Season(c, noon)) },
	"Leagues.BookXP":    func(c context.Context, s *storage.Store) error { return err2(s.Leagues.BookXP(c, 1, 1, noon)) },
	"Leagues.Board":     func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Board(c, thisSeason, 1, "", 0)) },
	"Leagues.Rank":      func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Rank(c, thisSeason, 1)) },
	"Leagues.Window":    func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Window(c, thisSeason, 1, 1)) },
	"Shop.Put": func(c context.Context, s *storage.Store) error {
		return err2(s.Shop.Put(c, models.ShopItem{Slug: "a", Slot: "b"}))
	},
	"Shop.Catalogue":     func(c context.Context, s *storage.Store) error { return err2(s.Shop.Catalogue(c)) },
	"Shop.Item":          func(c context.Context, s *storage.Store) error { return err2(s.Shop.Item(c, "hat")) },
	"Shop.Purchase":      func(c context.Context, s *storage.Store) error { return err2(s.Shop.Purchase(c, 1, 1, idAt(noon, 1))) },
	"Shop.Equip":         func(c context.Context, s *storage.Store) error { return s.Shop.Equip(c, 1, 1) },
	"Shop.Unequip":       func(c context.Context, s *storage.Store) error { return s.Shop.Unequip(c, 1, "head") },
	"Shop.Inventory":     func(c context.Context, s *storage.Store) error { return err2(s.Shop.Inventory(c, 1)) },
	"Coins.Balance":      func(c context.Context, s *storage.Store) error { return err2(s.Coins.Balance(c, 1)) },
	"Coins.Ledger":       func(c context.Context, s *storage.Store) error { return err2(s.Coins.Ledger(c, 1, 0, 0)) },
	"Coins.Reconcile":    func(c context.Context, s *storage.Store) error { return err2(s.Coins.Reconcile(c, 1)) },
	"Coins.ReconcileAll": func(c context.Context, s *storage.Store) error { return err2(s.Coins.ReconcileAll(c)) },
	"Rollups.Run":        func(c context.Context, s *storage.Store) error { return err2(s.Rollups.Run(c)) },
	"Rollups.OfUser":     func(c context.Context, s *storage.Store) error { return err2(s.Rollups.OfUser(c, 1)) },

	"Leagues.Plan":      func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Plan(c, thisSeason)) },
	"Leagues.Settle":    func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Settle(c, lastSeason)) },
	"Leagues.SettleDue": func(c context.Context, s *storage.Store) error { return err2(s.Leagues.SettleDue(c)) },
	"Leagues.ResultOf":  func(c context.Context, s *storage.Store) error { return err2(s.Leagues.ResultOf(c, lastSeason, 1)) },
	"Leagues.ResultsOfUser": func(c context.Context, s *storage.Store) error {
		return err2(s.Leagues.ResultsOfUser(c, 1, 0, 0))
	},
	"Leagues.Needs":         func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Needs(c, thisSeason, 1)) },
	"Leagues.VerifyBoards":  func(c context.Context, s *storage.Store) error { return err2(s.Leagues.VerifyBoards(c)) },
	"Leagues.RebuildBoards": func(c context.Context, s *storage.Store) error { return err2(s.Leagues.RebuildBoards(c)) },
	"Leagues.Schedule":      func(c context.Context, s *storage.Store) error { return err2(s.Leagues.Schedule(c, noon, 1)) },

	"Users.Dashboard": func(c context.Context, s *storage.Store) error { return err2(s.Users.Dashboard(c, 1)) },
	"Answers.Archive": func(c context.Context, s *storage.Store) error {
		return err2(s.Answers.Archive(c, time.Unix(0, 0)))
	},
	"Mastery.AsOf":   func(c context.Context, s *storage.Store) error { return err2(s.Mastery.AsOf(c, 1, "addition", noon)) },
	"Mastery.Verify": func(c context.Context, s *storage.Store) error { return err2(s.Mastery.Verify(c, 1)) },
	"Mastery.VerifyAll": func(c context.Context, s *storage.Store) error {
		return s.Mastery.VerifyAll(c, func(storage.MasteryDifference) error { return nil })
	},
	"Mastery.Rebuild":    func(c context.Context, s *storage.Store) error { return err2(s.Mastery.Rebuild(c, 1)) },
	"Mastery.RebuildAll": func(c context.Context, s *storage.Store) error { return err2(s.Mastery.RebuildAll(c)) },

	"Users.Touch":         func(c context.Context, s *storage.Store) error { return s.Users.Touch(c, 1) },
	"Users.FlushPresence": func(c context.Context, s *storage.Store) error { return s.Users.FlushPresence(c) },
	"Users.Export":        func(c context.Context, s *storage.Store) error { return err2(s.Users.Export(c, 1)) },
	"Users.ExportTo":      func(c context.Context, s *storage.Store) error { return s.Users.ExportTo(c, 1, io.Discard) },
	"Users.Erase":         func(c context.Context, s *storage.Store) error { return err2(s.Users.Erase(c, 1)) },
	"Users.GetMany":       func(c context.Context, s *storage.Store) error { return err2(s.Users.GetMany(c, []int64{1})) },
	"Users.Search":        func(c context.Context, s *storage.Store) error { return err2(s.Users.Search(c, "a", 0)) },
	"Shop.Refund":         func(c context.Context, s *storage.Store) error { return err2(s.Shop.Refund(c, 1, 1, idAt(noon, 3))) },
	"Shop.CheckLoadouts":  func(c context.Context, s *storage.Store) error { return err2(s.Shop.CheckLoadouts(c)) },
	"Shop.RepairLoadouts": func(c context.Context, s *storage.Store) error { return err2(s.Shop.RepairLoadouts(c)) },
	"Shop.Search":         func(c context.Context, s *storage.Store) error { return err2(s.Shop.Search(c, "a", 0)) },
	"Coins.Grant": func(c context.Context, s *storage.Store) error {
		return err2(s.Coins.Grant(c, 1, idAt(noon, 3), 1, "quest", ""))
	},
	"Coins.Economy": func(c context.Context, s *storage.Store) error { return err2(s.Coins.Economy(c, lesson, noon)) },
}

func err2[T any](_ T, err error) error { return err }

// mustCallAll calls every method there is and fails unless each returns want.
func mustCallAll(t *testing.T, c context.Context, s *storage.Store, want error) {
	t.Helper()
	nouns := reflect.TypeFor[storage.Store]()
	for i := range nouns.NumField() {
		noun := nouns.Field(i)
		for m := range noun.Type.NumMethod() {
			if !noun.IsExported() {
				continue
			}
			name := noun.Name + "." + noun.Type.Method(m).Name
			t.Run(name, func(t *testing.T) {
				call := calls[name]
				if call == nil {
					t.Fatal("add a call of it to the table")
				}
				mustBe(t, call(c, s), want)
			})
		}
	}
}

func TestStore_ErrNotInUse(t *testing.T) {
	t.Run("New", func(t *testing.T) { mustCallAll(t, ctx, storage.New(storage.Config{}), storage.ErrNotInUse) })
	t.Run("In", func(t *testing.T) {
		db := MustOpenGORM(t, newPath(t), &gorm.Config{})
		mustCallAll(t, ctx, storage.New(storage.Config{}).In(db), storage.ErrNotInUse)
	})
	t.Run("AfterAFailedUse", func(t *testing.T) {
		db := MustOpenGORM(t, newPath(t), &gorm.Config{})
		s := storage.New(storage.Config{Migrate: storage.MigrateCheck})
		mustBe(t, db.Use(s), migrations.ErrPending)
		mustCallAll(t, ctx, s, storage.ErrNotInUse)
		must(t, s.Close())
	})
}

// Every method honours its context, and changes nothing once that has ended.
func TestStore_Cancelled(t *testing.T) {
	f := MustOpen(t)
	user, hat := MustUser(t, f.Store, "ada"), MustItem(t, f.Store, "hat", "head", 1)
	MustPurchase(t, f.Store, user.ID, hat.ID, idAt(noon, 2))
	must(t, f.Shop.Equip(ctx, user.ID, hat.ID))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	MustNotChange(t, f, func() { mustCallAll(t, ended, f.Store, context.Canceled) })
}

func TestStore_Use_ErrConfig(t *testing.T) {
	rules := func(change func(*storage.Rules)) storage.Config {
		rules := storage.DefaultRules()
		change(&rules)
		return storage.Config{Rules: &rules}
	}
	for _, test := range []struct {
		name, says string // the error names what is wrong
		config     storage.Config
	}{
		{"Rules", "Rules", storage.Config{Rules: &storage.Rules{}}},
		{"Fast", "FastMS", rules(func(r *storage.Rules) { r.FastMS = -1 })},
		{"FastSlow", "FastMS", rules(func(r *storage.Rules) { r.SlowMS = r.FastMS - 1 })},
		{"Wrong", "XPWrong", rules(func(r *storage.Rules) { r.XPWrong = 1 })},
		{"PerCoin", "XPPerCoin", rules(func(r *storage.Rules) { r.XPPerCoin = 0 })},
		{"PerLevel", "XPPerLevel", rules(func(r *storage.Rules) { r.XPPerLevel = 0 })},
		{"StartCoins", "StartCoins", rules(func(r *storage.Rules) { r.StartCoins = -1 })},
		{"PromotePlaces", "PromotePlaces", rules(func(r *storage.Rules) { r.PromotePlaces = 0 })},
		{"DemotePlaces", "DemotePlaces", rules(func(r *storage.Rules) { r.DemotePlaces = -1 })},
		{"PromoteXP", "PromoteXP", rules(func(r *storage.Rules) { r.PromoteXP = -1 })},
		{"DemoteXP", "DemoteXP", rules(func(r *storage.Rules) { r.DemoteXP = -1 })},
		{"PrizeCoins", "PrizeCoins", rules(func(r *storage.Rules) { r.PrizeCoins = -1 })},
		{"PrizeCoinsMost", "PrizeCoins", rules(func(r *storage.Rules) { r.PrizeCoins = 1<<40 + 1 })},
		{"FloorMS", "Plausibility", rules(func(r *storage.Rules) { r.Plausibility.FloorMS = -1 })},
		{"SessionSlack", "Plausibility", rules(func(r *storage.Rules) { r.Plausibility.SessionSlack = -1 })},
		{"MaxAge", "Plausibility", rules(func(r *storage.Rules) { r.Plausibility.MaxAge = -1 })},
		{"SettleBatch", "SettleBatch", storage.Config{SettleBatch: -1}},
		{"Mastery", "Mastery", rules(func(r *storage.Rules) { r.Mastery = nil })},
		{"Zone", "Mars/Base", rules(func(r *storage.Rules) { r.Zone = "Mars/Base" })},
		{"NoZone", `Zone is "": give`, rules(func(r *storage.Rules) { r.Zone = "" })},
		{"LocalZone", `Zone is "Local": give`, rules(func(r *storage.Rules) { r.Zone = "Local" })},
		{"Migrate", "Migrate", storage.Config{Migrate: 3}},
		{"MigrateNegative", "Migrate", storage.Config{Migrate: -1}},
		{"TablePrefix", "TablePrefix", storage.Config{TablePrefix: "Bad-"}},
		{"TablePrefixUnseen", "TablePrefix", storage.Config{TablePrefix: "x; DROP TABLE y; --", Migrate: storage.MigrateSkip}},
		{"Hooks", "CacheSize", storage.Config{Hooks: hooks.Config{CacheSize: -1}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.name == "Hooks" {
				onlySQLite(t, "hooks is not brought along")
			}
			db := MustOpenGORM(t, newPath(t), &gorm.Config{Logger: logger.Discard})
			s := storage.New(test.config)
			err := db.Use(s)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got error %v, want one about %s", err, test.says)
			}
			equal(t, mustTables(t, db), nil)
			_, err = s.Users.Get(ctx, 1)
			mustBe(t, err, storage.ErrNotInUse)
		})
	}
	t.Run("SameFastAndSlow", func(t *testing.T) {
		MustOpen(t, withRules(func(r *storage.Rules) { r.FastMS, r.SlowMS = 0, 0 }))
	})
}

func TestStore_Migrate(t *testing.T) {
	use := func(t *testing.T, path string, m storage.Migrate) (*storage.Store, error) {
		t.Helper()
		s := storage.New(storage.Config{Migrate: m})
		t.Cleanup(func() { must(t, s.Close()) })
		return s, MustOpenGORM(t, path, &gorm.Config{Logger: logger.Discard}).Use(s)
	}
	t.Run("Apply", func(t *testing.T) {
		path := newPath(t)
		for range 2 {
			s, err := use(t, path, storage.MigrateApply)
			must(t, err)
			_, err = s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})
			must(t, err)
		}
		s, err := use(t, path, storage.MigrateCheck)
		must(t, err)
		equal(t, MustGet(t, s, 1).UID, "ada")
		s, err = use(t, path, storage.MigrateSkip)
		must(t, err)
		equal(t, MustGet(t, s, 1).UID, "ada")
	})
	t.Run("CheckPending", func(t *testing.T) {
		db := MustOpenGORM(t, newPath(t), &gorm.Config{})
		mustBe(t, db.Use(storage.New(storage.Config{Migrate: storage.MigrateCheck})), migrations.ErrPending)
		equal(t, mustTables(t, db), nil)
	})
	t.Run("SkipPending", func(t *testing.T) {
		s, err := use(t, newPath(t), storage.MigrateSkip)
		must(t, err)
		if _, err := s.Users.Get(ctx, 1); err == nil || errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("got error %v, want SQLite's that there is no table", err)
		}
	})
}

// An application with tables of its own under our names.
func TestStore_TablePrefix(t *testing.T) {
	open := func(t *testing.T) *gorm.DB {
		db := MustOpenGORM(t, newPath(t), &gorm.Config{Logger: logger.Discard})
		MustExec(t, db, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)")
		MustExec(t, db, "CREATE UNIQUE INDEX idx_users_email ON users (email)")
		MustExec(t, db, "CREATE TABLE sessions (token TEXT PRIMARY KEY)")
		MustExec(t, db, "INSERT INTO users VALUES (1, 'app@example.org')")
		MustExec(t, db, "INSERT INTO sessions VALUES ('secret')")
		return db
	}
	t.Run("OK", func(t *testing.T) {
		db := open(t)
		clock := &clock{}
		clock.Set(noon)
		quiet := hooks.Config{Logger: slog.New(slog.DiscardHandler)} // the file was there before
		s := storage.New(storage.Config{TablePrefix: "fs_", Now: clock.Now, Hooks: quiet})
		must(t, db.Use(s))
		prefixed := &fixture{Store: s, db: db, clock: clock}
		plain := MustOpen(t)
		equal(t, MustRound(t, prefixed), MustRound(t, plain))
		equal(t, MustInt(t, db, "SELECT count(*) FROM users"), 1)
		equal(t, MustInt(t, db, "SELECT count(*) FROM sessions"), 1)
		equal(t, MustInt(t, db, "SELECT count(*) FROM fs_sessions"), 2)
		equal(t, MustInt(t, db, pick(db, `
			SELECT count(*) FROM sqlite_master
			WHERE name NOT LIKE 'fs\_%' ESCAPE '\' AND name NOT LIKE 'sqlite%'`, `
			SELECT count(*) FROM pg_class
			WHERE relnamespace = current_schema()::regnamespace AND relname NOT LIKE 'fs\_%' AND relname NOT LIKE '%\_pkey'`)), 3)
	})
	t.Run("ErrWithout", func(t *testing.T) {
		db := open(t)
		before := MustDump(t, db)
		var foreign *migrations.SchemaError
		if err := db.Use(storage.New(storage.Config{})); !errors.As(err, &foreign) {
			t.Fatalf("got error %v, want a *migrations.SchemaError", err)
		}
		equal(t, MustDump(t, db), before)
	})
}

func TestStore_HooksInUse(t *testing.T) {
	onlySQLite(t, "hooks is a plugin for it")
	db := MustOpenGORM(t, newPath(t), &gorm.Config{Logger: logger.Discard})
	must(t, db.Use(hooks.New(hooks.Config{})))
	s := storage.New(storage.Config{Now: func() time.Time { return noon }})
	must(t, db.Use(s))
	MustUser(t, s, "ada")
	// They are the application's: the store leaves them open.
	must(t, s.Close())
	must(t, db.Exec("CREATE TABLE notes (id INTEGER PRIMARY KEY)").Error)
	_, err := s.Users.Create(ctx, storage.NewUser{UID: "bob"})
	mustBe(t, err, writequeue.ErrClosed)
}

// Where the tables cannot be made, the database is as good as before.
func TestStore_Use_ReadOnly(t *testing.T) {
	onlySQLite(t, "it opens a file for reading")
	path := newPath(t)
	MustExec(t, MustOpenGORM(t, path, &gorm.Config{}), "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
	db := MustOpenGORM(t, "file:"+path+"?mode=ro", &gorm.Config{Logger: logger.Discard})
	s := storage.New(storage.Config{})
	if err := db.Use(s); err == nil {
		t.Fatal("tables were made in a file that is open for reading only")
	}
	equal(t, MustInt(t, db, "SELECT count(*) FROM sqlite_master"), 1)
	_, err := s.Users.Get(ctx, 1)
	mustBe(t, err, storage.ErrNotInUse)
}

func TestStore_UsedTwice(t *testing.T) {
	f := MustOpen(t)
	mustBe(t, f.db.Use(f.Store), gorm.ErrRegistered)
	MustUser(t, f.Store, "ada")
}

func TestStore_Close(t *testing.T) {
	onlySQLite(t, "elsewhere all connections are the application's")
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	must(t, f.Close())
	must(t, f.Close())
	if _, err := f.Users.Get(ctx, user.ID); err == nil || errors.Is(err, storage.ErrNotFound) {
		t.Fatalf("got error %v, want that the database is closed", err)
	}
	must(t, storage.New(storage.Config{}).Close())
}

func TestStore_InMemory(t *testing.T) {
	onlySQLite(t, "it has databases in memory")
	inMemory := MustOpen(t, func(s *setup) { s.path = ":memory:" })
	equal(t, MustRound(t, inMemory), MustRound(t, MustOpen(t)))
	t.Run("AtOnce", func(t *testing.T) {
		must(t, errors.Join(atOnce(16, func(i int) error {
			_, err := inMemory.Users.Ensure(ctx, storage.NewUser{UID: fmt.Sprint(i % 4)})
			return err
		})...))
		equal(t, MustInt(t, inMemory.db, "SELECT count(*) FROM users"), 3+4)
	})
	t.Run("OfItsOwn", func(t *testing.T) {
		other := MustOpen(t, func(s *setup) { s.path = ":memory:" })
		equal(t, MustInt(t, other.db, "SELECT count(*) FROM users"), 0)
	})
}
