package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flashstore/flashstore/maintenance"
)

// grown makes another program's database in WAL mode with unused pages. It
// cannot give them back one by one unless autoVacuum says so.
func grown(tb testing.TB, autoVacuum string) string {
	tb.Helper()
	path := tempDB(tb)
	mustExec(tb, path,
		"PRAGMA auto_vacuum = "+autoVacuum,
		"PRAGMA journal_mode = WAL",
		"CREATE TABLE notes (id INTEGER PRIMARY KEY, body BLOB)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO notes (body) SELECT randomblob(3000) FROM n",
		"DELETE FROM notes WHERE id > 10")
	return path
}

func TestStats(t *testing.T) {
	path := class(t)
	out := call(t, "stats", "--db", path).must(t, 0).quiet(t)
	out.says(t, "file         "+path, "journal      wal", "auto_vacuum  incremental", "4.0 KiB", "SQLite")
	var stats maintenance.Statistics
	call(t, "stats", "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &stats)
	if stats.Path != path || stats.Pages == 0 || stats.DatabaseBytes != stats.Pages*stats.PageSizeBytes || stats.JournalMode != "wal" {
		t.Errorf("the figures are %+v", stats)
	}
}

// What only looks changes nothing: not a byte, not the journal mode, no file
// beside it.
func TestLookingChangesNothing(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{
		"another program's": foreign,
		"in WAL mode":       func(tb testing.TB) string { return grown(tb, "NONE") },
		"a class":           class,
		"an empty file": func(tb testing.TB) string {
			path := tempDB(tb)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				tb.Fatal(err)
			}
			return path
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := open(t)
			before := digest(t, path)
			call(t, "stats", "--db", path).must(t, 0).quiet(t)
			call(t, "check", "--db", path).must(t, 0).quiet(t)
			call(t, "backup", "--db", path, filepath.Join(t.TempDir(), "copy.db")).must(t, 0).quiet(t)
			if name != "another program's" {
				call(t, "migrate", "status", "--db", path).must(t, 0).quiet(t)
			}
			if digest(t, path) != before {
				t.Error("the file has changed")
			}
			if got := files(t, path); !slices.Equal(got, []string{filepath.Base(path)}) {
				t.Errorf("there is %q", got)
			}
		})
	}
}

