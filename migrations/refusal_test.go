package migrations_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

// refusals are databases that are not what the history says.
var refusals = []struct {
	name   string
	before bool   // whether ours are there already
	script string // what makes the file that is refused
	table  string // that the error names
	reason string // a part of what the error says of it
}{
	{"a later migration", true, "INSERT INTO schema_migrations (version) VALUES ('0099_later')", "schema_migrations", "does not know"},
	{"users of the application", false, appUsers, "users", "not made by flashstore"},
	{"users in other case", false, strings.ReplaceAll(appUsers, "users", "Users"), "users", "not made by flashstore"},
	{"a view", false, "CREATE TABLE people (id INTEGER, name TEXT); CREATE VIEW users AS SELECT id, name FROM people", "users", "not made by flashstore"},
	{"users without a history", true, "DROP TABLE schema_migrations", "answer_events", "not made by flashstore"},
	{"golang-migrate", false, golangMigrate, "schema_migrations", "another tool"},
	{"Rails", false, rails, "schema_migrations", "another tool"},
	{"the seed", false, seed, "schema_migrations", "another tool"},
	{"a table that is missing", true, "DROP TABLE mastery_stats", "mastery_stats", "is missing"},
	{"a history without its tables", true, "DROP TABLE coin_ledger; DROP TABLE loadouts; DROP TABLE inventory; DROP TABLE shop_items", "coin_ledger", "is missing"},
	{"a column more", true, "ALTER TABLE sessions ADD COLUMN nickname TEXT", "sessions", "nickname TEXT"},
	{"a column less", true, "ALTER TABLE sessions DROP COLUMN avg_response_ms", "sessions", "other columns"},
	{"a column of another type", true, "DROP TABLE rollup_queue; CREATE TABLE rollup_queue (user_id TEXT)", "rollup_queue", "user_id TEXT"},
}

// What other programs call by names of ours.
const (
	appUsers = `
		CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT NOT NULL, password TEXT);
		CREATE INDEX by_login ON users (login);
		INSERT INTO users (login, password) VALUES ('ada', 'secret'), ('bob', NULL);`
	golangMigrate = `
		CREATE TABLE schema_migrations (version bigint, dirty bool);
		CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
		INSERT INTO schema_migrations VALUES (20260301120000, 0);`
	rails = `
		CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
		INSERT INTO schema_migrations VALUES ('20260301120000');`
	seed = `
		CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT);
		INSERT INTO schema_migrations VALUES (1, '2026-03-01 12:00:00');`
)

// attempt is one way to come upon such a file.
type attempt struct {
	name  string
	hooks bool // whether the hooks plugin is in use: the file is in WAL mode then
	try   func(tb testing.TB, db *gorm.DB) error
}

func attempts() []attempt {
	tries := []attempt{
		{name: "Up", try: func(tb testing.TB, db *gorm.DB) error {
			_, err := migrations.Up(tb.Context(), db, none)
			return err
		}},
		{name: "Down", try: func(tb testing.TB, db *gorm.DB) error {
			_, err := migrations.Down(tb.Context(), db, none, 0)
			return err
		}},
		{name: "Status", try: func(tb testing.TB, db *gorm.DB) error {
			_, err := migrations.Status(tb.Context(), db, none)
			return err
		}},
		{name: "Check", try: func(tb testing.TB, db *gorm.DB) error {
			return migrations.Check(tb.Context(), db, none)
		}},
		{name: "Use", try: func(_ testing.TB, db *gorm.DB) error {
			return db.Use(storage.New(storage.Config{}))
		}},
		{name: "Use with MigrateCheck", try: func(_ testing.TB, db *gorm.DB) error {
			return db.Use(storage.New(storage.Config{Migrate: storage.MigrateCheck}))
		}},
	}
	for _, try := range tries {
		try.name, try.hooks = try.name+" over hooks", true
		tries = append(tries, try)
	}
	return tries
}

