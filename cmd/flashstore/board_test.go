package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func boardOf(tb testing.TB, args ...string) (b board) {
	tb.Helper()
	call(tb, append([]string{"board", "--json"}, args...)...).must(tb, 0).quiet(tb).mustJSON(tb, &b)
	return b
}

// places returns a page's ranks, names and XP.
func places(b board) (list []string) {
	for _, s := range b.Standings {
		list = append(list, fmt.Sprint(s.Rank, " ", s.Name, " ", s.WeeklyXP))
	}
	return list
}

func TestBoard(t *testing.T) {
	path := class(t)
	got := boardOf(t, "--db", path, "--season", "20261108")
	want := []string{
		"1 Hypatia 132", "2 Sophie 114", "3 Emmy 62", "4 Srinivasa 56",
		"5 Katherine 46", "6 Blaise 43", "7 Ada 12", "8 Carl 4",
	}
	if diff := cmp.Diff(want, places(got)); diff != "" {
		t.Errorf("board (-want +got):\n%s", diff)
	}
	if got.Next != "" || got.Season.ID != 20261108 || got.League.Slug != "neon" {
		t.Errorf("the page is %+v", got)
	}
	anyDay := boardOf(t, "--db", path, "--season", "20261114")
	if diff := cmp.Diff(got, anyDay); diff != "" {
		t.Errorf("by another day of the season:\n%s", diff)
	}
	if other := boardOf(t, "--db", path, "--season", "20261108", "--league", "apex"); len(other.Standings) != 0 || other.Standings == nil {
		t.Errorf("the apex league has %+v", other.Standings)
	}
}

// The pages behind each other are the board.
func TestBoardPages(t *testing.T) {
	path := class(t)
	whole := boardOf(t, "--db", path, "--season", "20261108")
	args := []string{"--db", path, "--season", "20261108", "--limit", "3"}
	var all []string
	pages := 0
	for page := boardOf(t, args...); ; page = boardOf(t, append(args, "--after", string(page.Next))...) {
		all = append(all, places(page)...)
		if pages++; page.Next == "" || pages == 9 {
			break
		}
	}
	if diff := cmp.Diff(places(whole), all); diff != "" || pages != 3 {
		t.Errorf("%d pages (-want +got):\n%s", pages, diff)
	}
	first := boardOf(t, args...)
	call(t, "board", "--db", path, "--season", "20261101", "--after", string(first.Next)).must(t, 2).says(t, "cursor")
}

// The text of a page ends with the call for the next one.
func TestBoardText(t *testing.T) {
	path := class(t)
	out := call(t, "board", "--db", path, "--season", "20261108", "--limit", "5").must(t, 0).quiet(t)
	out.says(t, "Neon league, season 20261108: the week from Sunday, 8 November 2026",
		"RANK  NAME       UID             XP   REACHED",
		"1     Hypatia    demo-hypatia    132  Sun 8 Nov 20:25:43")
	_, more, found := strings.Cut(strings.TrimSpace(out.stdout), "more: flashstore ")
	if !found {
		t.Fatalf("no call for more: %s", out.stdout)
	}
	quoted := "'" + path + "'"
	if !strings.Contains(more, quoted) {
		t.Fatalf("%q does not name %s", more, quoted)
	}
	args := strings.Fields(strings.ReplaceAll(more, quoted, "PATH"))
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "PATH", path)
	}
	call(t, args...).must(t, 0).says(t, "6     Blaise", "8     Carl")
}

// A name cannot move the cursor of the terminal, nor the columns.
func TestBoardPrintableNames(t *testing.T) {
	path := tempDB(t)
	line := practice("ann", 1)
	line["user"].(object)["name"] = "A\x1b[2J\tn\nn"
	callWith(t.Context(), text(t, line), "replay", "--db", path, "-").must(t, 0)
	call(t, "board", "--db", path, "--season", "20261018").must(t, 0).says(t, "A?[2J n n")
}

// Without --season it is the present season, or the latest with anybody in it.
func TestBoardDefaultSeason(t *testing.T) {
	path := tempDB(t)
	call(t, "migrate", "up", "--db", path).must(t, 0)
	call(t, "board", "--db", path).must(t, 0).says(t, "nobody is here", "--season YYYYMMDD")
	now := boardOf(t, "--db", path).Season

	play := func(n int, at time.Time) {
		line := practice("ann", n)
		session(line)["started_at"], session(line)["ended_at"] = at, at
		for i, a := range answers(line) {
			a["id"], a["at"] = v7(100*n+i), at
		}
		callWith(t.Context(), text(t, line), "replay", "--db", path, "-").must(t, 0)
	}
	before := now.StartsAt.AddDate(0, 0, -20)
	play(1, before)
	shown := boardOf(t, "--db", path)
	if len(shown.Standings) != 1 || before.Before(shown.Season.StartsAt) || !before.Before(shown.Season.EndsAt) {
		t.Errorf("it shows %+v, want the season of %v", shown, before)
	}
	if other := boardOf(t, "--db", path, "--league", "apex"); other.Season.ID != now.ID {
		t.Errorf("of a league with nobody in it, it shows season %d, want %d", other.Season.ID, now.ID)
	}
	play(2, now.StartsAt.Add(time.Hour))
	if shown := boardOf(t, "--db", path); shown.Season.ID != now.ID || len(shown.Standings) != 1 {
		t.Errorf("it shows %+v, want season %d", shown, now.ID)
	}
}

// A database that is not up to date is not migrated by looking.
func TestBoardPending(t *testing.T) {
	path := tempDB(t)
	mustExec(t, path, "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
	before := digest(t, path)
	call(t, "board", "--db", path).must(t, 1).says(t, "flashstore migrate up")
	if digest(t, path) != before {
		t.Error("the file has changed")
	}
}