// A database may be in use by another program meanwhile.
func TestLookingWhileInUse(t *testing.T) {
	path := class(t)
	db := mustOpen(t, path)
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("BEGIN IMMEDIATE; UPDATE users SET coins = coins"); err != nil {
		t.Fatal(err)
	}
	call(t, "stats", "--db", path).must(t, 0)
	call(t, "check", "--db", path).must(t, 0)
	call(t, "board", "--db", path, "--season", "20261108").must(t, 0)
	call(t, "backup", "--db", path, filepath.Join(t.TempDir(), "copy.db")).must(t, 0)
	if _, err := db.Exec("COMMIT"); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	path := class(t)
	out := call(t, "check", "--db", path).must(t, 0).quiet(t)
	want := "database      " + path + "\nintegrity     ok\nforeign keys  ok\nledger        ok\nadvice        none\n"
	if out.stdout != want {
		t.Errorf("it says %q, want %q", out.stdout, want)
	}
	var found checkup
	call(t, "check", "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &found)
	if !found.OK || !found.Ledger.Checked || found.Ledger.Breaks == nil || found.Integrity == nil || found.Database != path {
		t.Errorf("it found %+v", found)
	}
}

func TestCheckLedger(t *testing.T) {
	path := class(t)
	mustExec(t, path,
		"UPDATE users SET coins = coins + 1000 WHERE uid = 'demo-ada'",
		"UPDATE coin_ledger SET balance_after = 7 WHERE seq = 2 AND user_id = (SELECT id FROM users WHERE uid = 'demo-carl')")
	ada, carl := mustAsk(t, path, "SELECT id FROM users WHERE uid = 'demo-ada'"), mustAsk(t, path, "SELECT id FROM users WHERE uid = 'demo-carl'")
	out := call(t, "check", "--db", path).must(t, 1).quiet(t)
	out.says(t, "integrity     ok", "user "+ada+", entry 0: balance is 1129, the ledger makes it 129", "user "+carl+", entry 2: balance_after is 7")
	var found checkup
	call(t, "check", "--json", "--db", path).must(t, 1).quiet(t).mustJSON(t, &found)
	if found.OK || len(found.Ledger.Breaks) != 2 {
		t.Errorf("it found %+v", found)
	}
}

// What was set aside is shown, and no finding.
func TestCheckSetAside(t *testing.T) {
	path := class(t)
	for i, reason := range []string{"too_old", "too_fast", "too_fast"} {
		mustExec(t, path, fmt.Sprintf(`INSERT INTO answers_set_aside (user_id, id, operation, fact, correct, response_time_ms, created_at, reason, set_aside_at)
			SELECT min(id), CAST(zeroblob(15) || x'0%d' AS BLOB), 'addition', '1+1', 1, 0, 0, '%s', 0 FROM users`, i, reason))
	}
	call(t, "check", "--db", path).must(t, 0).quiet(t).says(t, "ledger        ok\nset aside     3 answers: 2 too_fast, 1 too_old\nadvice        none\n")
	var found checkup
	call(t, "check", "--json", "--db", path).must(t, 0).mustJSON(t, &found)
	if !found.OK || !maps.Equal(found.SetAside, map[string]int64{"too_fast": 2, "too_old": 1}) {
		t.Errorf("it found %+v", found)
	}
}

func TestCheckStore(t *testing.T) {
	path := class(t)
	call(t, "check", "--store", "--db", path).must(t, 0).quiet(t).says(t, "users: all is well\n")
	mustExec(t, path, "UPDATE mastery_stats SET mastery_level = 4.75", "UPDATE users SET level = level + 1")
	call(t, "check", "--db", path).must(t, 0)
	call(t, "check", "--store", "--db", path).must(t, 1).says(t, "users whose XP or level is not that of their sessions: ")
	var found checkup
	call(t, "check", "--store", "--json", "--db", path).must(t, 1).mustJSON(t, &found)
	if found.OK || found.Store == nil || found.Store.Levels == 0 || found.Store.Progress != found.Store.Users {
		t.Errorf("it found %+v", found)
	}
}

func TestCheckForeignKeys(t *testing.T) {
	path := class(t)
	mustExec(t, path, "PRAGMA foreign_keys = OFF", "DELETE FROM leagues WHERE slug = 'neon'")
	call(t, "check", "--db", path).must(t, 1).says(t, "integrity     ok", "foreign keys  a row of league_participants refers to a row of leagues that does not exist", "and 20 more: --json shows all")
	var found checkup
	call(t, "check", "--json", "--db", path).must(t, 1).mustJSON(t, &found)
	if len(found.ForeignKeys) != 40 || found.OK {
		t.Errorf("it found %+v", found)
	}
}

func TestCheckDamage(t *testing.T) {
	for name, spoil := range map[string]func(content []byte){
		"tables": func(content []byte) { clear(content[len(content)-10*4096:]) },
		"schema": func(content []byte) { clear(content[100:4096]) },
		"header": func(content []byte) { clear(content[:16]) },
	} {
		t.Run(name, func(t *testing.T) {
			path := class(t)
			content := []byte(mustRead(t, path))
			spoil(content)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var found checkup
			call(t, "check", "--json", "--db", path).must(t, 1).quiet(t).mustJSON(t, &found)
			if found.OK || len(found.Integrity) == 0 || found.Ledger.Checked {
				t.Errorf("it found %+v", found)
			}
			call(t, "check", "--db", path).must(t, 1).quiet(t).says(t, "ledger        not checked: the file is damaged")
		})
	}
}

// Without our tables, or with a part of them, the rest is checked all the same.
func TestCheckWithoutLedger(t *testing.T) {
	for name, c := range map[string]struct {
		open func(testing.TB) string
		says []string
	}{
		"no tables of ours":  {func(tb testing.TB) string { return grown(tb, "NONE") }, []string{"FlashMath's tables are not here", "auto_vacuum is off"}},
		"tables of our name": {foreign, []string{`"users" exists already`, `journal_mode is "delete"`}},
		"pending": {func(tb testing.TB) string {
			path := class(tb)
			call(tb, "migrate", "down", "--db", path).must(tb, 0)
			return path
		}, []string{"migrations are pending"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.open(t)
			before := lines(t, path, "SELECT name, sql FROM sqlite_schema")
			call(t, "check", "--db", path).must(t, 0).says(t, append(c.says, "integrity     ok", "ledger        not checked: ")...)
			if after := lines(t, path, "SELECT name, sql FROM sqlite_schema"); !slices.Equal(before, after) {
				t.Errorf("the schema has changed to %q", after)
			}
		})
	}
}

func TestCheckpoint(t *testing.T) {
	path := grown(t, "NONE")
	db := mustOpen(t, path) // keeps the log from going away
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("UPDATE notes SET body = randomblob(3000)"); err != nil {
		t.Fatal(err)
	}
	out := call(t, "checkpoint", "--db", path).must(t, 0).quiet(t)
	if want := "mode      truncate\ncomplete  yes\nbusy      no\nlog       0 frames\nmoved     0 frames\n"; out.stdout != want {
		t.Errorf("it says %q, want %q", out.stdout, want)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log is not empty: %v, %v", info, err)
	}
	for _, mode := range []string{"passive", "full", "restart", "truncate"} {
		if _, err := db.Exec("UPDATE notes SET body = randomblob(3000)"); err != nil {
			t.Fatal(err)
		}
		var done checkpointed
		call(t, "checkpoint", "--mode", mode, "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &done)
		if done.Mode != mode || !done.Complete || done.Busy || (done.Log == 0) != (mode == "truncate") {
			t.Errorf("%s did %+v", mode, done)
		}
	}
}

// A reader of an older state is in the way.
func TestCheckpointBusy(t *testing.T) {
	path := grown(t, "NONE")
	reader, writer := mustOpen(t, path), mustOpen(t, path)
	reader.SetMaxOpenConns(1)
	if _, err := reader.Exec("BEGIN; SELECT count(*) FROM notes"); err != nil {
		t.Fatal(err)
	}
	if _, err := writer.Exec("UPDATE notes SET body = randomblob(3000)"); err != nil {
		t.Fatal(err)
	}
	var done checkpointed
	call(t, "checkpoint", "--json", "--db", path).must(t, 1).quiet(t).mustJSON(t, &done)
	if done.Complete || !done.Busy || done.Moved >= done.Log {
		t.Errorf("it did %+v", done)
	}
	call(t, "checkpoint", "--db", path).must(t, 1).says(t, "complete  no", "busy      yes")
	if _, err := reader.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	call(t, "checkpoint", "--db", path).must(t, 0)
}

func TestCheckpointWithoutLog(t *testing.T) {
	path := foreign(t)
	before := digest(t, path)
	call(t, "checkpoint", "--db", path).must(t, 1).says(t, "no write-ahead log")
	if digest(t, path) != before {
		t.Error("the file has changed")
	}
}

func TestVacuum(t *testing.T) {
	path := grown(t, "NONE")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	var done maintenance.VacuumResult
	call(t, "vacuum", "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &done)
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if done.BeforeBytes != info.Size() || done.AfterBytes != after.Size() || after.Size() >= info.Size()/10 {
		t.Errorf("from %d to %d bytes it says %+v", info.Size(), after.Size(), done)
	}
	if got := mustAsk(t, path, "PRAGMA auto_vacuum"); got != "2" {
		t.Errorf("auto_vacuum is %s, want 2", got)
	}
	if got := mustAsk(t, path, "SELECT count(*) FROM notes"); got != "10" {
		t.Errorf("%s notes are left, want 10", got)
	}
	call(t, "vacuum", "--db", path).must(t, 0).quiet(t).says(t, "KiB before, ", "KiB after, in ")
}

func TestVacuumIncremental(t *testing.T) {
	path := grown(t, "INCREMENTAL")
	var done givenBack
	call(t, "vacuum", "--incremental", "--pages", "100", "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &done)
	if done.FreedPages != 100 {
		t.Errorf("it gave back %d pages, want 100", done.FreedPages)
	}
	out := call(t, "vacuum", "--incremental", "--db", path).must(t, 0).quiet(t)
	if !strings.HasSuffix(out.stdout, " pages given back\n") || mustAsk(t, path, "PRAGMA freelist_count") != "0" {
		t.Errorf("it says %q", out.stdout)
	}
	call(t, "vacuum", "--incremental", "--db", grown(t, "NONE")).must(t, 1).says(t, "flashstore vacuum")
}

func TestBackup(t *testing.T) {
	for name, open := range map[string]func(testing.TB) string{
		"a class": class, "another program's": foreign, "in WAL mode": func(tb testing.TB) string { return grown(tb, "NONE") },
	} {
		t.Run(name, func(t *testing.T) {
			path := open(t)
			target := filepath.Join(t.TempDir(), "copy.db")
			var made maintenance.BackupResult
			call(t, "backup", target, "--json", "--db", path).must(t, 0).quiet(t).mustJSON(t, &made)
			info, err := os.Stat(target)
			if err != nil || made.Path != target || made.Bytes != info.Size() || made.Pages == 0 {
				t.Errorf("it made %+v: %v, %v", made, info, err)
			}
			want, got := dump(t, path), dump(t, target)
			for table := range want {
				if !slices.Equal(want[table], got[table]) {
					t.Errorf("the copy's %s differs", table)
				}
			}
			call(t, "check", "--db", target).must(t, 0)

			before := digest(t, target)
			call(t, "backup", target, "--db", path).must(t, 1).says(t, target, "exists")
			if digest(t, target) != before {
				t.Error("a backup was overwritten")
			}
		})
	}
	out := call(t, "backup", filepath.Join(t.TempDir(), "copy.db"), "--db", class(t)).must(t, 0).quiet(t)
	out.says(t, "copy.db: ", " KiB in ", " pages, in ")
	call(t, "backup", filepath.Join(t.TempDir(), "none", "copy.db"), "--db", class(t)).must(t, 1).says(t, "none")
}

// Progress is for terminals: a pipe gets none of it.
func TestNoProgressInAPipe(t *testing.T) {
	path := tempDB(t)
	for _, args := range [][]string{
		{"replay", classroomFile},
		{"demo"},
		{"check"},
		{"vacuum"},
		{"backup", filepath.Join(t.TempDir(), "copy.db")},
	} {
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan string)
		go func() {
			var text strings.Builder
			_, _ = out.WriteTo(&text)
			said <- text.String()
		}()
		run(t.Context(), append(args, "--db", path), strings.NewReader(""), &strings.Builder{}, in)
		in.Close()
		text := <-said
		out.Close()
		if strings.ContainsAny(text, "\r\x1b%█") {
			t.Errorf("%s shows progress: %q", args[0], text)
		}
	}
}
