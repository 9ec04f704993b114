package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	classroomFile = "testdata/classroom.jsonl"
	classroomSays = `{"lines":463,"booked":433,"repeated":12,"conflicting":7,"rejected":11}` + "\n"
)

// classroomReports is what is said of the lines that are not booked.
var classroomReports = map[int]string{
	3:   "rejected: answers is empty",
	14:  "conflicting: session ",
	36:  "rejected: ended_at is before started_at",
	76:  "conflicting: session ",
	108: "conflicting: session ",
	117: "rejected: answers[9].response_ms is -5",
	138: "rejected: malformed line",
	260: "conflicting: session ",
	267: "rejected: answers[10].response_ms is -5",
	288: "rejected: answers is empty",
	307: "rejected: answers[0].fact is empty",
	343: "rejected: answers[11].response_ms is -5",
	346: "conflicting: session ",
	351: "conflicting: session ",
	429: "rejected: answers[14].response_ms is -5",
	431: "rejected: id is ",
	447: "conflicting: session ",
	451: "rejected: id is ",
}

// classroom is what a replayed classroom must hold.
type classroom struct {
	Answers int                         `json:"answers"`
	Counts  map[string]int              `json:"counts"` // of lines, by what became of them
	Lines   int                         `json:"lines"`
	Mastery map[string]knowledge        `json:"mastery"` // by uid|operation|fact
	Seasons map[string]map[string]int64 `json:"seasons"` // XP by start in ms and uid
	Users   map[string]learner          `json:"users"`   // by uid
}

type knowledge struct {
	Attempts int64   `json:"attempts"`
	Correct  int64   `json:"correct"`
	LastMS   int64   `json:"last_ms"`
	Level    float64 `json:"level"`
}

type learner struct {
	Answers  int64  `json:"answers"`
	Coins    int64  `json:"coins"`
	Correct  int64  `json:"correct"`
	Email    string `json:"email"`
	Level    int64  `json:"level"`
	Sessions int64  `json:"sessions"`
	TotalXP  int64  `json:"total_xp"`
}

func TestClassroom(t *testing.T) {
	t.Parallel()
	path := tempDB(t)
	first := call(t, "replay", "--db", path, "--json", classroomFile).must(t, 1)
	if first.stdout != classroomSays {
		t.Errorf("it says %s, want %s", first.stdout, classroomSays)
	}
	checkReports(t, first.stderr)
	if diff := cmp.Diff(expectedClassroom(t), readClassroom(t, path, first.stdout)); diff != "" {
		t.Fatalf("the database does not hold what it must (-want +got):\n%s", diff)
	}
	call(t, "check", "--db", path).must(t, 0)

	before := dump(t, path)
	again := call(t, "replay", "--db", path, "--json", classroomFile).must(t, 1)
	if want := `{"lines":463,"booked":0,"repeated":445,"conflicting":7,"rejected":11}` + "\n"; again.stdout != want {
		t.Errorf("a second replay says %s, want %s", again.stdout, want)
	}
	if again.stderr != first.stderr {
		t.Errorf("a second replay reports\n%s\nthe first\n%s", again.stderr, first.stderr)
	}
	if diff := cmp.Diff(before, dump(t, path)); diff != "" {
		t.Errorf("a second replay changed the database:\n%s", diff)
	}
}

func TestClassroomFromStandardInput(t *testing.T) {
	t.Parallel()
	path := tempDB(t)
	out := callWith(t.Context(), mustRead(t, classroomFile), "replay", "--json", "--durability", "safe", "--db", path, "-").must(t, 1)
	if out.stdout != classroomSays {
		t.Errorf("it says %s, want %s", out.stdout, classroomSays)
	}
	if diff := cmp.Diff(expectedClassroom(t), readClassroom(t, path, out.stdout)); diff != "" {
		t.Errorf("the database does not hold what it must (-want +got):\n%s", diff)
	}
}

