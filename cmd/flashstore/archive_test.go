package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/storage"
)

// The class's answers go to the archive, once, and what comes again is known.
func TestArchive(t *testing.T) {
	path := class(t)
	archive := filepath.Join(t.TempDir(), "answers of 2025?.db")
	answers := lines(t, path, "SELECT * FROM answer_events")
	args := []string{"archive", "--db", path, "--archive", archive, "--before", "2026-11-20"}
	dates := lines(t, path, "SELECT DISTINCT date(created_at / 1000, 'unixepoch') FROM answer_events")
	if last := dates[len(dates)-1]; last >= "2026-11-20" {
		t.Fatalf("the class practised on %s", last)
	}
	var result storage.ArchiveResult
	call(t, append(args, "--json", "--batch", "100")...).must(t, 0).quiet(t).mustJSON(t, &result)
	if result.Answers != int64(len(answers)) || result.Users < 2 || result.Removed != 0 {
		t.Errorf("it did %+v, of %d answers", result, len(answers))
	}
	if got := lines(t, archive, "SELECT * FROM answer_archive"); !slices.Equal(got, answers) {
		t.Errorf("the archive has %d answers, which are not the %d of the log", len(got), len(answers))
	}
	if got := mustAsk(t, path, "SELECT count(*) FROM answer_events"); got != "0" {
		t.Errorf("%s are in the log", got)
	}
	out := call(t, args...).must(t, 0).quiet(t)
	if !strings.HasPrefix(out.stdout, "0 answers of 0 users from before 2026-11-20T00:00:00Z moved to the archive, in ") {
		t.Errorf("it says %q", out.stdout)
	}
	mustExec(t, path, "PRAGMA foreign_keys = ON", "DELETE FROM users WHERE id = 1")
	call(t, args...).must(t, 0).quiet(t).says(t, "of users who are erased removed from it")
	call(t, "check", "--db", path).must(t, 0)
}

// A recording of the archived past is booked with the archive, and not without.
func TestReplayArchived(t *testing.T) {
	path, archive := class(t), filepath.Join(t.TempDir(), "a.db")
	call(t, "archive", "--db", path, "--archive", archive, "--before", "2026-11-20").must(t, 0)
	callWith(t.Context(), string(classRecording), "replay", "--db", path, "-").must(t, 0).says(t, " 0 booked")
	mustExec(t, path, "DELETE FROM sessions", "DELETE FROM coin_ledger") // the answers were sent ahead
	callWith(t.Context(), string(classRecording), "replay", "--db", path, "-").must(t, 1).says(t, "storage.Config.Archive", "is --archive")
	call(t, "check", "--store", "--db", path).must(t, 1).says(t, "storage.Config.Archive", "is --archive")
	if got := mustAsk(t, path, "SELECT count(*) FROM sessions"); got != "0" {
		t.Errorf("%s sessions are booked without their answers", got)
	}
	callWith(t.Context(), string(classRecording), "replay", "--db", path, "--archive", archive, "-").must(t, 0).says(t, " 0 repeated")
	if got := mustAsk(t, path, "SELECT count(*) FROM answer_events"); got != "0" {
		t.Errorf("%s archived answers are booked again", got)
	}
}

// What is no database of ours, or no archive of its, is refused.
func TestArchiveRefused(t *testing.T) {
	path, other := class(t), foreign(t)
	before := digest(t, other)
	call(t, "archive", "--db", path, "--archive", other, "--before", "2026-11-20").must(t, 1).says(t, other, "another program's", "left as it is")
	call(t, "archive", "--db", other, "--archive", path, "--before", "2026-11-20").must(t, 1).says(t, `table "users"`)
	if digest(t, other) != before {
		t.Error("the file has changed")
	}
	call(t, "archive", "--db", path, "--archive", path+".a", "--before", "2126-11-20T00:00:00Z").must(t, 2).says(t, "before is 2126-11-20T00:00:00Z")
	if _, err := os.Stat(path + ".a"); err == nil {
		t.Error("an archive is made for nothing")
	}
	nowhere := tempDB(t)
	call(t, "archive", "--db", nowhere, "--archive", path+".a", "--before", "2026-11-20").must(t, 1).says(t, "there is no database at")
}

// On a server they go to a table.
func TestArchivePostgres(t *testing.T) {
	server := postgresURL(t)
	callWith(t.Context(), string(classRecording), "replay", "--db", server, "-").must(t, 0)
	answers := lines(t, server, "SELECT * FROM answer_events")
	call(t, "archive", "--db", server, "--archive", "a.db", "--before", "2026-11-20").must(t, 2).says(t, "--archive is for SQLite")
	call(t, "archive", "--db", server, "--before", "2026-11-20").must(t, 0).quiet(t).says(t, " moved to the archive, in ")
	if got := lines(t, server, "SELECT * FROM answer_archive"); !slices.Equal(got, answers) {
		t.Errorf("the archive has %d answers, which are not the %d of the log", len(got), len(answers))
	}
}

// Archived answers go to a server and back, and are not left behind unnoticed.
func TestCopyArchive(t *testing.T) {
	path, server, back := class(t), postgresURL(t), tempDB(t)
	archive, target := filepath.Join(t.TempDir(), "a.db"), filepath.Join(t.TempDir(), "b.db")
	call(t, "archive", "--db", path, "--archive", archive, "--before", "2026-11-20").must(t, 0)
	call(t, "copy", "--from", path, "--to", server).must(t, 1).says(t, "--from-archive", "no row was changed")
	call(t, "copy", "--from", path, "--to", server, "--to-archive", target).must(t, 2).says(t, "are for SQLite")
	call(t, "copy", "--from", path, "--to", server, "--from-archive", archive, "--dry-run").must(t, 0).says(t, "answer_archive")
	call(t, "copy", "--from", path, "--to", server, "--from-archive", archive).must(t, 0).says(t, "answer_archive", "agrees")
	call(t, "copy", "--from", server, "--to", back).must(t, 1).says(t, "--to-archive")
	call(t, "copy", "--from", server, "--to", back, "--to-archive", target).must(t, 0).quiet(t).says(t, "answer_archive", "agrees")
	call(t, "copy", "--from", server, "--to", back, "--to-archive", target).must(t, 0).says(t, ", 0 written,")
	if got, want := stored(t, back), stored(t, path); !cmp.Equal(got, want) {
		t.Errorf("another database (-source +copy of the copy):\n%s", cmp.Diff(want, got))
	}
	const answers = "SELECT * FROM answer_archive"
	if got, want := lines(t, target, answers), lines(t, archive, answers); !slices.Equal(got, want) {
		t.Errorf("another archive: %d answers, want %d", len(got), len(want))
	}
	call(t, "archive", "--db", back, "--archive", archive, "--before", "2026-11-20").must(t, 1).says(t, "another store's")
}
