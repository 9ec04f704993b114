package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/flashstore/flashstore/internal/pghost"
	"github.com/flashstore/flashstore/storage"
)

// testServer is the one server of all tests, with a database of the small
// world; the first who needs it makes it.
var testServer struct {
	once sync.Once
	runs *serverRuns
	err  error
}

// MustServer returns it. Where PostgreSQL is not installed the test is
// skipped, but fails if the environment has CI=true.
func MustServer(tb testing.TB) *serverRuns {
	tb.Helper()
	testServer.once.Do(func() {
		s, err := startServer(files.dir)
		if err == nil {
			testServer.runs, err = newServerRuns(context.Background(), s, &partRun{o: &options{seconds: 0.02}, dir: files.dir}, small, (*flash).populate)
			if err != nil {
				err = errors.Join(err, s.stop())
			}
		}
		testServer.err = err
	})
	if errors.Is(testServer.err, pghost.ErrMissing) && os.Getenv("CI") != "true" {
		tb.Skip(testServer.err)
	}
	must(tb, testServer.err)
	return testServer.runs
}

// stopTestServer ends it, if there is one.
func stopTestServer() error {
	testServer.once.Do(func() { testServer.err = errors.New("the tests have ended") })
	if testServer.runs == nil {
		return nil
	}
	return testServer.runs.server.stop()
}

// MustDatabase returns the DSN of a copy of the small world.
func MustDatabase(tb testing.TB) (dsn string) {
	tb.Helper()
	r := MustServer(tb)
	name, err := r.server.create(tb.Context(), r.template)
	must(tb, err)
	tb.Cleanup(func() { must(tb, r.server.drop(name)) })
	return r.server.dsn(name)
}

// MustServerRows returns a query's rows as text.
func MustServerRows(tb testing.TB, dsn, query string) []string {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), dsn)
	must(tb, err)
	defer func() { must(tb, conn.Close(context.Background())) }()
	rows, err := conn.Query(tb.Context(), "SELECT row_text::text FROM ("+query+") AS row_text")
	must(tb, err)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(tb, err)
	return list
}

// MustServerDump returns what an answer changes.
func MustServerDump(tb testing.TB, dsn string) map[string][]string {
	tb.Helper()
	dump := map[string][]string{}
	for _, table := range []string{"answer_events", "mastery_stats", "rollup_queue"} {
		dump[table] = MustServerRows(tb, dsn, stored[table])
	}
	return dump
}

// careful are the candidates that sort in late answers and recognise repeated
// ones: one of each kind.
func careful(tb testing.TB) (list []contender) {
	tb.Helper()
	for _, name := range []string{nameServerFlash, lanesName(1), poolName(nameServerByHand, 8), poolName(nameServerPipeline, 8)} {
		c, err := contenderOf(name)
		must(tb, err)
		list = append(list, c)
	}
	return list
}

// Every kind of candidate on PostgreSQL stores the same rows for the same
// answers.
func TestServerSameRows(t *testing.T) {
	answers := newScript().answers
	plain, err := contenderOf(nameServerGorm)
	must(t, err)
	var want map[string][]string
	for _, c := range append(careful(t), plain) {
		t.Run(c.Name, func(t *testing.T) {
			dsn := MustDatabase(t)
			candidate := MustOpen(t, c, dsn, Full)
			for i := range answers {
				must(t, candidate.Answer(t.Context(), &answers[i]))
			}
			got := MustServerDump(t, dsn)
			if want == nil {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("not what %s stores (-want +got):\n%s", nameServerFlash, diff)
			}
		})
	}
	if n := len(want["answer_events"]); want != nil && n != int(small.answers())+400 {
		t.Errorf("%d answers are stored", n)
	}
}

// Answers in any order, twice, are booked once and in the order of their ids;
// another content is refused and changes nothing.
func TestServerLateAndRepeated(t *testing.T) {
	answers := newScript().answers
	mixed := slices.Concat(answers, answers)
	rand.New(rand.NewPCG(8, 9)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	var want map[string][]string
	for _, c := range careful(t) {
		t.Run(c.Name, func(t *testing.T) {
			dsn := MustDatabase(t)
			candidate := MustOpen(t, c, dsn, Full)
			if want == nil {
				for i := range answers {
					must(t, candidate.Answer(t.Context(), &answers[i]))
				}
				want = MustServerDump(t, dsn)
				return
			}
			for i := range mixed {
				must(t, candidate.Answer(t.Context(), &mixed[i]))
			}
			other := answers[7]
			other.ResponseMS++
			if err := candidate.Answer(t.Context(), &other); !errors.Is(err, errOtherContent) && !errors.Is(err, storage.ErrConflict) {
				t.Errorf("another content: %v", err)
			}
			if diff := cmp.Diff(want, MustServerDump(t, dsn)); diff != "" {
				t.Errorf("not what they are in order (-want +got):\n%s", diff)
			}
		})
	}
}

// A fact that many answer at once, in any order, has the level of its answers
// in order.
func TestServerAtOnce(t *testing.T) {
	const clients, each = 8, 20
	ids := idsFrom(time.Now().Add(-time.Minute))
	r := rand.New(rand.NewPCG(1, 8))
	at := time.Now().UTC().Truncate(time.Millisecond)
	answers := make([]Answer, clients*each)
	for i := range answers {
		answers[i] = answerOf(r, 1, 0, ids(), at)
		answers[i].Fact = "100+100"
	}
	level, attempts := levelOf(answers, 1, "addition", "100+100")
	want := []string{fmt.Sprintf("(%.2f,%d)", level, attempts)}
	r.Shuffle(len(answers), func(i, j int) { answers[i], answers[j] = answers[j], answers[i] })
	for _, c := range careful(t) {
		t.Run(c.Name, func(t *testing.T) {
			dsn := MustDatabase(t)
			candidate := MustOpen(t, c, dsn, Full)
			var all sync.WaitGroup
			errs := make([]error, clients)
			for n := range clients {
				all.Go(func() {
					for i := range each {
						errs[n] = errors.Join(errs[n], candidate.Answer(t.Context(), &answers[n*each+i]))
					}
				})
			}
			all.Wait()
			must(t, errors.Join(errs...))
			got := MustServerRows(t, dsn, "SELECT mastery_level, attempts FROM mastery_stats WHERE fact = '100+100'")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("level and attempts (-want +got):\n%s", diff)
			}
		})
	}
}

// The server is as it is shipped where durability is concerned, and leaves
// nothing.
func TestServerSettings(t *testing.T) {
	MustServer(t)
	// Another account may pass through it, but not remove what is in it.
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(filepath.Dir(dir), 0o755))
	s, err := startServer(dir)
	must(t, err)
	for _, setting := range []string{"fsync", "full_page_writes", "synchronous_commit", "autovacuum"} {
		var got string
		must(t, s.ask(t.Context(), "postgres", "SHOW "+setting, &got))
		if got != "on" {
			t.Errorf("%s is %s", setting, got)
		}
	}
	version, err := s.version(t.Context())
	must(t, err)
	if version == "" || strings.Contains(version, " ") {
		t.Errorf("the version is %q", version)
	}
	must(t, s.stop())
	for _, folder := range []string{s.data, s.socket} {
		if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", folder, err)
		}
	}
}