// What was booked, in any order, gives the same.
func TestClassroomInAnyOrder(t *testing.T) {
	booked := bookedLines(t)
	shuffled := func(seed uint64) []string {
		list := slices.Clone(booked)
		rand.New(rand.NewPCG(seed, seed)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	reversed := slices.Clone(booked)
	slices.Reverse(reversed)
	want := replayed(t, booked)
	for name, list := range map[string][]string{
		"reversed": reversed, "seed 1": shuffled(1), "seed 2": shuffled(2), "seed 3": shuffled(3),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, replayed(t, list)); diff != "" {
				t.Errorf("another order, another state (-want +got):\n%s", diff)
			}
		})
	}
}

// A replay that was interrupted is run again from its start.
func TestClassroomInterrupted(t *testing.T) {
	const after = 200
	t.Parallel()
	path := tempDB(t)
	ctx, cancel := context.WithCancel(t.Context())
	all := strings.SplitAfter(mustRead(t, classroomFile), "\n")
	in := io.MultiReader(
		strings.NewReader(strings.Join(all[:after], "")),
		readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF }),
		strings.NewReader(strings.Join(all[after:], "")))
	stopped := callFrom(ctx, in, "replay", "--json", "--db", path, "-").must(t, 1)
	stopped.says(t, "replay stopped after 200 lines (run it again to go on): line 201: ", "context canceled")
	if stopped.stdout != "" {
		t.Errorf("it says %s", stopped.stdout)
	}
	sessions, err := strconv.Atoi(mustAsk(t, path, "SELECT count(*) FROM sessions"))
	if err != nil || sessions < 180 || sessions > after {
		t.Fatalf("%d sessions are booked of the first %d lines: %v", sessions, after, err)
	}

	out := call(t, "replay", "--json", "--db", path, classroomFile).must(t, 1)
	if want := fmt.Sprintf(`{"lines":463,"booked":%d,"repeated":%d,"conflicting":7,"rejected":11}`+"\n", 433-sessions, 12+sessions); out.stdout != want {
		t.Errorf("it says %s, want %s", out.stdout, want)
	}
	checkReports(t, out.stderr)
	if diff := cmp.Diff(expectedClassroom(t), readClassroom(t, path, classroomSays)); diff != "" {
		t.Errorf("the database does not hold what it must (-want +got):\n%s", diff)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

var reportLine = regexp.MustCompile(`^line (\d+): (.+)$`)

// checkReports compares what was said of each line.
func checkReports(t *testing.T, stderr string) {
	t.Helper()
	said := reported(t, stderr)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(classroomReports)), slices.Sorted(maps.Keys(said))); diff != "" {
		t.Errorf("other lines are reported (-want +got):\n%s", diff)
	}
	for number, want := range classroomReports {
		if !strings.HasPrefix(said[number], want) {
			t.Errorf("of line %d it says %q, want %q", number, said[number], want)
		}
	}
}

// reported returns what was said by line.
func reported(t *testing.T, stderr string) map[int]string {
	t.Helper()
	said := map[int]string{}
	for line := range strings.Lines(stderr) {
		match := reportLine.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil {
			t.Fatalf("no report: %q", line)
		}
		number, err := strconv.Atoi(match[1])
		if err != nil || said[number] != "" {
			t.Fatalf("line %d is reported twice: %v", number, err)
		}
		said[number] = match[2]
	}
	return said
}

// bookedLines are the lines that a replay books.
func bookedLines(t *testing.T) []string {
	t.Helper()
	var booked []string
	seen := map[string]bool{}
	for i, line := range strings.SplitAfter(mustRead(t, classroomFile), "\n") {
		var read struct{ Session struct{ ID string } }
		if line == "" || classroomReports[i+1] != "" {
			continue
		}
		if err := json.Unmarshal([]byte(line), &read); err != nil {
			t.Fatal(err)
		}
		if !seen[read.Session.ID] {
			booked = append(booked, line)
		}
		seen[read.Session.ID] = true
	}
	if len(booked) != 433 {
		t.Fatalf("%d lines, want 433", len(booked))
	}
	return booked
}

