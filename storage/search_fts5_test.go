//go:build sqlite_fts5

package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

// sibling opens another store over the file of f.
func sibling(tb testing.TB, f *fixture, changes ...func(*setup)) *fixture {
	tb.Helper()
	return MustOpen(tb, append([]func(*setup){func(s *setup) { s.path = f.path }}, changes...)...)
}

func isSQLite(t *testing.T) {
	t.Helper()
	onlySQLite(t, "PostgreSQL knows the words by itself")
}

// MustWait returns how many names wait to be indexed.
func MustWait(tb testing.TB, f *fixture) int64 {
	tb.Helper()
	return MustInt(tb, f.db, "SELECT count(*) FROM search_queue")
}

// mustBeSound fails unless FTS5 finds its index to be that of its names, and
// these to be those of the users and items.
func mustBeSound(tb testing.TB, f *fixture) {
	tb.Helper()
	must(tb, f.db.Exec("INSERT INTO search_users (search_users, rank) VALUES ('integrity-check', 0)").Error)
	must(tb, f.db.Exec("INSERT INTO search_items (search_items, rank) VALUES ('integrity-check', 0)").Error)
	equal(tb, MustInt(tb, f.db, `
SELECT count(*) FROM (SELECT id, name FROM users EXCEPT SELECT rowid, name FROM search_users)`), 0)
	equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM search_users"), MustInt(tb, f.db, "SELECT count(*) FROM users"))
	equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM search_items"), MustInt(tb, f.db, "SELECT count(*) FROM shop_items"))
}

// A program without FTS5 and one with it use the same file.
func TestSearch_TwoPrograms(t *testing.T) {
	isSQLite(t)
	plain := MustOpen(t, withoutWords)
	MustBeNamed(t, plain.Store, "Miss Byron", "Charles Babbage", "Grace Hopper")
	MustItem(t, plain.Store, "hat", "head", 1)
	equal(t, MustFindUsers(t, plain.Store, "byron", 0), nil)

	full := sibling(t, plain)
	equal(t, MustWait(t, full), 0) // all that was there is indexed at the start
	equal(t, MustFindUsers(t, full.Store, "byron", 0), []string{"u1"})
	equal(t, MustFindItems(t, full.Store, "of"), []string{"hat"})

	name := "Ada Lovelace"
	_, err := plain.Users.Update(ctx, 1, storage.UserUpdate{Name: &name})
	must(t, err)
	_, err = plain.Users.Erase(ctx, 2)
	must(t, err)
	_, err = plain.Users.Create(ctx, storage.NewUser{UID: "u4", Name: "Mary Somerville"})
	must(t, err)
	equal(t, MustWait(t, plain), 3)
	equal(t, MustFindUsers(t, full.Store, "byron", 0), nil)
	equal(t, MustFindUsers(t, full.Store, "babbage", 0), nil)
	equal(t, MustFindUsers(t, full.Store, "lovelace", 0), []string{"u1"})
	equal(t, MustFindUsers(t, full.Store, "somer", 0), []string{"u4"})
	equal(t, MustWait(t, full), 0)
	equal(t, MustFindUsers(t, plain.Store, "somer", 0), nil)
	mustBeSound(t, full)
}

// The index that is there is used as it is, by every further start.
func TestSearch_MadeOnce(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	MustBeNamed(t, f.Store, "Ada Lovelace")
	schema := func() (n int64) { return MustInt(t, f.db, "PRAGMA schema_version") }
	before := schema()
	equal(t, MustFindUsers(t, sibling(t, f).Store, "lovelace", 0), []string{"u1"})
	checked := sibling(t, f, func(s *setup) { s.store.Migrate = storage.MigrateCheck })
	equal(t, MustFindUsers(t, checked.Store, "lovelace", 0), []string{"u1"})
	equal(t, schema(), before)
}

// Who does not let the store migrate has no index made either.
func TestSearch_MigrateCheck(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t, withoutWords)
	MustBeNamed(t, f.Store, "Ada Lovelace")
	for _, migrate := range []storage.Migrate{storage.MigrateCheck, storage.MigrateSkip} {
		other := sibling(t, f, func(s *setup) { s.store.Migrate = migrate })
		equal(t, MustFindUsers(t, other.Store, "lovelace", 0), nil)
		equal(t, MustFindUsers(t, other.Store, "ADA", 0), []string{"u1"})
	}
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%search%'"), 0)
}

