package storage_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustRun runs the rollup.
func MustRun(tb testing.TB, s *storage.Store) storage.RollupResult {
	tb.Helper()
	result, err := s.Rollups.Run(ctx)
	must(tb, err)
	return result
}

// equalRun compares what runs did, not how long they took.
func equalRun(tb testing.TB, got storage.RollupResult, users, facts int) {
	tb.Helper()
	equal(tb, got, storage.RollupResult{Users: users, Facts: facts}, cmpopts.IgnoreFields(got, "Duration"))
}

// S53, less its defect: what was never right is 0.
func TestRollups_Thresholds(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	tests := []struct{ attempts, correct, want int64 }{
		{1, 0, 0}, {2, 0, 0}, {12, 0, 0},
		{1, 1, 2}, {2, 1, 2}, {2, 2, 2}, {3, 1, 2}, {3, 2, 2}, {10, 1, 2}, {10, 6, 2}, {13, 9, 2}, // 69.2 %
		{3, 3, 3}, {4, 3, 3}, {4, 4, 3}, {10, 7, 3}, {9, 7, 3}, {14, 11, 3}, // 78.6 %
		{5, 4, 4}, {5, 5, 4}, {9, 9, 4}, {10, 8, 4}, {19, 17, 4}, // 89.5 %
		{10, 9, 5}, {10, 10, 5}, {20, 18, 5}, {100, 100, 5},
	}
	var answers []storage.Answer
	for i, test := range tests {
		for n := range test.attempts {
			a := right(len(answers), fmt.Sprintf("%d+1", i), 1000+n)
			a.Correct = n < test.correct
			answers = append(answers, a)
		}
	}
	MustSubmit(t, f.Store, session(user.ID, 0, answers...))
	later := noon.Add(time.Hour)
	f.clock.Set(later)
	equalRun(t, MustRun(t, f.Store), 1, len(tests))

	rollups, err := f.Rollups.OfUser(ctx, user.ID)
	must(t, err)
	equal(t, len(rollups), len(tests))
	byFact := map[string]models.MasteryRollup{}
	for _, r := range rollups {
		byFact[r.Fact] = r
	}
	for i, test := range tests {
		t.Run(fmt.Sprintf("%d of %d", test.correct, test.attempts), func(t *testing.T) {
			fact := fmt.Sprintf("%d+1", i)
			equal(t, byFact[fact], models.MasteryRollup{
				UserID: user.ID, Operation: "addition", Fact: fact,
				TotalAttempts: test.attempts, CorrectCount: test.correct,
				AvgResponseTime: 1000 + float64(test.attempts-1)/2,
				MasteryLevel:    test.want, LastUpdated: later,
			})
		})
	}
}

// S50–S52: on demand, over the users with answers since the last run only.
func TestRollups_Run(t *testing.T) {
	f := MustOpen(t)
	ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	equalRun(t, MustRun(t, f.Store), 0, 0)
	MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "1+1", 10), right(2, "2+2", 10)))
	MustAppend(t, f.Store, bob.ID, wrong(1, "1+1", 10))
	equalRun(t, MustRun(t, f.Store), 2, 3)

	t.Run("Twice", func(t *testing.T) {
		f.clock.Set(noon.Add(time.Hour))
		MustNotChange(t, f, func() { equalRun(t, MustRun(t, f.Store), 0, 0) })
	})
	t.Run("Repeated", func(t *testing.T) {
		// A retry brings no answers.
		MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "1+1", 10), right(2, "2+2", 10)))
		equalRun(t, MustRun(t, f.Store), 0, 0)
	})
	t.Run("QueuedOnly", func(t *testing.T) {
		MustExec(t, f.db, "UPDATE mastery_rollups SET total_attempts = 77 WHERE user_id = ?", ada.ID)
		MustAppend(t, f.Store, bob.ID, right(2, "1+1", 20), right(3, "1+1", 30))
		equalRun(t, MustRun(t, f.Store), 1, 1)
		untouched, err := f.Rollups.OfUser(ctx, ada.ID)
		must(t, err)
		equal(t, []int64{untouched[0].TotalAttempts, untouched[1].TotalAttempts}, []int64{77, 77})
		rolled, err := f.Rollups.OfUser(ctx, bob.ID)
		must(t, err)
		equal(t, rolled, []models.MasteryRollup{{
			UserID: bob.ID, Operation: "addition", Fact: "1+1", TotalAttempts: 3, CorrectCount: 2,
			AvgResponseTime: 20, MasteryLevel: 2, LastUpdated: noon.Add(time.Hour),
		}})
	})
	t.Run("OfNobody", func(t *testing.T) {
		got, err := f.Rollups.OfUser(ctx, 99)
		must(t, err)
		equal(t, got, nil)
	})
	t.Run("InTransaction", func(t *testing.T) {
		MustAppend(t, f.Store, bob.ID, right(9, "1+1", 20))
		MustNotChange(t, f, func() {
			tx := f.db.Begin()
			equalRun(t, MustRun(t, f.In(tx)), 1, 1)
			must(t, tx.Rollback().Error)
		})
		equalRun(t, MustRun(t, f.Store), 1, 1)
	})
}

// MustQueue creates n users with one answer each.
func MustQueue(tb testing.TB, f *fixture, n int) {
	tb.Helper()
	users := MustUsers(tb, f, n)
	must(tb, f.db.Transaction(func(tx *gorm.DB) error {
		for _, user := range users {
			MustAppend(tb, f.In(tx), user.ID, right(1, "1+1", 10))
		}
		return nil
	}))
}

func TestRollups_Run_Batches(t *testing.T) {
	for _, n := range []int{63, 64, 65, 130} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := MustOpen(t)
			MustQueue(t, f, n)
			equalRun(t, MustRun(t, f.Store), n, n)
			equal(t, MustInt(t, f.db, "SELECT count(*) FROM mastery_rollups WHERE mastery_level = 2"), int64(n))
			equal(t, MustInt(t, f.db, "SELECT count(*) FROM rollup_queue"), 0)
			equalRun(t, MustRun(t, f.Store), 0, 0)
		})
	}
}

// What a run had no time for is left for the next one.
func TestRollups_Run_Cancelled(t *testing.T) {
	var left atomic.Int64 // transactions until the context ends
	left.Store(1 << 40)
	running, cancel := context.WithCancel(ctx)
	f := MustOpen(t, func(s *setup) {
		now := s.store.Now
		s.store.Now = func() time.Time {
			if left.Add(-1) < 0 {
				cancel()
			}
			return now()
		}
	})
	MustQueue(t, f, 130)
	left.Store(1)
	got, err := f.Rollups.Run(running)
	mustBe(t, err, context.Canceled)
	equalRun(t, got, 64, 64)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM rollup_queue"), 66)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM mastery_rollups"), 64)
	equalRun(t, MustRun(t, f.Store), 66, 66)
}