// replayed returns what a replay of lines leaves, without what depends on
// when they came: numbers of users, times of booking, the ledger's order.
func replayed(t *testing.T, list []string) map[string][]string {
	t.Helper()
	path := tempDB(t)
	out := callWith(t.Context(), strings.Join(list, ""), "replay", "--json", "--db", path, "-").must(t, 0)
	if want := `{"lines":433,"booked":433,"repeated":0,"conflicting":0,"rejected":0}` + "\n"; out.stdout != want {
		t.Errorf("it says %s, want %s", out.stdout, want)
	}
	state := map[string][]string{}
	for name, query := range map[string]string{
		"users": "SELECT uid, email, name, level, total_xp, coins, league_id FROM users",
		"sessions": `SELECT u.uid, s.id, operation, started_at, ended_at, total_count, correct_count, avg_response_ms,
			xp_earned, coins_earned, season_id, s.created_at FROM sessions s JOIN users u ON u.id = s.user_id`,
		"answer_events": `SELECT u.uid, a.id, session_id, operation, fact, correct, response_time_ms, a.created_at
			FROM answer_events a JOIN users u ON u.id = a.user_id`,
		"mastery_stats": `SELECT u.uid, operation, fact, mastery_level, last_delta, last_answer_id, attempts, correct_count,
			total_response_ms, last_response_time, m.updated_at FROM mastery_stats m JOIN users u ON u.id = m.user_id`,
		"seasons": "SELECT * FROM seasons",
		"league_participants": `SELECT season_id, p.league_id, u.uid, weekly_xp, reached_at
			FROM league_participants p JOIN users u ON u.id = p.user_id`,
		"rollup_queue": "SELECT u.uid FROM rollup_queue q JOIN users u ON u.id = q.user_id",
		"coin_ledger":  "SELECT u.uid, delta, reason, reference FROM coin_ledger c JOIN users u ON u.id = c.user_id",
	} {
		state[name] = lines(t, path, query)
	}
	return state
}

// expectedClassroom reads what the recording must come to.
func expectedClassroom(t *testing.T) (want classroom) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(mustRead(t, "testdata/classroom.expected.json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&want); err != nil {
		t.Fatal(err)
	}
	return want
}

// readClassroom reads a database, past the library, and what a replay said.
func readClassroom(t *testing.T, path, said string) classroom {
	t.Helper()
	got := classroom{
		Counts: map[string]int{}, Mastery: map[string]knowledge{},
		Seasons: map[string]map[string]int64{}, Users: map[string]learner{},
	}
	if err := json.Unmarshal([]byte(said), &got.Counts); err != nil {
		t.Fatal(err)
	}
	got.Lines = got.Counts["lines"]
	delete(got.Counts, "lines")

	db := mustOpen(t, path)
	defer db.Close()
	each := func(query string, row func(scan func(...any))) {
		t.Helper()
		rows, err := db.Query(query)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			row(func(dest ...any) {
				t.Helper()
				if err := rows.Scan(dest...); err != nil {
					t.Fatal(err)
				}
			})
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	each("SELECT count(*) FROM answer_events", func(scan func(...any)) { scan(&got.Answers) })
	each(`SELECT uid, email, level, total_xp, coins,
		(SELECT count(*) FROM sessions WHERE user_id = users.id),
		(SELECT count(*) FROM answer_events WHERE user_id = users.id),
		(SELECT coalesce(sum(correct), 0) FROM answer_events WHERE user_id = users.id) FROM users`,
		func(scan func(...any)) {
			var uid string
			var u learner
			scan(&uid, &u.Email, &u.Level, &u.TotalXP, &u.Coins, &u.Sessions, &u.Answers, &u.Correct)
			got.Users[uid] = u
		})
	each(`SELECT uid || '|' || operation || '|' || fact, mastery_level, attempts, correct_count, last_response_time
		FROM mastery_stats JOIN users ON users.id = user_id`,
		func(scan func(...any)) {
			var key string
			var k knowledge
			scan(&key, &k.Level, &k.Attempts, &k.Correct, &k.LastMS)
			got.Mastery[key] = k
		})
	each(`SELECT starts_at, uid, weekly_xp FROM league_participants
		JOIN seasons ON seasons.id = season_id JOIN users ON users.id = user_id`,
		func(scan func(...any)) {
			var start, uid string
			var xp int64
			scan(&start, &uid, &xp)
			if got.Seasons[start] == nil {
				got.Seasons[start] = map[string]int64{}
			}
			got.Seasons[start][uid] = xp
		})
	return got
}

func mustRead(tb testing.TB, name string) string {
	tb.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(content)
}