// What sessions, coins and presence change of a user waits for nobody.
func TestSearch_HotPath(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	ada := MustUser(t, f.Store, "ada")
	hat := MustItem(t, f.Store, "hat", "head", 1)
	equal(t, MustWait(t, f), 2)
	MustFindUsers(t, f.Store, "ada", 0)
	equal(t, MustWait(t, f), 0)
	MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "8+7", 0)))
	MustAppend(t, f.Store, ada.ID, right(2, "8+7", 0))
	MustPurchase(t, f.Store, ada.ID, hat.ID, idAt(noon, 1))
	must(t, f.Users.Touch(ctx, ada.ID))
	must(t, f.Users.FlushPresence(ctx))
	_, err := f.Leagues.SettleDue(ctx)
	must(t, err)
	equal(t, MustWait(t, f), 0)
}

// The application's own statements are noted, whatever they say of conflicts.
func TestSearch_Noted(t *testing.T) {
	isSQLite(t)
	const row = " INTO users (id, uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at) VALUES " +
		"(7, 'u7', 'Ada Lovelace', 1, 0, 0, 1, 0, 0, 0)"
	for _, verb := range []string{"INSERT", "INSERT OR ABORT", "INSERT OR FAIL", "INSERT OR ROLLBACK", "INSERT OR IGNORE", "INSERT OR REPLACE"} {
		t.Run(verb, func(t *testing.T) {
			f := MustOpen(t)
			MustExec(t, f.db, verb+row)
			MustExec(t, f.db, "DELETE FROM users") // it waits already
			MustExec(t, f.db, verb+row)
			equal(t, MustWait(t, f), 1)
			equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u7"})
			MustExec(t, f.db, "UPDATE OR ABORT users SET id = 8")
			equal(t, MustWait(t, f), 2)
			equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u7"})
			mustBeSound(t, f)
		})
	}
}

// Where nothing can be written, what waits is not found by words, and not by
// those that it has no more.
func TestSearch_ReadOnly(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	MustBeNamed(t, f.Store, "Miss Byron", "Charles Babbage")
	MustFindUsers(t, f.Store, "byron", 0)
	MustExec(t, f.db, "UPDATE users SET name = 'Ada Lovelace' WHERE id = 1")
	for name, open := range map[string]func(t *testing.T) *storage.Store{
		"Transaction": func(t *testing.T) *storage.Store {
			tx := f.db.Begin(&readOnly)
			must(t, tx.Error)
			t.Cleanup(func() { must(t, tx.Rollback().Error) })
			return f.In(tx)
		},
		"File": func(t *testing.T) *storage.Store {
			return sibling(t, f, func(s *setup) { s.path = "file:" + f.path + "?mode=ro" }).Store
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			equal(t, MustFindUsers(t, s, "byron", 0), nil)
			equal(t, MustFindUsers(t, s, "lovelace", 0), nil)
			equal(t, MustFindUsers(t, s, "ada", 0), []string{"u1"})
			equal(t, MustFindUsers(t, s, "babbage", 0), []string{"u2"})
		})
	}
	equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u1"})
}

// A file without index that cannot be written is searched by beginnings.
func TestSearch_ReadOnlyWithoutIndex(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t, withoutWords)
	MustBeNamed(t, f.Store, "Ada Lovelace")
	s := sibling(t, f, func(s *setup) { s.path = "file:" + f.path + "?mode=ro" })
	equal(t, MustFindUsers(t, s.Store, "ada", 0), []string{"u1"})
	equal(t, MustFindUsers(t, s.Store, "lovelace", 0), nil)
}

// Nothing of a user who is erased is left in the index.
func TestSearch_Erased(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	MustBeNamed(t, f.Store, "Ada Lovelace", "Ada King")
	equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u1"})
	left := func(text string) int64 {
		return MustInt(t, f.db, "SELECT (SELECT count(*) FROM search_users_data WHERE instr(block, CAST(? AS BLOB)) > 0) + "+
			"(SELECT count(*) FROM search_users_content WHERE instr(lower(c0), ?) > 0)", text, text)
	}
	if left("lovelace") == 0 || left("king") == 0 {
		t.Fatal("this test does not see what is in the index")
	}
	_, err := f.Users.Erase(ctx, 1)
	must(t, err)
	equal(t, left("lovelace"), 0)
	equal(t, MustWait(t, f), 0)
	if left("king") == 0 {
		t.Error("another's name is gone")
	}
	mustBeSound(t, f)
}

