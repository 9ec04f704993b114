package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// object is a JSON object that a test may spoil.
type object = map[string]any

// v7 returns the n-th id of version 7.
func v7(n int) string { return fmt.Sprintf("019a4e02-5c00-7000-8000-%012x", n) }

const v4 = "7c9e6679-7425-40de-944b-e07fc1f90ae7"

// practice returns a good line: session n of a user, with two answers.
func practice(uid string, n int) object {
	return object{
		"user": object{"uid": uid, "email": uid + "@class.example", "name": strings.ToUpper(uid)},
		"session": object{
			"id": v7(n), "operation": "addition",
			"started_at": "2026-10-19T13:00:00Z", "ended_at": "2026-10-19T13:01:00Z",
		},
		"answers": []object{answer(100*n+1, "8+7"), answer(100*n+2, "2+2")},
	}
}

func answer(n int, fact string) object {
	return object{"id": v7(n), "fact": fact, "correct": true, "response_ms": 1500, "at": "2026-10-19T13:00:30Z"}
}

func text(tb testing.TB, line object) string {
	tb.Helper()
	content, err := json.Marshal(line)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}

func session(line object) object     { return line["session"].(object) }
func answers(line object) []object   { return line["answers"].([]object) }
func firstAnswer(line object) object { return answers(line)[0] }

// tallied reads what a replay said.
func tallied(tb testing.TB, o outcome) (t tally) {
	tb.Helper()
	o.mustJSON(tb, &t)
	return t
}

// Each of these lines breaks a rule: nothing of it is stored, its user
// neither.
func TestReplayRejects(t *testing.T) {
	spoil := func(change func(object)) string {
		line := practice("bob", 2)
		change(line)
		return text(t, line)
	}
	for name, c := range map[string]struct{ line, says string }{
		"no JSON":            {`{"user": {`, "malformed line"},
		"trailing garbage":   {text(t, practice("bob", 2)) + " x", "malformed line"},
		"two objects":        {text(t, practice("bob", 2)) + text(t, practice("bob", 2)), "malformed line"},
		"null":               {`null`, "malformed line"},
		"a list":             {`[]`, "malformed line"},
		"an empty object":    {`{}`, "malformed line"},
		"no user":            {spoil(func(l object) { delete(l, "user") }), "malformed line"},
		"no uid":             {spoil(func(l object) { delete(l["user"].(object), "uid") }), "malformed line"},
		"blank uid":          {spoil(func(l object) { l["user"].(object)["uid"] = " " }), "uid is empty"},
		"no session":         {spoil(func(l object) { delete(l, "session") }), "malformed line"},
		"no session id":      {spoil(func(l object) { delete(session(l), "id") }), "malformed line"},
		"bad session id":     {spoil(func(l object) { session(l)["id"] = "17" }), "malformed line"},
		"session id of v4":   {spoil(func(l object) { session(l)["id"] = v4 }), "UUID of version 7"},
		"no operation":       {spoil(func(l object) { delete(session(l), "operation") }), "malformed line"},
		"empty operation":    {spoil(func(l object) { session(l)["operation"] = "" }), "operation is"},
		"two words":          {spoil(func(l object) { session(l)["operation"] = "two words" }), "operation is"},
		"a numeral":          {spoil(func(l object) { session(l)["operation"] = "12" }), "operation is"},
		"no start":           {spoil(func(l object) { delete(session(l), "started_at") }), "malformed line"},
		"no end":             {spoil(func(l object) { delete(session(l), "ended_at") }), "malformed line"},
		"no time":            {spoil(func(l object) { session(l)["ended_at"] = "yesterday" }), "malformed line"},
		"ended before start": {spoil(func(l object) { session(l)["ended_at"] = "2026-10-19T12:59:59Z" }), "ended_at is before started_at"},
		"answers missing":    {spoil(func(l object) { delete(l, "answers") }), "answers is empty"},
		"answers empty":      {spoil(func(l object) { l["answers"] = []object{} }), "answers is empty"},
		"no answer id":       {spoil(func(l object) { delete(firstAnswer(l), "id") }), "answers[0] needs"},
		"answer id of v4":    {spoil(func(l object) { firstAnswer(l)["id"] = v4 }), "answers[0].id is"},
		"no fact":            {spoil(func(l object) { delete(firstAnswer(l), "fact") }), "answers[0] needs"},
		"empty fact":         {spoil(func(l object) { firstAnswer(l)["fact"] = "" }), "answers[0].fact is empty"},
		"blank fact":         {spoil(func(l object) { firstAnswer(l)["fact"] = " \t " }), "answers[0].fact is empty"},
		"no correct":         {spoil(func(l object) { delete(firstAnswer(l), "correct") }), "answers[0] needs"},
		"no response time":   {spoil(func(l object) { delete(firstAnswer(l), "response_ms") }), "answers[0] needs"},
		"negative time":      {spoil(func(l object) { answers(l)[1]["response_ms"] = -1 }), "answers[1].response_ms is -1"},
		"broken time":        {spoil(func(l object) { firstAnswer(l)["response_ms"] = 1.5 }), "malformed line"},
		"no moment":          {spoil(func(l object) { delete(firstAnswer(l), "at") }), "answers[0] needs"},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempDB(t)
			out := callWith(t.Context(), text(t, practice("ann", 1))+"\n"+c.line+"\n", "replay", "--json", "--db", path, "-").must(t, 1)
			if want := (tally{Lines: 2, Booked: 1, Rejected: 1}); tallied(t, out) != want {
				t.Errorf("it says %s, want %+v", out.stdout, want)
			}
			if !strings.HasPrefix(out.stderr, "line 2: rejected: ") || !strings.Contains(out.stderr, c.says) {
				t.Errorf("it reports %q, want line 2 and %q", out.stderr, c.says)
			}
			want := []string{"ann|1|2|8"}
			got := lines(t, path, `SELECT uid, (SELECT count(*) FROM sessions), (SELECT count(*) FROM answer_events), total_xp FROM users`)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("users (-want +got):\n%s", diff)
			}
		})
	}
}

