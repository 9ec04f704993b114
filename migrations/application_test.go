package migrations_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

// An application that was refused goes on with plain GORM, and may try again
// with a prefix on the same *gorm.DB.
func TestUseAfterARefusal(t *testing.T) {
	path := newPath(t)
	run(t, path, "", appUsers)
	db := openPlain(t, path, quiet())
	mustRefuse(t, db.Use(storage.New(storage.Config{})), "users", "not made by flashstore")

	insert := "INSERT INTO users (login) VALUES (?)"
	must(t, db.Exec(insert, "cyd").Error)
	must(t, db.Transaction(func(tx *gorm.DB) error { return tx.Exec(insert, "dan").Error }))
	var logins []string
	must(t, db.Table("users").Order("id").Pluck("login", &logins).Error)
	if diff := cmp.Diff([]string{"ada", "bob", "cyd", "dan"}, logins); diff != "" {
		t.Errorf("logins (-want +got)\n%s", diff)
	}
	if mode := query(t, path, "PRAGMA journal_mode")[0][0]; mode != "delete" {
		t.Errorf("journal_mode is %s", mode)
	}

	before := contentsOf(t, path)
	store := storage.New(storage.Config{TablePrefix: "fm_"})
	must(t, db.Use(store))
	user, err := store.Users.Create(t.Context(), storage.NewUser{Name: "Ada"})
	must(t, err)
	if got := query(t, path, "SELECT name FROM fm_users WHERE id = ?", user.ID); len(got) != 1 || got[0][0] != "Ada" {
		t.Errorf("the store's user is %v", got)
	}
	mustContain(t, contentsOf(t, path), before)
	must(t, store.Close())
}

// MigrateCheck leaves a file that is only behind as it is, too.
func TestUseOfAPendingFile(t *testing.T) {
	files := map[string]func(t *testing.T, path string){
		"empty":           func(t *testing.T, path string) { run(t, path, "", "") },
		"the application": func(t *testing.T, path string) { run(t, path, "", "CREATE TABLE letters (n INTEGER)") },
		"one behind": func(t *testing.T, path string) {
			db := openPlain(t, path, quiet())
			mustUp(t, db, none)
			mustDown(t, db, none, 1)
			closeDB(t, db)
		},
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			file(t, path)
			before := bytesOf(t, path)
			db := openPlain(t, path, quiet())
			err := db.Use(storage.New(storage.Config{Migrate: storage.MigrateCheck}))
			if !errors.Is(err, migrations.ErrPending) {
				t.Errorf("got error %v, want ErrPending", err)
			}
			closeDB(t, db)
			if diff := cmp.Diff(before, bytesOf(t, path)); diff != "" {
				t.Errorf("the file's bytes (-before +after)\n%s", diff)
			}

			db = openPlain(t, path, quiet())
			must(t, db.Use(storage.New(storage.Config{})))
			must(t, migrations.Check(t.Context(), db, none))
		})
	}
}
