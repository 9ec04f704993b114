package migrations_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/migrations"
)

func TestUp(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			db := stack.open(t, stack.new(t))
			result := mustUp(t, db, none)
			if diff := cmp.Diff(history, versions(result)); diff != "" {
				t.Errorf("applied (-want +got)\n%s", diff)
			}
			var sum time.Duration
			for _, step := range result.Steps {
				if step.Duration <= 0 {
					t.Errorf("%s took %v", step.Version, step.Duration)
				}
				sum += step.Duration
			}
			if result.Duration < sum {
				t.Errorf("all took %v, its steps %v", result.Duration, sum)
			}
			if again := mustUp(t, db, none); len(again.Steps) != 0 {
				t.Errorf("the second run applied %v", versions(again))
			}
		})
	}
}

// Where nothing is pending, a start of the application waits for nobody.
func TestUpAgainTakesNoWriteLock(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			mustUp(t, db, none)
			lock(t, at)
			must(t, migrations.Check(t.Context(), db, none))
			if again := mustUp(t, db, none); len(again.Steps) != 0 {
				t.Errorf("the second run applied %v", versions(again))
			}
		})
	}
}

func TestUpWaitsUnderItsContext(t *testing.T) {
	for _, stack := range []stack{hooksSQLite, onPostgres} {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			lock(t, at)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			_, err := migrations.Up(ctx, db, none)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got error %v, want the context's", err)
			}
			// The hooks plugin's own timeout is 5 s.
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("gave up after %v", took)
			}
			if tables := tablesOf(t, at); len(tables) != 0 {
				t.Errorf("left %v", tables)
			}
		})
	}
}

func TestStatusAndCheck(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			db := stack.open(t, stack.new(t))
			var pending []migrations.State
			for _, version := range history {
				pending = append(pending, migrations.State{Version: version})
			}
			mustHaveStatus(t, db, pending)
			mustBePending(t, db)

			before := time.Now().Truncate(time.Millisecond)
			mustUp(t, db, none)
			after := time.Now()
			states, err := migrations.Status(t.Context(), db, none)
			must(t, err)
			for i, state := range states {
				at := state.AppliedAt
				if state.Version != pending[i].Version || at == nil || at.Before(before) || at.After(after) || at.Location() != time.UTC {
					t.Errorf("%s was applied at %v, want UTC from %v to %v", state.Version, at, before, after)
				}
			}
			must(t, migrations.Check(t.Context(), db, none))

			mustDown(t, db, none, 1)
			last := len(history) - 1
			mustHaveStatus(t, db, append(states[:last], pending[last]))
			mustBePending(t, db)
		})
	}
}

func mustHaveStatus(t *testing.T, db *gorm.DB, want []migrations.State) {
	t.Helper()
	got, err := migrations.Status(t.Context(), db, none)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got)\n%s", diff)
	}
}

func mustBePending(t *testing.T, db *gorm.DB) {
	t.Helper()
	if err := migrations.Check(t.Context(), db, none); !errors.Is(err, migrations.ErrPending) {
		t.Errorf("Check returned %v, want ErrPending", err)
	}
}

func TestUpInsideOfATransaction(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			taken := errors.New("taken back")
			err := stack.open(t, at).Transaction(func(tx *gorm.DB) error {
				if got := mustUp(t, tx, none); len(got.Steps) != len(history) {
					t.Errorf("applied %v", versions(got))
				}
				must(t, migrations.Check(t.Context(), tx, none))
				return taken
			})
			if !errors.Is(err, taken) {
				t.Fatalf("got error %v", err)
			}
			if tables := tablesOf(t, at); len(tables) != 0 {
				t.Errorf("the caller's transaction was rolled back and left %v", tables)
			}
		})
	}
}

// GORM's store of prepared statements runs the first statement of a script,
// and says nothing of the others.
func TestT22_Scripts(t *testing.T) {
	config := quiet()
	config.PrepareStmt = true
	path := newPath(t)
	db := openPlain(t, path, config)
	must(t, db.Exec("CREATE TABLE first (id INTEGER); CREATE TABLE second (id INTEGER)").Error)
	if diff := cmp.Diff([]string{"first"}, tablesOf(t, path)); diff != "" {
		t.Fatalf("plain GORM runs more of a script than it did (-want +got)\n%s", diff)
	}

	mustUp(t, db, none)
	want := schemaOf(t, newMigrated(t, none))
	want["table first"] = "on first: CREATE TABLE first (id INTEGER)"
	if diff := cmp.Diff(want, schemaOf(t, path)); diff != "" {
		t.Errorf("schema (-want +got)\n%s", diff)
	}
	mustDown(t, db, none, 0)
	if diff := cmp.Diff([]string{"first", "schema_migrations"}, tablesOf(t, path)); diff != "" {
		t.Errorf("tables after Down (-want +got)\n%s", diff)
	}
}

// What the application's own models are called is no business of ours.
func TestNamingStrategy(t *testing.T) {
	config := quiet()
	config.NamingStrategy = schema.NamingStrategy{TablePrefix: "app_", SingularTable: true, NoLowerCase: true}
	config.QueryFields = true
	path := newPath(t)
	db := openPlain(t, path, config)
	mustUp(t, db, none)
	if diff := cmp.Diff(schemaOf(t, newMigrated(t, none)), schemaOf(t, path)); diff != "" {
		t.Errorf("schema (-want +got)\n%s", diff)
	}
	states, err := migrations.Status(t.Context(), db, none)
	must(t, err)
	for _, state := range states {
		if state.AppliedAt == nil || time.Since(*state.AppliedAt) > hang {
			t.Errorf("%s was applied at %v", state.Version, state.AppliedAt)
		}
	}
	if got := mustDown(t, db, none, 0); len(got.Steps) != len(history) {
		t.Errorf("rolled back %v", versions(got))
	}
}

// An application's file may have virtual tables whose module this program
// does not carry; to look at them would fail.
func TestVirtualTableOfAnUnknownModule(t *testing.T) {
	path := newPath(t)
	run(t, path, "", `
		PRAGMA writable_schema = ON;
		INSERT INTO sqlite_schema (type, name, tbl_name, rootpage, sql)
			VALUES ('table', 'search', 'search', 0, 'CREATE VIRTUAL TABLE search USING unknown_module (text)');`)
	db := openPlain(t, path, quiet())
	if err := db.Exec("SELECT * FROM search").Error; err == nil {
		t.Fatal("the module is known")
	}
	mustUp(t, db, none)
	must(t, migrations.Check(t.Context(), db, none))
	mustDown(t, db, none, 0)
}
