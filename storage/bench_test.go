package storage

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
)

// BenchmarkSubmit10000 books one session of 10,000 answers (S67: under a
// second), at the default durability and at the safe one.
func BenchmarkSubmit10000(b *testing.B) {
	for _, durability := range []hooks.Durability{hooks.Balanced, hooks.Safe} {
		b.Run(durability.String(), func(b *testing.B) {
			store, user := openBenchmark(b, durability)
			for b.Loop() {
				b.StopTimer()
				s := benchmarkSession(user, 10_000)
				b.StartTimer()
				if _, err := store.Sessions.Submit(context.Background(), s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "answers/s")
		})
	}
}

// BenchmarkSubmit20 books sessions of the usual length, one after the other.
func BenchmarkSubmit20(b *testing.B) {
	store, user := openBenchmark(b, hooks.Balanced)
	for b.Loop() {
		if _, err := store.Sessions.Submit(context.Background(), benchmarkSession(user, 20)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlausibility books sessions of the usual length and single answers
// under rules that set nothing aside, and sessions of which a fifth is.
func BenchmarkPlausibility(b *testing.B) {
	for name, test := range map[string]struct{ floor, aside int64 }{
		"AllPlausible":   {1, 0},
		"AFifthSetAside": {804, 4}, // the answers take 800 ms, 801, 802 …
	} {
		b.Run("Submit20/"+name, func(b *testing.B) {
			store, user := openBenchmark(b, hooks.Balanced)
			store.engine.cfg.Rules.Plausibility = Plausibility{FloorMS: test.floor, SessionSlack: time.Minute, MaxAge: time.Hour}
			for b.Loop() {
				receipt, err := store.Sessions.Submit(context.Background(), benchmarkSession(user, 20))
				if err != nil || receipt.SetAside != test.aside {
					b.Fatal(receipt, err)
				}
			}
		})
	}
	b.Run("Append/AllPlausible", func(b *testing.B) {
		store, user := openBenchmark(b, hooks.Balanced)
		store.engine.cfg.Rules.Plausibility = Plausibility{FloorMS: 1, MaxAge: time.Hour}
		for n := 0; b.Loop(); n++ {
			if _, err := store.Answers.Append(context.Background(), user, benchmarkAnswer(n)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRecent1000x100 reads 100 recent answers a thousand times (S68:
// under half a second).
func BenchmarkRecent1000x100(b *testing.B) {
	store, user := openBenchmark(b, hooks.Balanced)
	if _, err := store.Sessions.Submit(context.Background(), benchmarkSession(user, 10_000)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for range 1000 {
			answers, err := store.Answers.Recent(context.Background(), user, 100)
			if err != nil || len(answers) != 100 {
				b.Fatal(len(answers), err)
			}
		}
	}
}

// BenchmarkRecent50 reads the usual page of recent answers.
func BenchmarkRecent50(b *testing.B) {
	store, user := openBenchmark(b, hooks.Balanced)
	if _, err := store.Sessions.Submit(context.Background(), benchmarkSession(user, 10_000)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		answers, err := store.Answers.Recent(context.Background(), user, 50)
		if err != nil || len(answers) != 50 {
			b.Fatal(len(answers), err)
		}
	}
}

// BenchmarkBoard50 reads the top of a league of 1,000.
func BenchmarkBoard50(b *testing.B) {
	store, season, _ := openBoard(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		page, err := store.Leagues.Board(context.Background(), season, lowestLeague, "", 50)
		if err != nil || len(page.Standings) != 50 {
			b.Fatal(len(page.Standings), err)
		}
	}
}

// BenchmarkRank reads ranks among 1,000, every one in turn.
func BenchmarkRank(b *testing.B) {
	store, season, users := openBoard(b, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := store.Leagues.Rank(context.Background(), season, users[i%len(users)]); err != nil {
			b.Fatal(err)
		}
	}
}

// openBoard opens a store with that many participants in the lowest league,
// ten of them with each XP.
func openBoard(b *testing.B, participants int) (store *Store, season int64, users []int64) {
	b.Helper()
	store, _ = openBenchmark(b, hooks.Balanced)
	now := time.Now()
	err := store.engine.db.Transaction(func(tx *gorm.DB) error {
		inside := store.In(tx)
		for i := range participants {
			user, err := inside.Users.Create(context.Background(), NewUser{Name: "Learner"})
			if err != nil {
				return err
			}
			booked, err := inside.Leagues.BookXP(context.Background(), user.ID, int64(i/10), now)
			if err != nil {
				return err
			}
			season, users = booked.ID, append(users, user.ID)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return store, season, users
}

func openBenchmark(b *testing.B, durability hooks.Durability) (*Store, int64) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "bench.db")
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		b.Fatal(err)
	}
	store := New(Config{Hooks: hooks.Config{Durability: durability}})
	if err := db.Use(store); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close() })
	user, err := store.Users.Create(context.Background(), NewUser{})
	if err != nil {
		b.Fatal(err)
	}
	return store, user.ID
}

// benchmarkSession makes a session over the facts of one operation.
func benchmarkSession(user int64, answers int) Submission {
	now := time.Now()
	s := Submission{UserID: user, ID: models.NewID(), Operation: "addition", StartedAt: now.Add(-time.Minute), EndedAt: now}
	for i := range answers {
		s.Answers = append(s.Answers, Answer{
			ID: models.NewID(), Fact: fmt.Sprintf("%d + %d = ?", i%13, i/13%13), Correct: i%5 != 0, ResponseMS: int64(800 + i%3000), At: now,
		})
	}
	return s
}

// BenchmarkAppend books single answers, each acknowledged by itself, from one
// client and from many.
func BenchmarkAppend(b *testing.B) {
	for _, durability := range []hooks.Durability{hooks.Balanced, hooks.Safe} {
		for _, clients := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/%d", durability, clients), func(b *testing.B) {
				store, _ := openBenchmark(b, durability)
				users := make([]int64, clients)
				for i := range users {
					user, err := store.Users.Create(context.Background(), NewUser{})
					if err != nil {
						b.Fatal(err)
					}
					users[i] = user.ID
				}
				var next atomic.Int64
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				for _, user := range users {
					wg.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							if _, err := store.Answers.Append(context.Background(), user, benchmarkAnswer(int(n))); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
				b.ReportMetric(store.Queue().Stats().Group.Mean(), "answers/commit")
			})
		}
	}
}

func benchmarkAnswer(n int) SingleAnswer {
	return SingleAnswer{
		Answer: Answer{
			ID: models.NewID(), Fact: fmt.Sprintf("%d + %d = ?", n%13, n/13%13), Correct: n%5 != 0, ResponseMS: int64(800 + n%3000), At: time.Now(),
		},
		Operation: "addition",
	}
}