// A trigger that went with its table has let changes pass: the index is made
// anew.
func TestSearch_PartIsMissing(t *testing.T) {
	isSQLite(t)
	for _, p := range []string{"TRIGGER trg_search_users_update", "TABLE search_users", "TABLE search_queue"} {
		t.Run(p, func(t *testing.T) {
			f := MustOpen(t)
			MustBeNamed(t, f.Store, "Miss Byron")
			MustFindUsers(t, f.Store, "byron", 0)
			if p == "TABLE search_queue" {
				MustExec(t, f.db, "DROP TRIGGER trg_search_users_update")
			}
			MustExec(t, f.db, "DROP "+p)
			if p == "TABLE search_users" {
				MustExec(t, f.db, "DROP TRIGGER trg_search_users_update")
			}
			MustExec(t, f.db, "UPDATE users SET name = 'Ada Lovelace'")
			other := sibling(t, f)
			equal(t, MustFindUsers(t, other.Store, "byron", 0), nil)
			equal(t, MustFindUsers(t, other.Store, "lovelace", 0), []string{"u1"})
			mustBeSound(t, other)
		})
	}
}

// What has a name of the index and is another's stays as it is.
func TestSearch_Foreign(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t, withoutWords)
	MustExec(t, f.db, "CREATE TABLE search_users (id INTEGER PRIMARY KEY, query TEXT)")
	MustNotChange(t, f, func() {
		db := MustOpenGORM(t, f.path, &gorm.Config{Logger: logger.Discard})
		s := storage.New(storage.Config{})
		var schema *migrations.SchemaError
		if err := db.Use(s); !errors.As(err, &schema) || schema.Table != "search_users" {
			t.Errorf("got error %v, want a *SchemaError about search_users", err)
		}
		must(t, s.Close())
	})
}

// The rollback takes the index along, and so for stores that are open; a new
// start makes it again.
func TestSearch_Down(t *testing.T) {
	isSQLite(t)
	for _, prefix := range []string{"", "fm_"} {
		f := MustOpen(t, func(s *setup) { s.store.TablePrefix = prefix })
		MustBeNamed(t, f.Store, "Ada Lovelace")
		equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u1"})
		MustExec(t, f.db, "CREATE VIRTUAL TABLE search_users_notes USING fts5(text)") // the application's
		cfg := migrations.Config{TablePrefix: prefix}
		MustRollBack(t, f.db, cfg, "0005_search")
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%search%' AND name NOT LIKE 'search_users_notes%'"), 0)
		MustExec(t, f.db, "INSERT INTO search_users_notes (text) VALUES ('ada')")
		report, err := maintenance.Check(ctx, f.db)
		must(t, err)
		if !report.OK() {
			t.Errorf("the file is not sound: %v", report.Integrity)
		}
		if f.db.Exec("DELETE FROM sqlite_schema WHERE name = 'search_users_notes'").Error == nil {
			t.Error("the schema can be written still")
		}
		_, err = migrations.Up(ctx, f.db, cfg)
		must(t, err)
		again := sibling(t, f, func(s *setup) { s.store.TablePrefix = prefix })
		equal(t, MustFindUsers(t, again.Store, "lovelace", 0), []string{"u1"})
	}
}

// Names that are changed by many at once, while others search, are all found
// at the end, and none of the former ones.
func TestSearch_AtOnce(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	stores := []*fixture{f, sibling(t, f), sibling(t, f, withoutWords)}
	const users, rounds = 12, 8
	MustUsers(t, f, users)
	for _, err := range atOnce(users, func(i int) error {
		store := stores[i%len(stores)]
		for round := range rounds {
			name := fmt.Sprintf("The learner%d round%d", i, round)
			if _, err := store.Users.Update(ctx, int64(i+1), storage.UserUpdate{Name: &name}); err != nil {
				return err
			}
			if _, err := store.Users.Search(ctx, "learner", 0); err != nil {
				return err
			}
		}
		return nil
	}) {
		must(t, err)
	}
	for i := range users {
		equal(t, MustFindUsers(t, f.Store, fmt.Sprintf("learner%d round%d", i, rounds-1), 0), []string{fmt.Sprintf("user-%04d", i)})
		equal(t, MustFindUsers(t, f.Store, fmt.Sprintf("learner%d round%d", i, rounds-2), 0), nil)
	}
	equal(t, len(MustFindUsers(t, f.Store, "learner", 0)), users)
	equal(t, MustWait(t, f), 0)
	mustBeSound(t, f)
}

// More may wait than one transaction indexes.
func TestSearch_ManyWait(t *testing.T) {
	isSQLite(t)
	f := MustOpen(t)
	const users = 1001
	MustUsers(t, sibling(t, f, withoutWords), users)
	equal(t, MustWait(t, f), users)
	equal(t, MustFindUsers(t, f.Store, "of 1000", 0), []string{"user-1000"})
	equal(t, MustWait(t, f), 0)
	mustBeSound(t, f)
}