// Not a byte of a file that is refused has changed, its journal mode included,
// and nothing is left beside it.
func TestRefusals(t *testing.T) {
	for _, refusal := range refusals {
		for _, attempt := range attempts() {
			t.Run(refusal.name+"/"+attempt.name, func(t *testing.T) {
				path := newPath(t)
				if refusal.before {
					path = newMigrated(t, none)
				}
				run(t, path, "", refusal.script)
				if attempt.hooks {
					closeDB(t, openHooks(t, path))
				}
				bytes, contents := bytesOf(t, path), contentsOf(t, path)

				db := openPlain(t, path, quiet())
				if attempt.hooks {
					must(t, db.Use(hooks.New(hooks.Config{})))
				}
				mustRefuse(t, attempt.try(t, db), refusal.table, refusal.reason)
				closeDB(t, db)

				if diff := cmp.Diff(bytes, bytesOf(t, path)); diff != "" {
					t.Errorf("the file's bytes (-before +after)\n%s", diff)
				}
				if diff := cmp.Diff(contents, contentsOf(t, path)); diff != "" {
					t.Errorf("the file's contents (-before +after)\n%s", diff)
				}
			})
		}
	}
}

// What is refused is refused at once, whoever is writing.
func TestRefusalTakesNoWriteLock(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			path := newPath(t)
			run(t, path, "", appUsers)
			db := stack.open(t, path)
			lock(t, path)
			_, err := migrations.Up(t.Context(), db, none)
			mustRefuse(t, err, "users", "not made by flashstore")
		})
	}
}

// mustRefuse fails unless err is a SchemaError that names the table, gives
// the reason and says what to do.
func mustRefuse(t *testing.T, err error, table, reason string) {
	t.Helper()
	var refused *migrations.SchemaError
	if !errors.As(err, &refused) {
		t.Fatalf("got error %v, want a *SchemaError", err)
	}
	if refused.Table != table {
		t.Errorf("the error is about %s, want %s", refused.Table, table)
	}
	for _, part := range []string{fmt.Sprintf("%q", table), reason, "TablePrefix"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %s", err, part)
		}
	}
}

// With a prefix, ours stand beside what was refused without.
func TestPrefixBesideAnotherProgram(t *testing.T) {
	for _, refusal := range refusals {
		t.Run(refusal.name, func(t *testing.T) {
			path := newPath(t)
			if refusal.before {
				path = newMigrated(t, none)
			}
			run(t, path, "", refusal.script)
			before := contentsOf(t, path)
			db := openPlain(t, path, quiet())
			mustUp(t, db, prefixed)
			addCustomers(t, path, "fm_", 1)
			mustContain(t, contentsOf(t, path), before)

			mustDown(t, db, prefixed, 0)
			after := contentsOf(t, path)
			for _, name := range []string{"table", "index sqlite_autoindex", "rows of"} {
				delete(after, strings.TrimSpace(name)+" fm_schema_migrations")
			}
			delete(after, "index sqlite_autoindex_fm_schema_migrations_1")
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("contents after Up and Down (-before +after)\n%s", diff)
			}
		})
	}
}

func mustContain(t *testing.T, whole, part map[string]string) {
	t.Helper()
	for name, text := range part {
		if whole[name] != text {
			t.Errorf("%s is now\n%s\nand was\n%s", name, whole[name], text)
		}
	}
}

// What fails in the middle leaves nothing of ours and all of the others'.
func TestUpIsAllOrNothing(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"first migration", "CREATE TABLE letters (n INTEGER); CREATE INDEX idx_sessions_user_date ON letters (n)", practice},
		{"second migration", "CREATE TABLE letters (n INTEGER); CREATE INDEX idx_coin_ledger_entry ON letters (n)", shop},
	}
	for _, test := range tests {
		for _, stack := range stacks {
			t.Run(test.name+"/"+stack.name, func(t *testing.T) {
				path := newPath(t)
				run(t, path, "", test.script)
				before := contentsOf(t, path)
				db := stack.open(t, path)
				result, err := migrations.Up(t.Context(), db, none)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got error %v, want one that names %s", err, test.want)
				}
				if len(result.Steps) != 0 {
					t.Errorf("says that it applied %v", versions(result))
				}
				if diff := cmp.Diff(before, contentsOf(t, path)); diff != "" {
					t.Errorf("contents (-before +after)\n%s", diff)
				}

				// Once it is out of the way, nothing of the failure stands in it.
				run(t, path, "", "DROP TABLE letters")
				mustUp(t, db, none)
			})
		}
	}
}
