package migrations_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
)

func TestDown(t *testing.T) {
	latest := slices.Clone(history)
	slices.Reverse(latest)
	tests := []struct {
		name  string
		steps int
		want  []string // in the order they are rolled back
	}{
		{"one", 1, latest[:1]},
		{"two", 2, latest[:2]},
		{"all", 0, latest},
		{"fewer than none", -1, latest},
		{"more than there are", 99, latest},
	}
	for _, stack := range stacks {
		for _, test := range tests {
			t.Run(stack.name+"/"+test.name, func(t *testing.T) {
				at := stack.new(t)
				db := stack.open(t, at)
				mustUp(t, db, none)
				addCustomers(t, at, "", 1, 2)
				result := mustDown(t, db, none, test.steps)
				if diff := cmp.Diff(test.want, versions(result)); diff != "" {
					t.Errorf("rolled back (-want +got)\n%s", diff)
				}
				for _, step := range result.Steps {
					if step.Duration <= 0 || result.Duration < step.Duration {
						t.Errorf("%s took %v of %v", step.Version, step.Duration, result.Duration)
					}
				}
			})
		}
	}
}

func TestDownOfNothing(t *testing.T) {
	for _, stack := range stacks {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			if got := mustDown(t, db, none, 1); len(got.Steps) != 0 {
				t.Errorf("rolled back %v on an empty file", versions(got))
			}
			if tables := tablesOf(t, at); len(tables) != 0 {
				t.Errorf("made %v", tables)
			}
			mustUp(t, db, none)
			mustDown(t, db, none, 0)
			if got := mustDown(t, db, none, 0); len(got.Steps) != 0 {
				t.Errorf("rolled back %v twice", versions(got))
			}
		})
	}
}

// A table that GORM's migrator changes is made anew: the old one is dropped,
// and with it go the rows that refer to it. A migration of ours takes the rows
// of its own tables and no other.
func TestT12_RowsOfOtherTables(t *testing.T) {
	t.Run("GORM's migrator", func(t *testing.T) {
		path := newMigrated(t, none)
		addCustomers(t, path, "", 1)
		db := openPlain(t, path+"?_foreign_keys=1", quiet())
		must(t, db.Migrator().DropColumn(&models.User{}, "total_xp"))
		if n := len(rowsOf(t, path)["sessions"]); n != 0 {
			t.Errorf("%d sessions outlive the column of another table: plain GORM is better than it was", n)
		}
	})
	for _, stack := range stacks {
		t.Run("ours over "+stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			mustUp(t, db, none)
			addCustomers(t, at, "", 1, 2)
			want := rowsOf(t, at)
			mustDown(t, db, none, len(history)-1)
			for i, row := range want["users"] { // the column of a later one
				want["users"][i] = strings.TrimSuffix(row, "|1")
			}
			for _, table := range []string{
				"shop_items", "inventory", "loadouts", "coin_ledger",
				"archive_horizons", pick(at, "archive_files", "answer_archive"), "answers_set_aside", "board_ranges", "board_moves",
			} {
				delete(want, table)
			}
			want["schema_migrations"] = want["schema_migrations"][:1]
			if diff := cmp.Diff(want, rowsOf(t, at)); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
		})
	}
}

// The application's rows that refer to ours stop Down, which then has done
// nothing: not even the step that it could do.
func TestDownIsAllOrNothing(t *testing.T) {
	for _, stack := range []stack{hooksSQLite, onPostgres} {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.new(t)
			db := stack.open(t, at)
			mustUp(t, db, none)
			addCustomers(t, at, "", 1)
			run(t, at, "", `
				CREATE TABLE avatars (user_id BIGINT REFERENCES users (id));
				INSERT INTO avatars VALUES (1);`)
			want := contentsOf(t, at)
			_, err := migrations.Down(t.Context(), db, none, 0)
			if err == nil || !strings.Contains(err.Error(), practice) {
				t.Errorf("got error %v, want one that names %s", err, practice)
			}
			if diff := cmp.Diff(want, contentsOf(t, at)); diff != "" {
				t.Errorf("contents (-want +got)\n%s", diff)
			}
		})
	}
}

// Where the application has said that its rows go with ours, they do.
func TestDownCascadesToTheApplication(t *testing.T) {
	path := newPath(t)
	db := openHooks(t, path)
	mustUp(t, db, none)
	addCustomers(t, path, "", 1)
	run(t, path, "", `
		CREATE TABLE avatars (user_id INTEGER REFERENCES users (id) ON DELETE CASCADE);
		INSERT INTO avatars VALUES (1), (NULL);`)
	mustDown(t, db, none, 0)
	want := map[string][]string{"avatars": {"<nil>"}, "schema_migrations": {}}
	if diff := cmp.Diff(want, rowsOf(t, path)); diff != "" {
		t.Errorf("rows (-want +got)\n%s", diff)
	}
}
