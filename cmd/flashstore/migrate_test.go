package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flashstore/flashstore/migrations"
)

// history are the migrations in their order.
var history = []string{"0001_practice", "0002_shop", "0003_archive", "0004_set_aside", "0005_search", "0006_board_ranges", "0007_versions", "0008_board_moves"}

func reversed(list []string) []string {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func steps(tb testing.TB, o outcome) (versions []string) {
	tb.Helper()
	var result migrations.Result
	o.mustJSON(tb, &result)
	if len(result.Steps) > 0 && (result.Duration <= 0 || result.Steps[0].Duration <= 0) {
		tb.Errorf("no durations: %+v", result)
	}
	for _, step := range result.Steps {
		versions = append(versions, step.Version)
	}
	return versions
}

// applied returns how many migrations the database says that it has.
func applied(tb testing.TB, path string, flags ...string) (n int) {
	tb.Helper()
	var states []migrations.State
	call(tb, append([]string{"migrate", "status", "--json", "--db", path}, flags...)...).must(tb, 0).mustJSON(tb, &states)
	for i, s := range states {
		if s.Version != history[i] {
			tb.Errorf("migration %d is %s, want %s", i, s.Version, history[i])
		}
		if s.AppliedAt != nil {
			n++
		}
	}
	return n
}

func TestMigrate(t *testing.T) {
	path := tempDB(t)
	if got := steps(t, call(t, "migrate", "up", "--json", "--db", path).must(t, 0).quiet(t)); !slices.Equal(got, history) {
		t.Errorf("up did %v, want %v", got, history)
	}
	if got := applied(t, path); got != len(history) {
		t.Errorf("%d are applied, want %d", got, len(history))
	}
	if got := steps(t, call(t, "migrate", "up", "--json", "--db", path).must(t, 0)); len(got) != 0 {
		t.Errorf("a second up did %v", got)
	}
	if got := steps(t, call(t, "migrate", "down", "--json", "--db", path).must(t, 0)); !slices.Equal(got, history[len(history)-1:]) {
		t.Errorf("down did %v, want the last one", got)
	}
	if got := applied(t, path); got != len(history)-1 {
		t.Errorf("%d are applied, want %d", got, len(history)-1)
	}
	call(t, "migrate", "up", "--db", path).must(t, 0)
	if got := steps(t, call(t, "migrate", "down", "--all", "--json", "--db", path).must(t, 0)); !slices.Equal(got, reversed(history)) {
		t.Errorf("down --all did %v", got)
	}
	call(t, "migrate", "up", "--db", path).must(t, 0)
	if got := steps(t, call(t, "migrate", "down", "--steps", fmt.Sprint(len(history)), "--json", "--db", path).must(t, 0)); len(got) != len(history) {
		t.Errorf("down --steps %d did %v", len(history), got)
	}
	if got := lines(t, path, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"); !slices.Equal(got, []string{"schema_migrations"}) {
		t.Errorf("down leaves %v", got)
	}
}

func TestMigrateText(t *testing.T) {
	path := tempDB(t)
	up := call(t, "migrate", "up", "--db", path).must(t, 0).quiet(t)
	said := strings.Join(history, ` +applied  \S+\n`) + ` +applied  \S+\n`
	if !regexp.MustCompile(`^` + said + fmt.Sprint(len(history)) + ` migrations applied in \S+\n$`).MatchString(up.stdout) {
		t.Errorf("up says %q", up.stdout)
	}
	if again := call(t, "migrate", "up", "--db", path).must(t, 0); again.stdout != "nothing to do\n" {
		t.Errorf("a second up says %q", again.stdout)
	}
	status := call(t, "migrate", "status", "--db", path).must(t, 0)
	if !regexp.MustCompile(`^0001_practice +applied \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n0002_shop +applied `).MatchString(status.stdout) {
		t.Errorf("status says %q", status.stdout)
	}
	last := history[len(history)-1]
	call(t, "migrate", "down", "--db", path).must(t, 0).says(t, last+"  rolled back", "1 migration rolled back in")
	if status := call(t, "migrate", "status", "--db", path).must(t, 0); !regexp.MustCompile(last + ` +pending\n`).MatchString(status.stdout) {
		t.Errorf("status says %q", status.stdout)
	}
	call(t, "migrate", "down", "--all", "--db", path).must(t, 0)
	if nothing := call(t, "migrate", "down", "--db", path).must(t, 0); nothing.stdout != "nothing to do\n" {
		t.Errorf("down of nothing says %q", nothing.stdout)
	}
}

// Another program's tables are refused, and the file stays as it is.
func TestMigrateForeign(t *testing.T) {
	path := foreign(t)
	before := digest(t, path)
	for _, verb := range []string{"up", "down", "status"} {
		call(t, "migrate", verb, "--db", path).must(t, 1).says(t, `table "users"`, "--prefix")
	}
	if digest(t, path) != before {
		t.Error("a database that was refused has changed")
	}
	call(t, "migrate", "up", "--db", path, "--prefix", "fs_").must(t, 0)
	if got := applied(t, path, "--prefix", "fs_"); got != len(history) {
		t.Errorf("%d are applied, want %d", got, len(history))
	}
	if got := mustAsk(t, path, "SELECT nick FROM users"); got != "ann" {
		t.Errorf("their user is %q", got)
	}
}

// Looking at a database applies nothing.
func TestMigrateStatusChangesNothing(t *testing.T) {
	path := tempDB(t)
	mustExec(t, path, "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
	before := digest(t, path)
	if got := applied(t, path); got != 0 {
		t.Errorf("%d are applied", got)
	}
	if digest(t, path) != before {
		t.Error("status changed the file")
	}
}
