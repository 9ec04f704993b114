package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
)

// Applications open PostgreSQL in more ways than one: behind a pooler, the
// parameters go into the text of the statement.
func TestUpDownUpInEveryMode(t *testing.T) {
	prepared := quiet()
	prepared.PrepareStmt = true
	modes := map[string]func(dsn string) (gorm.Dialector, *gorm.Config){
		"simple protocol": func(dsn string) (gorm.Dialector, *gorm.Config) {
			return postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: true}), quiet()
		},
		"exec": func(dsn string) (gorm.Dialector, *gorm.Config) {
			return postgres.Open(dsn + " default_query_exec_mode=exec"), quiet()
		},
		"PrepareStmt": func(dsn string) (gorm.Dialector, *gorm.Config) {
			return postgres.Open(dsn), prepared
		},
		"without RETURNING": func(dsn string) (gorm.Dialector, *gorm.Config) {
			return postgres.New(postgres.Config{DSN: dsn, WithoutReturning: true}), quiet()
		},
	}
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			db, err := gorm.Open(mode(newDatabase(t)))
			must(t, err)
			defer closeDB(t, db)
			for range 2 {
				if got := mustUp(t, db, none); len(got.Steps) != len(history) {
					t.Errorf("applied %v", versions(got))
				}
				must(t, migrations.Check(t.Context(), db, none))
				if got := mustDown(t, db, none, 0); len(got.Steps) != len(history) {
					t.Errorf("rolled back %v", versions(got))
				}
			}
		})
	}
}

// Where all transactions of a database are serializable, those who wait for
// the lock must still see what was committed in the meantime.
func TestTogetherInASerializableDatabase(t *testing.T) {
	const together = 8
	dsn := newDatabase(t) + " default_transaction_isolation=serializable"
	var mu sync.Mutex
	var applied []string
	start := make(chan struct{})
	var all sync.WaitGroup
	for range together {
		db := openPostgres(t, dsn, quiet())
		must(t, db.Exec("SELECT 1").Error)
		all.Go(func() {
			<-start
			result, err := migrations.Up(t.Context(), db, none)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			applied = append(applied, versions(result)...)
		})
	}
	close(start)
	all.Wait()
	if diff := cmp.Diff(history, applied); diff != "" {
		t.Errorf("applied by all of them (-want +got)\n%s", diff)
	}
}

// Two prefixes are two histories: one does not wait for the other's.
func TestOtherPrefixDoesNotWait(t *testing.T) {
	dsn := newDatabase(t)
	lock(t, dsn)
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	_, err := migrations.Up(ctx, openPostgres(t, dsn, quiet()), prefixed)
	must(t, err)
}

// Text sorts by its bytes, as on SQLite, and not as the database's language
// would have it.
func TestTextSortsByItsBytes(t *testing.T) {
	for _, row := range query(t, onPostgres.migrated(t, none), `
		SELECT attrelid::regclass::text, attname, collname
		FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid JOIN pg_collation AS l ON l.oid = attcollation
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND collname <> 'C'`) {
		t.Errorf("%s.%s is sorted by %s", row[0], row[1], row[2])
	}
}

// PostgreSQL cuts off what is too long of a name; two could become one.
func TestLongPrefix(t *testing.T) {
	longest := migrations.Config{TablePrefix: strings.Repeat("p", 27) + "_"}
	dsn := newDatabase(t)
	db := openPostgres(t, dsn, quiet())
	mustUp(t, db, longest)
	must(t, migrations.Check(t.Context(), db, longest))
	before := schemaOf(t, dsn)

	long := migrations.Config{TablePrefix: longest.TablePrefix + "_"}
	_, err := migrations.Up(t.Context(), db, long)
	var refused *migrations.PrefixError
	if !errors.As(err, &refused) || refused.Prefix != long.TablePrefix || !strings.Contains(err.Error(), "1 shorter") {
		t.Errorf("got error %v, want a *PrefixError that says how much shorter", err)
	}
	if diff := cmp.Diff(before, schemaOf(t, dsn)); diff != "" {
		t.Errorf("schema (-before +after)\n%s", diff)
	}
	// SQLite has no such limit.
	mustUp(t, openPlain(t, newPath(t), quiet()), long)
}

// Names in other case are other names; SQLite knows but one.
func TestUsersInOtherCase(t *testing.T) {
	dsn := newDatabase(t)
	run(t, dsn, "", strings.ReplaceAll(appUsers, "users", `"Users"`))
	want := rowsOf(t, dsn)[`"Users"`]
	db := openPostgres(t, dsn, quiet())
	mustUp(t, db, none)
	mustDown(t, db, none, 0)
	if diff := cmp.Diff(want, rowsOf(t, dsn)[`"Users"`]); diff != "" || len(want) != 2 {
		t.Errorf("the application's users (-before +after)\n%s", diff)
	}
}

