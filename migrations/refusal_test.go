package migrations_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

// refusal is a database that is not what the history says.
type refusal struct {
	name   string
	before bool   // whether ours are there already
	script string // what makes the database that is refused
	table  string // that the error names
	reason string // a part of what the error says of it, in any case
}

var refusals = []refusal{
	{"a later migration", true, "INSERT INTO schema_migrations (version) VALUES ('0099_later')", "schema_migrations", "does not know"},
	{"users of the application", false, appUsers, "users", "not made by flashstore"},
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

// otherCase is one more on SQLite, to which it is the same name.
var otherCase = refusal{"users in other case", false, strings.ReplaceAll(appUsers, "users", "Users"), "users", "not made by flashstore"}

// What other programs call by names of ours.
const (
	appUsers = `
		CREATE TABLE users (id INTEGER PRIMARY KEY, login TEXT NOT NULL, password TEXT);
		CREATE INDEX by_login ON users (login);
		INSERT INTO users (id, login, password) VALUES (1, 'ada', 'secret'), (2, 'bob', NULL);`
	golangMigrate = `
		CREATE TABLE schema_migrations (version bigint, dirty bool);
		CREATE UNIQUE INDEX version_unique ON schema_migrations (version);
		INSERT INTO schema_migrations VALUES (20260301120000, false);`
	rails = `
		CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
		INSERT INTO schema_migrations VALUES ('20260301120000');`
	seed = `
		CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY, applied_at TEXT);
		INSERT INTO schema_migrations VALUES (1, '2026-03-01 12:00:00');`
)

// attempt is one way to come upon such a database.
type attempt struct {
	name  string
	hooks bool // whether the hooks plugin is in use: the file is in WAL mode then
	try   func(tb testing.TB, db *gorm.DB) error
}

// attempts are those of this package, and on SQLite those of storage.
var attempts = []attempt{
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
}

func attemptsOnSQLite() []attempt {
	tries := slices.Concat(attempts, []attempt{
		{name: "Use", try: func(_ testing.TB, db *gorm.DB) error {
			return db.Use(storage.New(storage.Config{}))
		}},
		{name: "Use with MigrateCheck", try: func(_ testing.TB, db *gorm.DB) error {
			return db.Use(storage.New(storage.Config{Migrate: storage.MigrateCheck}))
		}},
	})
	for _, try := range tries {
		try.name, try.hooks = try.name+" over hooks", true
		tries = append(tries, try)
	}
	return tries
}

// Not a byte of a file that is refused has changed, its journal mode included,
// and nothing is left beside it.
func TestRefusals(t *testing.T) {
	for _, refusal := range append(refusals, otherCase) {
		for _, attempt := range attemptsOnSQLite() {
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

func TestRefusalsOnPostgreSQL(t *testing.T) {
	for _, refusal := range refusals {
		if refusal.table == "answer_events" {
			refusal.table = "answer_archive" // the first there
		}
		t.Run(refusal.name, func(t *testing.T) {
			dsn := newDatabase(t)
			if refusal.before {
				mustUp(t, openPostgres(t, dsn, quiet()), none)
			}
			run(t, dsn, "", refusal.script)
			contents := contentsOf(t, dsn)
			for _, attempt := range attempts {
				t.Run(attempt.name, func(t *testing.T) {
					mustRefuse(t, attempt.try(t, openPostgres(t, dsn, quiet())), refusal.table, refusal.reason)
				})
			}
			if diff := cmp.Diff(contents, contentsOf(t, dsn)); diff != "" {
				t.Errorf("the database's contents (-before +after)\n%s", diff)
			}
		})
	}
}

// What is refused is refused at once, whoever is writing.
func TestRefusalTakesNoWriteLock(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			run(t, at, "", appUsers)
			db := stack.open(t, at)
			lock(t, at)
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
		if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(part)) {
			t.Errorf("%q does not say %s", err, part)
		}
	}
}

// With a prefix, ours stand beside what was refused without.
func TestPrefixBesideAnotherProgram(t *testing.T) {
	for _, stack := range engines {
		for _, refusal := range refusals {
			t.Run(stack.name+"/"+refusal.name, func(t *testing.T) {
				at := stack.new(t)
				db := stack.open(t, at)
				if refusal.before {
					mustUp(t, db, none)
				}
				run(t, at, "", refusal.script)
				before := contentsOf(t, at)
				mustUp(t, db, prefixed)
				addCustomers(t, at, "fm_", 1)
				mustContain(t, contentsOf(t, at), before)

				mustDown(t, db, prefixed, 0)
				after := contentsOf(t, at)
				maps.DeleteFunc(after, func(name, _ string) bool { return strings.Contains(name, "fm_schema_migrations") })
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("contents after Up and Down (-before +after)\n%s", diff)
				}
			})
		}
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
		{"migration of set_aside", "CREATE TABLE letters (n INTEGER); CREATE INDEX idx_answers_set_aside_id ON letters (n)", "0004_set_aside"},
	}
	for _, test := range tests {
		for _, stack := range stacks {
			t.Run(test.name+"/"+stack.name, func(t *testing.T) {
				at := stack.new(t)
				run(t, at, "", test.script)
				before := contentsOf(t, at)
				db := stack.open(t, at)
				result, err := migrations.Up(t.Context(), db, none)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("got error %v, want one that names %s", err, test.want)
				}
				if len(result.Steps) != 0 {
					t.Errorf("says that it applied %v", versions(result))
				}
				if diff := cmp.Diff(before, contentsOf(t, at)); diff != "" {
					t.Errorf("contents (-before +after)\n%s", diff)
				}

				// Once it is out of the way, nothing of the failure stands in it.
				run(t, at, "", "DROP TABLE letters")
				mustUp(t, db, none)
			})
		}
	}
}
