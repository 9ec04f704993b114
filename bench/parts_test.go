package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flashstore/flashstore/storage"
)

// smallSizes are made at once.
func smallSizes() partSizes {
	return partSizes{
		server: small, copied: small,
		learner:      world{Users: 1, Items: 4, SessionsPerUser: 12, AnswersEach: 20, Pause: 26 * time.Hour},
		school:       world{Users: 8, Items: 4, SessionsPerUser: 3, AnswersEach: 20, Pause: 26 * time.Hour},
		rivals:       4,
		participants: 300,
	}
}

// MustParts measures parts for a moment.
func MustParts(tb testing.TB, r *results, only string) {
	tb.Helper()
	o := options{rounds: 1, seconds: 0.02, only: only, json: tb.TempDir() + "/results.json", dir: tb.TempDir(), sizes: smallSizes()}
	must(tb, o.measureParts(tb.Context(), r, io.Discard))
	saved, err := loadResults(o.json)
	must(tb, err)
	if diff := cmp.Diff(r.Parts, saved.Parts, cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("not what was saved (-measured +saved):\n%s", diff)
	}
}

// mustBeClean fails if a workload has no figure, or one with an error or a
// lost answer.
func mustBeClean(tb testing.TB, p *part, workload, candidate string) {
	tb.Helper()
	s, ok := p.of(workload, candidate)
	if !ok || s.Failed != 0 || s.Lost != 0 || s.rounds != 1 {
		tb.Errorf("%s, %s: %t, %d rounds, %d lost, %v", workload, candidate, ok, s.rounds, s.Lost, s.Errors)
	}
}

// Parts are measured by name, and the others stay as they are.
func TestParts(t *testing.T) {
	r := &results{Workloads: map[string]*record{}}
	MustParts(t, r, "^(dashboard|rank)$")
	for _, w := range dashboardWorkloads() {
		mustBeClean(t, r.Parts["dashboard"], w.Name, nameFlashstore)
	}
	for _, w := range rankWorkloads() {
		mustBeClean(t, r.Parts["rank"], w.Name, nameFlashstore)
		mustBeClean(t, r.Parts["rank"], w.Name, nameHandwritten)
	}
	before := *r.Parts["rank"]
	MustParts(t, r, "dash")
	if diff := cmp.Diff(before, *r.Parts["rank"]); diff != "" {
		t.Errorf("a part that was not measured has changed:\n%s", diff)
	}
	text := render(r, "plots")
	for _, has := range []string{
		"## Dashboards at a million answers\n", "`go run . parts -only '^rank$' -rounds 1 -seconds 0.02`",
		"Not measured yet: `go run . parts -only '^postgres$'`",
	} {
		if !strings.Contains(text, has) {
			t.Errorf("RESULTS.md has no %q", has)
		}
	}
	o := options{only: "nothing", sizes: smallSizes()}
	if err := o.measureParts(t.Context(), r, io.Discard); err == nil || !strings.Contains(err.Error(), "postgres, copy, dashboard, rank and rank-postgres") {
		t.Errorf("a part that there is not: %v", err)
	}
}

// On PostgreSQL every candidate runs for a moment, what it acknowledged is
// there, and a copy there and back is whole.
func TestServerParts(t *testing.T) {
	MustServer(t)
	r := &results{Workloads: map[string]*record{}}
	MustParts(t, r, "postgres|copy")
	for _, c := range serverContenders() {
		mustBeClean(t, r.Parts["postgres"], serverLoad.Name, c.Name)
	}
	for _, w := range rankWorkloads() {
		mustBeClean(t, r.Parts["rank-postgres"], w.Name, nameServerFlash)
	}
	mustBeClean(t, r.Parts["rank-postgres"], rankWorkloads()[0].Name, countedName)
	for _, way := range copyWays {
		mustBeClean(t, r.Parts["copy"], way.name, nameTransfer)
	}
	p := r.Parts["copy"]
	// 8 users with their welcome, a session each with its ledger entry, place
	// and 20 answers, and 4 items: mastery differs from run to run.
	if least := int64(8 + 8 + 3*8 + 160 + 4); p.Rows < least || p.Answers != 160 || p.Machine.PostgreSQL == "" {
		t.Errorf("%d rows, %d answers, PostgreSQL %q", p.Rows, p.Answers, p.Machine.PostgreSQL)
	}
	text := render(r, "plots")
	for _, has := range []string{"| " + poolName(nameServerPipeline, 64) + " |", "| SQLite to PostgreSQL |", ", PostgreSQL " + p.Machine.PostgreSQL} {
		if !strings.Contains(text, has) {
			t.Errorf("RESULTS.md has no %q", has)
		}
	}
}