// Ours are in the first schema of the search path. What lies further back is
// another's, and stays as it is.
func TestSearchPath(t *testing.T) {
	dsn := newDatabase(t)
	run(t, dsn, "", appUsers+"CREATE SCHEMA game")
	before := contentsOf(t, dsn)
	db := openPostgres(t, dsn+" search_path=game,public", quiet())
	mustUp(t, db, none)
	must(t, migrations.Check(t.Context(), db, none))
	if got := query(t, dsn, "SELECT count(*) FROM game.leagues"); got[0][0] != "5" {
		t.Errorf("there are %s leagues", got[0][0])
	}
	mustDown(t, db, none, 0)
	mustUp(t, db, none)
	if diff := cmp.Diff(before, contentsOf(t, dsn)); diff != "" {
		t.Errorf("the application's (-before +after)\n%s", diff)
	}
}

// A look writes nothing, so that it can be had at a standby.
func TestLooksAtAStandby(t *testing.T) {
	server := pgtest.Server(t)
	dsn := server.Database(t)
	replica := server.Replica(t)
	replica.CatchUp(t)
	standby := openPostgres(t, replica.DSN(dsn), quiet())
	mustBePending(t, standby)
	if _, err := migrations.Up(t.Context(), standby, none); err == nil {
		t.Error("migrations are applied at a standby")
	}

	mustUp(t, openPostgres(t, dsn, quiet()), none)
	replica.CatchUp(t)
	must(t, migrations.Check(t.Context(), standby, none))
	if again := mustUp(t, standby, none); len(again.Steps) != 0 {
		t.Errorf("applied %v", versions(again))
	}
}

// A look sees all of a change or nothing of it, whenever it looks.
func TestLooksDuringChanges(t *testing.T) {
	const changes = 20
	dsn := newDatabase(t)
	looking, changing := openPostgres(t, dsn, quiet()), openPostgres(t, dsn, quiet())
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			states, err := migrations.Status(t.Context(), looking, none)
			if err != nil {
				t.Errorf("a look: %v", err)
				return
			}
			if (states[0].AppliedAt == nil) != (states[1].AppliedAt == nil) {
				t.Errorf("half of a change is seen: %v", states)
			}
		}
	})
	for range changes {
		mustUp(t, changing, none)
		mustDown(t, changing, none, 0)
	}
	close(done)
	all.Wait()
}

// PostgreSQL drops no table that another refers to, rows or none, whatever
// that says of ON DELETE.
func TestDownStopsAtForeignKeys(t *testing.T) {
	for _, rule := range []string{"", "ON DELETE CASCADE", "ON DELETE SET NULL"} {
		t.Run(rule, func(t *testing.T) {
			dsn := onPostgres.migrated(t, none)
			run(t, dsn, "", fmt.Sprintf("CREATE TABLE avatars (user_id bigint REFERENCES users (id) %s)", rule))
			want := contentsOf(t, dsn)
			_, err := migrations.Down(t.Context(), openPostgres(t, dsn, quiet()), none, 0)
			if err == nil || !strings.Contains(err.Error(), practice) || !strings.Contains(err.Error(), "users") {
				t.Errorf("got error %v, want one that names %s and users", err, practice)
			}
			if diff := cmp.Diff(want, contentsOf(t, dsn)); diff != "" {
				t.Errorf("contents (-before +after)\n%s", diff)
			}
		})
	}
}

// Other things than tables that have names of ours are seen as well.
func TestOtherKindsOfTables(t *testing.T) {
	for name, script := range map[string]string{
		"materialized view": "CREATE MATERIALIZED VIEW users AS SELECT 1 AS id",
		"partitioned":       "CREATE TABLE users (id bigint) PARTITION BY HASH (id)",
		"no columns":        "CREATE TABLE users ()",
	} {
		t.Run(name, func(t *testing.T) {
			dsn := newDatabase(t)
			run(t, dsn, "", script)
			_, err := migrations.Up(t.Context(), openPostgres(t, dsn, quiet()), none)
			mustRefuse(t, err, "users", "not made by flashstore")
			if tables := tablesOf(t, dsn); slices.Contains(tables, "schema_migrations") {
				t.Errorf("made %v", tables)
			}
		})
	}
}

// The text that is searched for is folded in a database of another encoding,
// too, in which no diacritics can be taken off; and in other locales.
func TestSearchInOtherEncodings(t *testing.T) {
	for options, folded := range map[string]string{
		"ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'":     "Zoë O Brien",
		"ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'":  "Zoë O Brien",
		"ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'": "Zoe O Brien",
	} {
		t.Run(options, func(t *testing.T) {
			dsn := newDatabase(t)
			server := openSQL(t, dsn)
			_, err := server.Exec("CREATE DATABASE another TEMPLATE template0 " + options)
			must(t, err)
			defer func() {
				_, err := server.Exec("DROP DATABASE another WITH (FORCE)")
				must(t, err)
			}()
			at := regexp.MustCompile(`dbname=\S+`).ReplaceAllString(dsn, "dbname=another")
			db := openPostgres(t, at, quiet())
			defer closeDB(t, db)
			mustUp(t, db, none)
			addCustomers(t, at, "", 1)
			run(t, at, "", "UPDATE users SET name = 'Zoë O''Brien'")
			if got := query(t, at, "SELECT search_fold(name) FROM users"); got[0][0] != folded {
				t.Errorf("is folded to %q, want %q", got[0][0], folded)
			}
			mustDown(t, db, none, 0)
		})
	}
}
