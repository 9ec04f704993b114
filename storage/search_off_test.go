//go:build !sqlite_fts5

package storage_test

import (
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// hasFTS5 says that SQLite has FTS5 here.
const hasFTS5 = false

// A file in which a program with FTS5 has made its index serves one without,
// which cannot touch the index's tables: it notes what it changes, and can
// check, copy and roll back all the same.
func TestSearch_FileOfAProgramWithFTS5(t *testing.T) {
	onlySQLite(t, "PostgreSQL knows the words by itself")
	for _, prefix := range []string{"", "fm_"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			f := MustOpen(t, func(s *setup) { s.store.TablePrefix = prefix })
			ada, err := f.Users.Create(ctx, storage.NewUser{UID: "u1", Name: "Ada Lovelace"})
			must(t, err)
			mustHaveIndex(t, f, prefix)
			f = MustOpen(t, func(s *setup) { s.path, s.store.TablePrefix = f.path, prefix })
			name := "Ada King"
			_, err = f.Users.Update(ctx, ada.ID, storage.UserUpdate{Name: &name})
			must(t, err)
			other, err := f.Users.Create(ctx, storage.NewUser{UID: "u2", Name: "Adam"})
			must(t, err)
			_, err = f.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head"})
			must(t, err)
			equal(t, MustFindUsers(t, f.Store, "ada", 0), []string{"u1", "u2"})
			MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "8+7", 0)))
			_, err = f.Users.Erase(ctx, other.ID)
			must(t, err)
			equal(t, MustInt(t, f.db, "SELECT count(*) FROM "+prefix+"search_queue"), 3)

			report, err := maintenance.Check(ctx, f.db)
			must(t, err)
			if !report.OK() {
				t.Errorf("the file is not sound: %v", report.Integrity)
			}
			_, err = maintenance.Backup(ctx, f.db, filepath.Join(t.TempDir(), "copy.db"))
			must(t, err)
			must(t, f.db.Exec("ANALYZE").Error)

			cfg := migrations.Config{TablePrefix: prefix}
			MustRollBack(t, f.db, cfg, "0005_search")
			equal(t, MustInt(t, f.db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%search%'"), 0)
			report, err = maintenance.Check(ctx, f.db)
			must(t, err)
			if !report.OK() {
				t.Errorf("the file is not sound: %v", report.Integrity)
			}
			if f.db.Exec("DELETE FROM sqlite_schema WHERE name = 'nothing'").Error == nil {
				t.Error("the schema can be written still")
			}
			_, err = migrations.Up(ctx, f.db, cfg)
			must(t, err)
			equal(t, MustFindUsers(t, f.Store, "ada k", 0), []string{"u1"})
		})
	}
}

// mustHaveIndex gives the file what a program with FTS5 makes: the virtual
// tables stand in the schema only, for nobody can make them here.
func mustHaveIndex(t *testing.T, f *fixture, prefix string) {
	t.Helper()
	db := MustOpenGORM(t, f.path, &gorm.Config{Logger: logger.Discard})
	pool, err := db.DB()
	must(t, err)
	pool.SetMaxOpenConns(1)
	for _, sql := range storage.SearchParts(prefix) {
		virtual, ok := strings.CutPrefix(sql, "CREATE VIRTUAL TABLE ")
		if !ok {
			MustExec(t, db, sql)
			continue
		}
		name, _, _ := strings.Cut(virtual, " ")
		for suffix, columns := range map[string]string{
			"data": "id INTEGER PRIMARY KEY, block BLOB", "idx": "segid, term, pgno, PRIMARY KEY(segid, term)",
			"content": "id INTEGER PRIMARY KEY, c0", "docsize": "id INTEGER PRIMARY KEY, sz BLOB", "config": "k PRIMARY KEY, v",
		} {
			MustExec(t, db, "CREATE TABLE "+name+"_"+suffix+" ("+columns+")")
		}
		MustExec(t, db, "PRAGMA writable_schema = ON")
		MustExec(t, db, "INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql) VALUES ('table', ?, ?, 0, ?)", name, name, sql)
		MustExec(t, db, "PRAGMA writable_schema = RESET")
		if err := db.Exec("DROP TABLE " + name).Error; err == nil || !strings.Contains(err.Error(), "no such module") {
			t.Fatalf("got error %v, want that there is no such module", err)
		}
	}
}
