package storage_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func TestMastery_AsOf(t *testing.T) {
	at := func(n int) time.Time { return lesson.Add(time.Duration(n) * time.Second) }
	// Of each moment it is what a user has who gave only the answers up to it.
	t.Run("OK/EveryMoment", func(t *testing.T) {
		for name, rule := range bothRules {
			t.Run(name, func(t *testing.T) {
				f := MustOpen(t, withRules(func(r *storage.Rules) { r.Mastery = rule }))
				user := MustUser(t, f.Store, "ada")
				var answers []storage.Answer
				for n := range 30 {
					answers = append(answers, right(n, []string{"1+1", "2+2", "3+3"}[n*n%3], int64(n*700)))
					answers[n].Correct = n%4 != 0
				}
				for _, n := range rand.Perm(len(answers)) {
					MustAppend(t, f.Store, user.ID, answers[n])
				}
				double := MustUser(t, f.Store, "bob")
				for n, a := range answers {
					MustAppend(t, f.Store, double.ID, a)
					want, err := f.Mastery.Operation(ctx, double.ID, "addition")
					must(t, err)
					got, err := f.Mastery.AsOf(ctx, user.ID, " Addition", at(n))
					must(t, err)
					equal(t, got, want, cmpopts.IgnoreFields(models.MasteryStat{}, "UserID"))
				}
			})
		}
	})
	t.Run("OK/ToTheMillisecond", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		moment := at(1)
		greatest := idAt(moment, 1<<62-1)
		greatest[6], greatest[7] = 0x7f, 0xff
		later := idAt(moment.Add(time.Millisecond), 0)
		for _, id := range []models.ID{later, greatest, idAt(moment, 0)} {
			MustAppend(t, f.Store, user.ID, storage.Answer{ID: id, Fact: "1+1", Correct: true, At: moment})
		}
		for _, test := range []struct {
			at   time.Time
			want int64
		}{
			{time.Unix(0, 0), 0},
			{moment.Add(-time.Nanosecond), 0},
			{moment, 2},
			{moment.Add(time.Millisecond - time.Nanosecond).In(time.FixedZone("", 3600)), 2},
			{moment.Add(time.Millisecond), 3},
			{noon.AddDate(100, 0, 0), 3},
			{time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), 3},
		} {
			got, err := f.Mastery.AsOf(ctx, user.ID, "addition", test.at)
			must(t, err)
			attempts := int64(0)
			for _, s := range got {
				attempts += s.Attempts
			}
			equal(t, attempts, test.want)
		}
	})
	t.Run("OK/ItsOperationAndUserOnly", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		practised(t, f, "bob")
		for _, operation := range []string{"addition", "subtraction", "division", ""} {
			want, err := f.Mastery.Operation(ctx, user.ID, operation)
			must(t, err)
			MustNotChange(t, f, func() {
				got, err := f.Mastery.AsOf(ctx, user.ID, operation, noon)
				must(t, err)
				equal(t, got, want)
			})
		}
		got, err := f.Mastery.AsOf(ctx, 99, "addition", noon)
		must(t, err)
		equal(t, got, nil)
	})
	// The log is what counts, not what is stored.
	t.Run("OK/FromTheLog", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		want, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		got, err := f.Mastery.AsOf(ctx, user.ID, "addition", noon)
		must(t, err)
		equal(t, got, want)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t)
		for _, at := range []time.Time{{}, time.Unix(-1, 0), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
			_, err := f.Mastery.AsOf(ctx, 1, "addition", at)
			mustBeInvalid(t, err, "at")
		}
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t)
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := f.Mastery.AsOf(ended, practised(t, f, "ada").ID, "addition", noon)
		mustBe(t, err, context.Canceled)
	})
}