// Sessions beside count as their answers, in the rate and in what must be
// stored.
func TestWritersBeside(t *testing.T) {
	w := rankWorkloads()[2]
	list := job{Workload: w, World: small}.crowds()
	if len(list) != 2 || len(list[1].clients) != besideWriters || list[1].every != 0 {
		t.Fatalf("the crowds are %+v", list)
	}
	path := MustCopy(t, contenders[0])
	flashstore := MustOpen(t, contenders[0], path, Normal)
	write, err := list[1].next(clientsOf(files.world, 0, 1, 1)[0])
	must(t, err)
	must(t, write(t.Context(), flashstore))
	n := MustRows(t, path, "SELECT count(*) FROM answer_events")
	if diff := cmp.Diff([]string{quoted(files.world.answers() + sessionLength)}, n); diff != "" {
		t.Errorf("answers after a call of a writer (-want +got):\n%s", diff)
	}
	times, err := newHistogram().Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	must(t, err)
	outcomes := []outcome{{Main: tally{Seconds: 2, Acked: 9, Times: times}, Writers: tally{Done: 6, Acked: 7}}}
	f, err := figureOf(w, outcomes)
	must(t, err)
	if f.WritesPerSecond != 60 {
		t.Errorf("%g answers/s beside, want 60", f.WritesPerSecond)
	}
	r := &runs{templates: &templates{world: small}}
	if table, rows := r.acknowledged(w, outcomes); table != "answer_events" || rows != small.answers()+7*sessionLength {
		t.Errorf("%d rows of %s", rows, table)
	}
}

// A database that lacks what was acknowledged is seen.
func TestServerLost(t *testing.T) {
	r := *MustServer(t)
	c, err := contenderOf(lanesName(1))
	must(t, err)
	pretends := *r.runs
	pretends.templates = &templates{dir: files.dir, world: r.templates.world}
	pretends.templates.world.SessionsPerUser += 2
	r.runs = &pretends
	f, err := r.once(t.Context(), c, serverLoad)
	must(t, err)
	if want := int64(2 * 8 * 20); f.Lost != want {
		t.Errorf("%d lost, want %d", f.Lost, want)
	}
}

