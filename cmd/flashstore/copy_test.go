package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/transfer"
)

// stored are all rows of a file's tables but when its migrations were applied.
func stored(tb testing.TB, path string) map[string][]string {
	tb.Helper()
	all := dump(tb, path)
	for _, name := range []string{"schema_migrations", "archive_files", "sqlite_stat1", "sqlite_stat4"} {
		delete(all, name)
	}
	return all
}

// A copy there and back is the same database, row for row.
func TestCopyThereAndBack(t *testing.T) {
	path, server, back := class(t), postgresURL(t), tempDB(t)
	call(t, "copy", "--from", path, "--to", server, "--dry-run").must(t, 0).quiet(t).says(t, "would be written")
	call(t, "migrate", "status", "--db", server).must(t, 0).says(t, "pending")
	call(t, "copy", "--from", path, "--to", server).must(t, 0).quiet(t).says(t, "answer_events", "agrees")
	call(t, "copy", "--db", path, "--to", server).must(t, 0).says(t, ", 0 written,")
	var report transfer.Report
	call(t, "copy", "--json", "--from", server, "--to", back).must(t, 0).quiet(t).mustJSON(t, &report)
	if diff := cmp.Diff(stored(t, path), stored(t, back)); diff != "" {
		t.Errorf("another database (-source +copy of the copy):\n%s", diff)
	}
	if len(report.Tables) != 16 || report.Written() == 0 {
		t.Errorf("the report is %+v", report)
	}
	call(t, "check", "--db", back).must(t, 0)
}

// A dry run makes no file.
func TestCopyDryRun(t *testing.T) {
	path, target := class(t), tempDB(t)
	call(t, "copy", "--from", path, "--to", target, "--dry-run").must(t, 0).quiet(t).says(t, "would be written")
	if got := files(t, target); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
	call(t, "copy", "--from", path, "--to", target).must(t, 0)
	before := digest(t, target)
	call(t, "copy", "--from", path, "--to", target, "--dry-run").must(t, 0).says(t, ", 0 would be written,")
	if digest(t, target) != before {
		t.Error("a dry run changed the file")
	}
}

// A target with a life of its own is refused.
func TestCopyRefused(t *testing.T) {
	path, target := class(t), class(t)
	mustExec(t, target, "DELETE FROM answer_events", "INSERT INTO users SELECT 1000, 'new', NULL, 'New', 1, 0, 0, 1, 0, 0, 0, 1")
	call(t, "copy", "--from", path, "--to", target).must(t, 1).says(t, "not a copy of the source", `"users"`, "no row was changed")
	nowhere := filepath.Join(t.TempDir(), "none.db")
	call(t, "copy", "--from", nowhere, "--to", target).must(t, 1).says(t, "there is no database at "+nowhere)
	empty := tempDB(t)
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	call(t, "copy", "--from", empty, "--to", nowhere).must(t, 1).says(t, "migrations are pending")
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("a target is made for nothing")
	}
	for _, args := range [][]string{
		{"--from", path}, {"--from", path, "--to", path}, {"--from", path, "--to", target, "--batch", "0"}, {"--to", target, "extra"},
	} {
		t.Run(fmt.Sprint(args), func(t *testing.T) { call(t, append([]string{"copy"}, args...)...).must(t, 2) })
	}
}
