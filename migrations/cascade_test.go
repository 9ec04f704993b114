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
	alone, both := newMigrated(t, none), newMigrated(t, none)
	addCustomers(t, alone, "", 2)
	addCustomers(t, both, "", 1, 2)
	for table, rows := range rowsOf(t, both) {
		if len(rows) == 0 {
			t.Fatalf("%s is empty: this test proves nothing of it", table)
		}
	}
	run(t, both, "", "DELETE FROM users WHERE id = 1")
	want, got := rowsOf(t, alone), rowsOf(t, both)
	// When the two files were made is no matter here.
	delete(want, "schema_migrations")
	delete(got, "schema_migrations")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows after the other user's end (-want +got)\n%s", diff)
	}
	if broken := query(t, both, "PRAGMA foreign_key_check"); len(broken) != 0 {
		t.Errorf("rows refer to what is not there: %v", broken)
	}
}

// Every table with a user in it is cascaded to; a new one that is not would
// keep a user from being deleted, or outlive them.
func TestEveryUserIDCascades(t *testing.T) {
	path := newMigrated(t, none)
	var want, got []string
	for _, row := range query(t, path, `
		SELECT m.name FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
		WHERE m.type = 'table' AND c.name = 'user_id'`) {
		want = append(want, row[0])
	}
	for _, row := range query(t, path, `
		SELECT m.name FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f
		WHERE m.type = 'table' AND f."from" = 'user_id' AND f.on_delete = 'CASCADE'`) {
		got = append(got, row[0])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("tables that a user's end reaches (-want +got)\n%s", diff)
	}
}

// What others refer to cannot go.
func TestDeleteOfWhatIsInUse(t *testing.T) {
	path := newMigrated(t, none)
	addCustomers(t, path, "", 1)
	db := openSQL(t, path)
	for name, statement := range map[string]string{
		"league": "DELETE FROM leagues WHERE id = 1",
		"season": "DELETE FROM seasons",
		"item":   "DELETE FROM shop_items",
	} {
		t.Run(name, func(t *testing.T) { mustBreak(t, db, statement, brokenForeignKey) })
	}
	t.Run("not in use", func(t *testing.T) { run(t, path, "", "DELETE FROM leagues WHERE id = 5") })
}

// An item that leaves the inventory is not worn any more.
func TestDeleteOfAnOwnedItem(t *testing.T) {
	path := newMigrated(t, none)
	addCustomers(t, path, "", 1, 2)
	want := rowsOf(t, path)
	run(t, path, "", "DELETE FROM inventory WHERE user_id = 1")
	for _, table := range []string{"inventory", "loadouts"} {
		want[table] = slices.DeleteFunc(want[table], func(row string) bool { return strings.HasPrefix(row, "1|") })
	}
	if diff := cmp.Diff(maps.Clone(want), rowsOf(t, path)); diff != "" {
		t.Errorf("rows (-want +got)\n%s", diff)
	}
}