// What is there stands: a line with the same ids and other content is
// reported, and nothing of it is stored.
func TestReplayConflicts(t *testing.T) {
	other := func(change func(object)) string {
		line := practice("ann", 2)
		change(line)
		return text(t, line)
	}
	for name, second := range map[string]string{
		"session of another user":   strings.ReplaceAll(text(t, practice("ann", 1)), "ann", "bob"),
		"session with other answer": strings.ReplaceAll(text(t, practice("ann", 1)), "8+7", "8+6"),
		"answer of another session": other(func(l object) { firstAnswer(l)["id"] = v7(101) }),
		"answer twice":              other(func(l object) { firstAnswer(l)["id"] = answers(l)[1]["id"] }),
		"e-mail of another user":    strings.ReplaceAll(text(t, practice("bob", 2)), "bob@", "ANN@"),
	} {
		t.Run(name, func(t *testing.T) {
			path := tempDB(t)
			callWith(t.Context(), text(t, practice("ann", 1)), "replay", "--db", path, "-").must(t, 0)
			before := dump(t, path)
			out := callWith(t.Context(), second, "replay", "--json", "--db", path, "-").must(t, 1)
			if want := (tally{Lines: 1, Conflicting: 1}); tallied(t, out) != want {
				t.Errorf("it says %s, want %+v", out.stdout, want)
			}
			if !strings.HasPrefix(out.stderr, "line 1: conflicting: ") {
				t.Errorf("it reports %q", out.stderr)
			}
			if diff := cmp.Diff(before, dump(t, path)); diff != "" {
				t.Errorf("it changed the database:\n%s", diff)
			}
		})
	}
}

// These lines look odd and are good.
func TestReplayTakes(t *testing.T) {
	spell := func(change func(object)) string {
		line := practice("ann", 1)
		change(line)
		return text(t, line)
	}
	plain := spell(func(object) {})
	many := spell(func(l object) {
		var list []object
		for n := range 5000 {
			list = append(list, answer(1000+n, fmt.Sprintf("%d+%d", n%100, n/100)))
		}
		l["answers"] = list
	})
	for name, c := range map[string]struct {
		in      string
		want    tally
		answers int
	}{
		"blank lines":           {"\n \n" + plain + "\n\n\t\n", tally{Lines: 1, Booked: 1}, 2},
		"no end of line":        {plain, tally{Lines: 1, Booked: 1}, 2},
		"CRLF":                  {plain + "\r\n\r\n" + plain + "\r\n", tally{Lines: 2, Booked: 1, Repeated: 1}, 2},
		"nothing":               {"", tally{}, 0},
		"a very long line":      {many + "\n", tally{Lines: 1, Booked: 1}, 5000},
		"a long blank":          {strings.Repeat(" ", 1<<20) + plain + strings.Repeat(" ", 1<<20) + "\n", tally{Lines: 1, Booked: 1}, 2},
		"unknown fields":        {spell(func(l object) { l["device"] = "tablet" }), tally{Lines: 1, Booked: 1}, 2},
		"no e-mail, no name":    {spell(func(l object) { l["user"] = object{"uid": "ann"} }), tally{Lines: 1, Booked: 1}, 2},
		"an answer given twice": {spell(func(l object) { l["answers"] = append(answers(l), answers(l)...) }), tally{Lines: 1, Booked: 1}, 2},
		"answers in any order": {
			plain + "\n" + spell(func(l object) { a := answers(l); a[0], a[1] = a[1], a[0] }),
			tally{Lines: 2, Booked: 1, Repeated: 1}, 2,
		},
		"the same answer id of another user": {
			plain + "\n" + strings.ReplaceAll(strings.ReplaceAll(plain, "ann", "bob"), v7(1), v7(2)),
			tally{Lines: 2, Booked: 2}, 4,
		},
		"another name of a known user": {
			plain + "\n" + strings.ReplaceAll(text(t, practice("ann", 2)), `"ANN"`, `"Anna"`),
			tally{Lines: 2, Booked: 2}, 4,
		},
		"a time in another zone": {
			plain + "\n" + strings.ReplaceAll(plain, "13:01:00Z", "15:01:00+02:00"),
			tally{Lines: 2, Booked: 1, Repeated: 1}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := tempDB(t)
			out := callWith(t.Context(), c.in, "replay", "--json", "--db", path, "-").must(t, 0).quiet(t)
			if got := tallied(t, out); got != c.want {
				t.Errorf("it says %+v, want %+v", got, c.want)
			}
			if got := mustAsk(t, path, "SELECT count(*) FROM answer_events"); got != fmt.Sprint(c.answers) {
				t.Errorf("%s answers are stored, want %d", got, c.answers)
			}
		})
	}
}

