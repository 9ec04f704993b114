package storage

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/flashstore/flashstore/hooks"
)

// BenchmarkDashboard reads the first page of a learner with that many answers:
// three years of practice in four operations, 169 facts each, among a hundred
// rivals (under 2 ms whatever the history is).
func BenchmarkDashboard(b *testing.B) {
	for _, answers := range []int{1_000, 1_000_000} {
		b.Run(fmt.Sprint(answers), func(b *testing.B) {
			store, user := openBenchmark(b, hooks.Balanced)
			bookHistory(b, store, user, answers)
			bookRivals(b, store, 100)
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				d, err := store.Users.Dashboard(context.Background(), user)
				if err != nil || len(d.Recent) != 10 || len(d.Weakest) != 10 || d.Week.Sessions == 0 || d.Standing == nil {
					b.Fatal(d, err)
				}
			}
		})
	}
}

// bookHistory books a thousand sessions over three years, up to now.
func bookHistory(b *testing.B, store *Store, user int64, answers int) {
	b.Helper()
	const sessions, pause = 1000, 26 * time.Hour
	began := time.Now().Add(-time.Minute - (sessions-1)*pause)
	for n := range sessions {
		s := Submission{UserID: user, ID: idAt(began, n), StartedAt: began, EndedAt: began.Add(time.Minute)}
		s.Operation = []string{"addition", "subtraction", "multiplication", "division"}[n%4]
		for i := range answers / sessions {
			s.Answers = append(s.Answers, Answer{
				ID: idAt(began.Add(time.Duration(i)*time.Millisecond), n), Fact: fmt.Sprintf("%d.%d", (i+n)%13, (i+n)/13%13),
				Correct: i%5 != 0, ResponseMS: int64(800 + i%3000), At: began,
			})
		}
		if _, err := store.Sessions.Submit(context.Background(), s); err != nil {
			b.Fatal(err)
		}
		began = began.Add(pause)
	}
}

// bookRivals gives others a place in this week, half of them ahead.
func bookRivals(b *testing.B, store *Store, rivals int) {
	b.Helper()
	for i := range rivals {
		rival, err := store.Users.Create(context.Background(), NewUser{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := store.Leagues.BookXP(context.Background(), rival.ID, int64(i%2*1_000_000), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
