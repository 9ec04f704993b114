package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// demoOf reads a demo's JSON.
func demoOf(tb testing.TB, o outcome) (d demo) {
	tb.Helper()
	o.mustJSON(tb, &d)
	return d
}

func TestDemo(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("DATABASE_PATH", filepath.Join(temp, "mine.db")) // is not touched
	start := time.Now()
	out := call(t, "demo").must(t, 0).quiet(t)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	out.says(t, "82 lines: 82 booked, 0 repeated, 0 conflicting, 0 rejected",
		"RANK", "Neon league, season 20261108", "Hypatia buys the Neon Frame for 150 coins", "190 coins",
		"What Hypatia knows least", "sound, ledger proved", "Try next")
	if _, err := os.Stat(filepath.Join(temp, "mine.db")); err == nil {
		t.Error("it made $DATABASE_PATH")
	}
	for line := range strings.Lines(out.stdout) {
		if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
			t.Errorf("blanks at the end of %q", line)
		}
	}
}

func TestDemoJSON(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	d := demoOf(t, call(t, "demo", "--json").must(t, 0).quiet(t))
	if want := (tally{Lines: 82, Booked: 82}); d.Replay != want {
		t.Errorf("replay %+v, want %+v", d.Replay, want)
	}
	if len(d.Board.Standings) != 8 || d.Board.Standings[0].UID != d.Learner.UID || d.Board.Standings[0].Rank != 1 {
		t.Errorf("the board %+v is not led by %q", d.Board.Standings, d.Learner.UID)
	}
	if len(d.Shop) != 6 || d.Purchase.Balance != d.Learner.Coins || d.Purchase.PricePaid != 150 || d.Purchase.Repeated {
		t.Errorf("the purchase is %+v of %d items, the learner %+v", d.Purchase, len(d.Shop), d.Learner)
	}
	if len(d.Weakest) != 5 || d.Weakest[0].MasteryLevel > d.Weakest[4].MasteryLevel {
		t.Errorf("the weakest facts are %+v", d.Weakest)
	}
	if d.Statistics.JournalMode != "wal" || d.Statistics.Pages == 0 {
		t.Errorf("the figures are %+v", d.Statistics)
	}
	if len(d.Checks) != 2 || !d.Checks[0].OK || !d.Checks[1].OK || !d.Checks[1].Ledger.Checked {
		t.Errorf("the checks are %+v", d.Checks)
	}
	for _, path := range []string{d.Database, d.Backup.Path} {
		if got := mustAsk(t, path, "SELECT count(*) FROM sessions"); got != "82" {
			t.Errorf("%s has %s sessions", path, got)
		}
	}
	worn := mustAsk(t, d.Database, "SELECT slug FROM loadouts JOIN shop_items ON id = item_id WHERE user_id = ?", d.Learner.ID)
	if worn != "frame-neon" {
		t.Errorf("the learner wears %q", worn)
	}
	if len(d.Next) == 0 {
		t.Fatal("nothing to try next")
	}
	for _, next := range d.Next {
		call(t, strings.Fields(next)[1:]...).must(t, 0)
	}
}

// Run again on the same file it books and buys nothing twice, and makes
// another backup.
func TestDemoTwice(t *testing.T) {
	path := tempDB(t)
	first := demoOf(t, call(t, "demo", "--json", "--db", path).must(t, 0))
	second := demoOf(t, call(t, "demo", "--json", "--db", path).must(t, 0))
	if want := (tally{Lines: 82, Repeated: 82}); second.Replay != want {
		t.Errorf("the second replay is %+v, want %+v", second.Replay, want)
	}
	if !second.Purchase.Repeated || second.Learner.Coins != first.Learner.Coins {
		t.Errorf("it bought again: %+v, then %+v", first.Learner, second.Learner)
	}
	if first.Backup.Path == second.Backup.Path {
		t.Errorf("both backups are %s", first.Backup.Path)
	}
	want := []string{filepath.Base(path), filepath.Base(first.Backup.Path), filepath.Base(second.Backup.Path)}
	slices.Sort(want)
	if got := files(t, path); !slices.Equal(got, want) {
		t.Errorf("there is %q, want %q", got, want)
	}
	call(t, "demo", "--db", path).must(t, 0).says(t, "Hypatia bought the Neon Frame")
}

func TestDemoPrefix(t *testing.T) {
	path := foreign(t)
	call(t, "demo", "--db", path).must(t, 1).says(t, `"users"`, "--prefix")
	d := demoOf(t, call(t, "demo", "--json", "--prefix", "fs_", "--db", path).must(t, 0))
	if !d.Checks[0].Ledger.Checked || !strings.HasSuffix(d.Next[0], "--prefix fs_") {
		t.Errorf("the prefix got lost: %+v, %q", d.Checks, d.Next)
	}
}

// The class that ships is small, and every line of it is good.
func TestClass(t *testing.T) {
	if size := len(classRecording); size > 250_000 {
		t.Errorf("it has %d bytes", size)
	}
	learners := map[string]int{}
	for line := range bytes.Lines(classRecording) {
		user, _, err := parseRecording(line)
		if err != nil {
			t.Fatal(err)
		}
		learners[user.UID]++
		if user.Name == "" || user.Email == "" {
			t.Errorf("user %+v", user)
		}
	}
	if len(learners) != 8 {
		t.Errorf("the learners are %v", learners)
	}
}