// Operations and facts have one spelling.
func TestReplaySpellings(t *testing.T) {
	path := tempDB(t)
	line := practice("ann", 1)
	session(line)["operation"] = " Multiplication "
	line["answers"] = []object{
		answer(101, "3 x 4"), answer(102, "3*4 = ?"), answer(103, "3×4="), answer(104, " 3 X 4 = ? "),
		answer(105, "12 / 4"), answer(106, "12÷4"), answer(107, "3 × ? = 12"), answer(108, "x"),
	}
	callWith(t.Context(), text(t, line), "replay", "--db", path, "-").must(t, 0)
	want := []string{"multiplication|12÷4|2", "multiplication|3×4|4", "multiplication|3×?=12|1", "multiplication|x|1"}
	if diff := cmp.Diff(want, lines(t, path, "SELECT operation, fact, attempts FROM mastery_stats")); diff != "" {
		t.Errorf("mastery (-want +got):\n%s", diff)
	}
	if got := mustAsk(t, path, "SELECT operation FROM sessions"); got != "multiplication" {
		t.Errorf("the session's operation is %q", got)
	}
}

// Several replays at once book each line once.
func TestReplayAtOnce(t *testing.T) {
	path := tempDB(t)
	mustReplayAtOnce(t, path)
	call(t, "check", "--db", path).must(t, 0)
}

// mustReplayAtOnce replays the class three times at once into a database, and
// fails unless each line is booked once.
func mustReplayAtOnce(t *testing.T, db string) {
	t.Helper()
	said := make(chan outcome)
	for range 3 {
		go func() {
			said <- callWith(t.Context(), string(classRecording), "replay", "--json", "--db", db, "-")
		}()
	}
	var booked, repeated int
	for range 3 {
		got := tallied(t, (<-said).must(t, 0))
		booked, repeated = booked+got.Booked, repeated+got.Repeated
	}
	if booked != 82 || repeated != 2*82 {
		t.Errorf("%d lines are booked and %d repeated, want 82 and %d", booked, repeated, 2*82)
	}
}

func TestReplayText(t *testing.T) {
	out := callWith(t.Context(), text(t, practice("ann", 1)), "replay", "--db", tempDB(t), "-").must(t, 0).quiet(t)
	if want := "1 line: 1 booked, 0 repeated, 0 conflicting, 0 rejected\n"; out.stdout != want {
		t.Errorf("it says %q, want %q", out.stdout, want)
	}
}

// A file that is not there makes no database.
func TestReplayMissingFile(t *testing.T) {
	path := tempDB(t)
	call(t, "replay", "--db", path, filepath.Join(t.TempDir(), "none.jsonl")).must(t, 1).says(t, "none.jsonl")
	if got := files(t, path); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
}

// Another program's users stay theirs; ours may have a prefix.
func TestReplayPrefix(t *testing.T) {
	path := foreign(t)
	before := digest(t, path)
	callWith(t.Context(), text(t, practice("ann", 1)), "replay", "--db", path, "-").must(t, 1).says(t, `"users"`, "--prefix")
	if digest(t, path) != before {
		t.Error("a database that was refused has changed")
	}
	callWith(t.Context(), text(t, practice("ann", 1)), "replay", "--db", path, "--prefix", "fs_", "-").must(t, 0)
	if got := mustAsk(t, path, "SELECT uid FROM fs_users"); got != "ann" {
		t.Errorf("fs_users has %q", got)
	}
	if got := mustAsk(t, path, "SELECT nick FROM users"); got != "ann" {
		t.Errorf("users has %q", got)
	}
}

// Without --db it is $DATABASE_PATH, and without that ./flashmath.db.
func TestReplayDefaultPath(t *testing.T) {
	path := tempDB(t)
	t.Setenv("DATABASE_PATH", path)
	t.Chdir(t.TempDir())
	in := text(t, practice("ann", 1))
	callWith(t.Context(), in, "replay", "-").must(t, 0)
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	t.Setenv("DATABASE_PATH", "")
	callWith(t.Context(), in, "replay", "-").must(t, 0)
	if _, err := os.Stat("flashmath.db"); err != nil {
		t.Error(err)
	}
}
