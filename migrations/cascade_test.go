package migrations_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A user takes along all that is theirs, and nothing of another's.
func TestDeleteOfAUser(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			alone, both := stack.migrated(t, none), stack.migrated(t, none)
			addCustomers(t, alone, "", 2)
			addCustomers(t, both, "", 1, 2)
			for table, rows := range rowsOf(t, both) {
				if len(rows) == 0 && table != pick(both, "board_moves", "board_ranges") { // the store makes these of those
					t.Fatalf("%s is empty: this test proves nothing of it", table)
				}
			}
			run(t, both, "", "DELETE FROM users WHERE id = 1")
			want, got := rowsOf(t, alone), rowsOf(t, both)
			// When the two databases were made is no matter here, nor who has been
			// where on a board.
			for _, rows := range []map[string][]string{want, got} {
				delete(rows, "schema_migrations")
				delete(rows, "board_moves")
			}
			const places = `SELECT minus_xp, of_user FROM board_moves GROUP BY minus_xp, of_user HAVING sum(players) <> 0`
			if diff := cmp.Diff(query(t, alone, places), query(t, both, places)); diff != "" {
				t.Errorf("places after the other user's end (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows after the other user's end (-want +got)\n%s", diff)
			}
			if broken := query(t, both, pick(both, "PRAGMA foreign_key_check",
				"SELECT conname FROM pg_constraint WHERE NOT convalidated")); len(broken) != 0 {
				t.Errorf("rows refer to what is not there: %v", broken)
			}
		})
	}
}

// Every table with a user in it is cascaded to; a new one that is not would
// keep a user from being deleted, or outlive them.
func TestEveryUserIDCascades(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			var want, got []string
			for _, row := range query(t, at, pick(at, `
				SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
				WHERE m.type = 'table' AND c.name = 'user_id'`, `
				SELECT attrelid::regclass::text FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid
				WHERE c.relkind = 'r' AND attname = 'user_id'`)) {
				want = append(want, row[0])
			}
			for _, row := range query(t, at, pick(at, `
				SELECT m.name FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f
				WHERE m.type = 'table' AND f."from" = 'user_id' AND f.on_delete = 'CASCADE'`, `
				SELECT conrelid::regclass::text FROM pg_constraint AS f
				JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
				WHERE f.contype = 'f' AND a.attname = 'user_id' AND f.confdeltype = 'c'`)) {
				got = append(got, row[0])
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("tables that a user's end reaches (-want +got)\n%s", diff)
			}
		})
	}
}

// What others refer to cannot go.
func TestDeleteOfWhatIsInUse(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			addCustomers(t, at, "", 1)
			db := openSQL(t, at)
			for name, statement := range map[string]string{
				"league": "DELETE FROM leagues WHERE id = 1",
				"season": "DELETE FROM seasons",
				"item":   "DELETE FROM shop_items",
			} {
				t.Run(name, func(t *testing.T) { mustBreak(t, db, statement, brokenForeignKey) })
			}
			t.Run("not in use", func(t *testing.T) { run(t, at, "", "DELETE FROM leagues WHERE id = 5") })
		})
	}
}

// An item that leaves the inventory is not worn any more.
func TestDeleteOfAnOwnedItem(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			addCustomers(t, at, "", 1, 2)
			want := rowsOf(t, at)
			run(t, at, "", "DELETE FROM inventory WHERE user_id = 1")
			for _, table := range []string{"inventory", "loadouts"} {
				want[table] = slices.DeleteFunc(want[table], func(row string) bool { return strings.HasPrefix(row, "1|") })
			}
			if diff := cmp.Diff(maps.Clone(want), rowsOf(t, at)); diff != "" {
				t.Errorf("rows (-want +got)\n%s", diff)
			}
		})
	}
}