func TestPartTargets(t *testing.T) {
	rate := func(perSecond float64) []figure { return []figure{{PerSecond: perSecond}} }
	tail := func(p99 time.Duration) map[string][]figure {
		return map[string][]figure{nameFlashstore: {{P99: int64(p99)}}}
	}
	r := &results{Parts: map[string]*part{
		"postgres": {Figures: map[string]map[string][]figure{serverLoad.Name: {
			nameServerFlash:                  rate(500),
			poolName(nameServerByHand, 8):    rate(100), // met, 5 times
			poolName(nameServerByHand, 64):   rate(90),
			poolName(nameServerPipeline, 16): rate(99),
			poolName(nameServerPipeline, 32): rate(101), // missed by the better of two
		}}},
		"copy": {Figures: map[string]map[string][]figure{
			copyToServer: {nameTransfer: rate(100_000)}, // met
			copyToFile:   {nameTransfer: rate(99_999)},  // missed
		}},
		"dashboard": {Figures: map[string]map[string][]figure{
			learnerDashboard.Name: tail(1999 * time.Microsecond), // met
			"dashboard-school":    tail(2 * time.Millisecond),    // missed
		}},
		"rank": {Figures: map[string]map[string][]figure{
			"rank-million":        tail(999 * time.Microsecond), // met
			"rank-million-beside": tail(5 * time.Millisecond),   // missed
		}},
		"rank-postgres": {Figures: map[string]map[string][]figure{
			"rank-million-paced":  {nameServerFlash: {{P99: int64(5*time.Millisecond) - 1}}}, // met
			"rank-million-beside": {nameServerFlash: {{P99: int64(5 * time.Millisecond)}}},   // missed
		}},
	}}
	marks := ""
	for _, v := range r.partTargets() {
		switch {
		case !v.Known:
			marks += "?"
		case v.Met:
			marks += "+"
		default:
			marks += "-"
		}
	}
	// PostgreSQL: by hand, pipeline, errors; copies; dashboards; ranks; ranks on PostgreSQL.
	if want := "+-+" + "+-" + "+-" + "+?-" + "?+-"; marks != want {
		t.Errorf("the marks are %s, want %s: %+v", marks, want, r.partTargets())
	}
	failed := &part{Figures: map[string]map[string][]figure{"rank-million": {nameFlashstore: {{P99: 1, Failed: 1}}}}}
	if rankTargets(failed)[0].Met {
		t.Error("a rank that failed was fast enough")
	}
}

// oneBehind is a ranker that has miscounted.
type oneBehind struct{ ranker }

func (o oneBehind) Rank(ctx context.Context, season, user int64) (storage.Standing, error) {
	s, err := o.ranker.Rank(ctx, season, user)
	s.Rank++
	return s, err
}

// The board is what it says, and a wrong rank ends the benchmark.
func TestBoardOfRanks(t *testing.T) {
	const users = 300
	r := &runs{templates: &templates{dir: t.TempDir(), world: world{Users: users, EndedAt: lately()}}}
	must(t, r.makeFile(t.Context(), func(f *flash, w *world) error { return f.fillBoard(t.Context(), w) }))
	path, w := r.templates.path(layoutHooks), r.templates.world
	must(t, compareRanks(t.Context(), path, w))
	counted, err := openHandwritten(path, Normal)
	must(t, err)
	defer func() { must(t, counted.Close()) }()
	seen := map[int64]bool{}
	for user := range int64(users) {
		s, err := counted.Rank(t.Context(), w.SeasonID, user+1)
		must(t, err)
		seen[s.Rank] = true
	}
	if len(seen) != users || !seen[1] || !seen[users] {
		t.Errorf("%d ranks", len(seen))
	}
	if err := sameRanks(t.Context(), oneBehind{counted}, counted, w); !errors.Is(err, errWrongRank) {
		t.Errorf("a wrong rank: %v", err)
	}
}

// A pause puts a user's sessions apart; the last one ends where all end
// without it.
func TestPause(t *testing.T) {
	w := world{Users: 2, Items: 1, SessionsPerUser: 3, AnswersEach: 5, Pause: 26 * time.Hour, EndedAt: lately()}
	r := &runs{templates: &templates{dir: t.TempDir(), world: w}}
	must(t, r.makeFile(t.Context(), func(f *flash, w *world) error { return f.populate(t.Context(), w) }))
	path := r.templates.path(layoutHooks)
	apart := MustRows(t, path, "SELECT user_id, max(ended_at) - min(ended_at), max(created_at) - min(created_at), count(*) FROM sessions GROUP BY user_id")
	span := (52 * time.Hour).Milliseconds()
	want := []string{}
	for _, user := range []string{"1", "2"} {
		want = append(want, quoted(user, span, span, 3))
	}
	if diff := cmp.Diff(want, apart); diff != "" {
		t.Errorf("times between first and last session (-want +got):\n%s", diff)
	}
}

// quoted is a row as MustRows has it.
func quoted(values ...any) string {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = fmt.Sprint(v)
	}
	return fmt.Sprintf("%q", cells)
}
