package storage

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/flashstore/flashstore/hooks"
)

// aMillion is how many play on the large boards of these benchmarks.
const aMillion = 1_000_000

// BenchmarkRankOfAMillion reads ranks of learners by chance on a board of a
// million, alone and while 16 clients submit sessions of 20 answers to the same
// board. A tenth of the learners have no XP; of each other XP there are some 450.
func BenchmarkRankOfAMillion(b *testing.B) {
	store, season, first := openBoardOf(b, aMillion)
	read := map[string]func(user int64) error{
		"rank": func(user int64) error {
			_, err := store.Leagues.Rank(context.Background(), season, user)
			return err
		},
		"window": func(user int64) error {
			_, err := store.Leagues.Window(context.Background(), season, user, 5)
			return err
		},
	}
	for _, name := range []string{"rank", "window"} {
		b.Run(name+"/alone", func(b *testing.B) { reportLatencies(b, first, read[name]) })
		b.Run(name+"/16 clients submit", func(b *testing.B) {
			done := submitFrom(b, store, first, 16)
			reportLatencies(b, first, read[name])
			b.StopTimer()
			b.ReportMetric(done()/b.Elapsed().Seconds(), "sessions/s")
		})
	}
	differences, err := store.Leagues.VerifyBoards(context.Background())
	if err != nil || len(differences) > 0 {
		b.Fatal(differences, err)
	}
}

// BenchmarkSubmitToBoard submits sessions of 20 answers of learners by chance,
// one after the other, to a board of 30, the usual one, and of a million.
func BenchmarkSubmitToBoard(b *testing.B) {
	for name, players := range map[string]int{"30": 30, "a million": aMillion} {
		b.Run(name, func(b *testing.B) {
			store, _, first := openBoardOf(b, players)
			for b.Loop() {
				s := benchmarkSession(first+rand.Int64N(int64(players)), 20)
				if _, err := store.Sessions.Submit(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// reportLatencies times read for learners by chance, each by itself.
func reportLatencies(b *testing.B, first int64, read func(user int64) error) {
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if err := read(first + rand.Int64N(aMillion)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// submitFrom lets clients submit until the returned function is called, which
// says how many sessions they have submitted.
func submitFrom(b *testing.B, store *Store, first int64, clients int) (done func() float64) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	submitted := make([]int, clients)
	for i := range submitted {
		all.Go(func() {
			for ctx.Err() == nil {
				_, err := store.Sessions.Submit(ctx, benchmarkSession(first+rand.Int64N(aMillion), 20))
				if err == nil {
					submitted[i]++
				} else if ctx.Err() == nil {
					b.Error(err)
					return
				}
			}
		})
	}
	return func() (sum float64) {
		cancel()
		all.Wait()
		for _, n := range submitted {
			sum += float64(n)
		}
		return sum
	}
}

// openBoardOf opens a store with that many participants in the lowest league,
// whose ids ascend from the first.
func openBoardOf(b *testing.B, players int) (store *Store, season, first int64) {
	b.Helper()
	store, user := openBenchmark(b, hooks.Balanced)
	now := time.Now()
	booked, err := store.Leagues.BookXP(context.Background(), user, 1, now)
	if err != nil {
		b.Fatal(err)
	}
	for _, fill := range []string{`
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO users (uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
SELECT 'learner-' || i, 'Learner', 1, 0, 0, ?, ?, 0, 0 FROM n`, `
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO league_participants (season_id, league_id, user_id, weekly_xp, reached_at)
SELECT s.id, ?, users.id, iif(i % 10 = 0, 0, abs(random()) % 2000), s.starts_at + iif(i % 10 = 0, 0, abs(random()) % 3600000)
FROM n JOIN users ON users.uid = 'learner-' || i JOIN seasons AS s ON s.starts_at <= ? AND s.ends_at > s.starts_at`} {
		if err := store.engine.db.Exec(fill, players, lowestLeague, now.UnixMilli()).Error; err != nil {
			b.Fatal(err)
		}
	}
	err = store.engine.db.Raw("SELECT id FROM users WHERE uid = 'learner-1'").Scan(&first).Error
	if err != nil {
		b.Fatal(err)
	}
	return store, booked.ID, first
}
