package main

import (
	"strings"
	"testing"
)

// A call that makes no sense ends with status 2, and no database is made.
func TestUsageErrors(t *testing.T) {
	for _, args := range []string{
		"bogus",
		"bored",
		"--bogus",
		"stats --bogus",
		"stats extra",
		"stats --durability strong",
		"demo extra",
		"demo --durability strong",
		"replay",
		"replay one two",
		"replay - --durability strong",
		"replay - --prefix Bad-",
		"demo --prefix Bad-",
		"loadtest --seconds 1 --prefix Bad-",
		"migrate up --prefix Bad-",
		"board --prefix Bad-",
		"migrate",
		"migrate sideways",
		"migrate up extra",
		"migrate down --steps 0",
		"migrate down --steps many",
		"migrate down --steps 1 --all",
		"board --season now",
		"board --season 20261301",
		"board --league wood",
		"board --limit -1",
		"board --limit 1001",
		"board --after bogus",
		"check extra",
		"checkpoint --mode soft",
		"vacuum --pages 5",
		"vacuum --incremental --pages 0",
		"archive",
		"archive --before 2026-01-01",
		"archive --archive a.db",
		"archive --archive a.db --before soon",
		"archive --archive a.db --before 2026-01-01 --batch 0",
		"archive --archive a.db --before 2026-01-01 extra",
		"backup",
		"backup one two",
		"restore",
		"restore one two",
	} {
		t.Run(args, func(t *testing.T) {
			path := tempDB(t)
			needs := strings.HasPrefix(args, "board") || strings.HasPrefix(args, "stats")
			if needs {
				call(t, "migrate", "up", "--db", path).must(t, 0)
			}
			out := call(t, append(strings.Fields(args), "--db", path)...).must(t, 2)
			if !strings.HasPrefix(out.stderr, "flashstore: ") || !strings.Contains(out.stderr, "--help' for usage.") {
				t.Errorf("it says %q", out.stderr)
			}
			if out.stdout != "" {
				t.Errorf("it prints %q", out.stdout)
			}
			if got := files(t, path); !needs && len(got) != 0 {
				t.Errorf("there is %v", got)
			}
		})
	}
	call(t, "bored").must(t, 2).says(t, `unknown command "bored"`, "did you mean board?")
	call(t, "migrate", "dawn").must(t, 2).says(t, `unknown command "dawn" for "flashstore migrate"`, "did you mean down?", "'flashstore migrate --help'")
	call(t, "migrate", "up", "--prefix", "Bad-", "--db", tempDB(t)).must(t, 2).says(t, `--prefix is "Bad-": give lower-case letters`)
	call(t, "board", "--league", "wood", "--db", class(t)).must(t, 2).says(t, "neon, cobalt, plasma, void, apex")
}

// What is not there is said to be not there, and not made.
func TestMissingDatabase(t *testing.T) {
	for _, args := range []string{
		"migrate down", "migrate status", "board", "stats", "advise", "check", "checkpoint", "vacuum", "vacuum --incremental", "backup copy.db",
	} {
		t.Run(args, func(t *testing.T) {
			path := tempDB(t)
			call(t, append(strings.Fields(args), "--db", path)...).must(t, 1).says(t, "there is no database at "+path, "--db", "flashstore demo")
			if got := files(t, path); len(got) != 0 {
				t.Errorf("there is %v", got)
			}
		})
	}
}

// Every command has a help that says what it does and shows a call.
func TestHelp(t *testing.T) {
	root := call(t, "--help").must(t, 0).quiet(t)
	if strings.Contains(root.stdout, "completion") {
		t.Errorf("the help has a command that nobody asked for:\n%s", root.stdout)
	}
	if bare := call(t).must(t, 0); bare.stdout != root.stdout {
		t.Errorf("without a command it says\n%s", bare.stdout)
	}
	for _, name := range []string{
		"demo", "replay", "migrate", "migrate up", "migrate down", "migrate status", "copy",
		"board", "stats", "advise", "check", "checkpoint", "vacuum", "backup", "restore",
	} {
		t.Run(name, func(t *testing.T) {
			out := call(t, append(strings.Fields(name), "--help")...).must(t, 0).quiet(t)
			out.says(t, "Usage:\n  flashstore "+name, "Examples:\n  flashstore "+name, "--db", "--durability", "--json", "$DATABASE_PATH")
			for line := range strings.Lines(out.stdout) {
				if len(line) > 121 {
					t.Errorf("a line is %d characters long: %s", len(line), line)
				}
			}
			if first, _, _ := strings.Cut(name, " "); !strings.Contains(root.stdout, "\n  "+first+" ") {
				t.Errorf("flashstore --help does not name it")
			}
		})
	}
}
