package main

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/flashstore/flashstore/internal/pgtest"
)

// postgresURL returns the URL of a new database of PostgreSQL's.
func postgresURL(tb testing.TB) string {
	tb.Helper()
	at, err := pgx.ParseConfig(pgtest.Server(tb).Database(tb))
	if err != nil {
		tb.Fatal(err)
	}
	query := url.Values{"host": {at.Host}, "port": {fmt.Sprint(at.Port)}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User(at.User), Path: "/" + at.Database, RawQuery: query.Encode()}).String()
}

// figures returns all that a replay must leave in any database, by the names
// that people know.
func figures(tb testing.TB, at string) map[string][]string {
	tb.Helper()
	id := "lower(hex(%s))"
	if (&options{db: at}).isPostgres() {
		id = "replace(CAST(%s AS TEXT), '-', '')"
	}
	hex := func(column string) string { return strings.ReplaceAll(id, "%s", column) }
	all := map[string][]string{}
	for name, query := range map[string]string{
		"users": "SELECT uid, email, name, level, total_xp, coins, league_id, last_active_at >= created_at FROM users",
		"sessions": `SELECT u.uid, ` + hex("s.id") + `, operation, started_at, ended_at, total_count, correct_count, avg_response_ms,
			xp_earned, coins_earned, season_id, s.created_at FROM sessions s JOIN users u ON u.id = s.user_id`,
		"answer_events": `SELECT u.uid, ` + hex("a.id") + `, ` + hex("session_id") + `, operation, fact,
			CASE WHEN correct THEN 1 ELSE 0 END, response_time_ms, a.created_at
			FROM answer_events a JOIN users u ON u.id = a.user_id`,
		"mastery_stats": `SELECT u.uid, operation, fact, CAST(round(100 * mastery_level) AS BIGINT), CAST(round(100 * last_delta) AS BIGINT),
			` + hex("last_answer_id") + `, attempts, correct_count, total_response_ms, last_response_time, m.updated_at
			FROM mastery_stats m JOIN users u ON u.id = m.user_id`,
		"seasons": "SELECT * FROM seasons",
		"league_participants": `SELECT season_id, p.league_id, u.uid, weekly_xp, reached_at
			FROM league_participants p JOIN users u ON u.id = p.user_id`,
		"rollup_queue": "SELECT u.uid FROM rollup_queue q JOIN users u ON u.id = q.user_id",
		"coin_ledger":  "SELECT u.uid, seq, delta, balance_after, reason, reference FROM coin_ledger c JOIN users u ON u.id = c.user_id",
	} {
		for _, line := range lines(tb, at, query) {
			all[name] = append(all[name], strings.NewReplacer("|true", "|1", "|false", "|0").Replace(line))
		}
	}
	return all
}

// A replay says and leaves the same on a server as in a file, also when it is
// run again.
func TestReplayPostgres(t *testing.T) {
	for _, recording := range []string{"class.jsonl", classroomFile} {
		t.Run(recording, func(t *testing.T) {
			file, server := tempDB(t), postgresURL(t)
			for range 2 {
				want := call(t, "replay", "--json", "--db", file, recording)
				got := call(t, "replay", "--json", "--db", server, recording)
				if got != want {
					t.Fatalf("on the server: %+v\nin the file: %+v", got, want)
				}
				if diff := cmp.Diff(figures(t, file), figures(t, server)); diff != "" {
					t.Fatalf("other figures (-file +server):\n%s", diff)
				}
			}
			if n := len(figures(t, server)["sessions"]); n < 80 {
				t.Errorf("%d sessions are booked", n)
			}
			for _, league := range []string{"neon", "apex"} {
				args := []string{"board", "--json", "--season", "20261108", "--league", league, "--db"}
				want, got := call(t, append(args, file)...).must(t, 0), call(t, append(args, server)...).must(t, 0)
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); diff != "" {
					t.Errorf("another board (-file +server):\n%s", diff)
				}
			}
		})
	}
}

// Several replays to one server at once book each line once.
func TestReplayPostgresAtOnce(t *testing.T) {
	server := postgresURL(t)
	mustReplayAtOnce(t, server)
	file := tempDB(t)
	callWith(t.Context(), string(classRecording), "replay", "--db", file, "-").must(t, 0)
	for _, what := range []string{"users", "sessions", "answer_events", "mastery_stats", "league_participants"} {
		if diff := cmp.Diff(figures(t, file)[what], figures(t, server)[what]); diff != "" {
			t.Errorf("other %s (-file +server):\n%s", what, diff)
		}
	}
}

func TestMigratePostgres(t *testing.T) {
	server := postgresURL(t)
	call(t, "migrate", "status", "--db", server).must(t, 0).says(t, "0001_practice", "pending")
	call(t, "board", "--db", server).must(t, 1).says(t, "migrations are pending")
	call(t, "migrate", "up", "--db", server).must(t, 0).says(t, fmt.Sprint(len(history), " migrations applied"))
	call(t, "migrate", "up", "--db", server).must(t, 0).says(t, "nothing to do")
	call(t, "board", "--db", server).must(t, 0).says(t, "nobody is here")
	call(t, "migrate", "down", "--all", "--db", server).must(t, 0).says(t, fmt.Sprint(len(history), " migrations rolled back"))
}

// What only a file has is refused, and no password is shown to anybody.
func TestPostgresRefused(t *testing.T) {
	const secret = "s3cret"
	for _, server := range []string{
		"postgres://ann:" + secret + "@localhost:1/class", "postgresql://localhost:1/class?user=ann&password=" + secret,
	} {
		for _, args := range []string{
			"stats", "check", "checkpoint", "vacuum", "vacuum --incremental", "backup copy.db", "demo", "loadtest --seconds 1",
		} {
			t.Run(args, func(t *testing.T) {
				out := call(t, append(strings.Fields(args), "--db", server)...).must(t, 2).says(t, "is for SQLite files", "PostgreSQL")
				if strings.Contains(out.stdout+out.stderr, secret) {
					t.Errorf("it shows the password: %q", out.stderr)
				}
			})
		}
		for _, args := range []string{"replay class.jsonl", "migrate up", "board"} { // nobody listens there
			out := call(t, append(strings.Fields(args), "--db", server)...).must(t, 1).says(t, "localhost:1/class")
			if strings.Contains(out.stdout+out.stderr, secret) {
				t.Errorf("it shows the password: %q", out.stderr)
			}
		}
	}
}

// Who makes a file of its own does not mind that the environment names a
// server's database; who reads one does.
func TestPostgresOfTheEnvironment(t *testing.T) {
	t.Setenv("DATABASE_PATH", "postgres://localhost:1/class")
	t.Setenv("TMPDIR", t.TempDir())
	call(t, "demo").must(t, 0)
	call(t, "stats").must(t, 2).says(t, "is for SQLite files")
}
