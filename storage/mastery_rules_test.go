package storage_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// bothRules are the rules that are shipped.
var bothRules = map[string]storage.MasteryRule{"Step": storage.StepMastery, "Speed": storage.SpeedMastery}

// worded are the same two as domain.md words them, in hundredths.
var worded = map[string]func(correct bool, ms int64) int{
	"Step": func(correct bool, _ int64) int {
		if correct {
			return 100
		}
		return -100
	},
	"Speed": func(correct bool, ms int64) int {
		switch {
		case !correct:
			return 0
		case ms < 2000:
			return 100
		case ms <= 10000:
			return 20
		}
		return -50
	},
}

// levelsByHand goes through answers in the order of their ids, by hand.
func levelsByHand(step func(correct bool, ms int64) int, answers []storage.SingleAnswer) map[string]models.Level {
	ordered := slices.SortedFunc(slices.Values(answers), func(a, b storage.SingleAnswer) int {
		return slices.Compare(a.ID[:], b.ID[:])
	})
	hundredths := map[string]int{}
	for _, a := range ordered {
		fact := a.Operation + " " + a.Fact
		hundredths[fact] = min(500, max(0, hundredths[fact]+step(a.Correct, a.ResponseMS)))
	}
	levels := map[string]models.Level{}
	for fact, n := range hundredths {
		levels[fact] = models.Level(n)
	}
	return levels
}

// TestMasteryProperty: whatever the rule, the order in which answers arrive and
// the company in which they do, what is stored is what a plain loop over them
// in the order of their ids gives, to the hundredth (N8, N17).
func TestMasteryProperty(t *testing.T) {
	for name, rule := range bothRules {
		t.Run(name, func(t *testing.T) {
			f := MustOpen(t, withRules(func(r *storage.Rules) { r.Mastery, r.ClockSkew = rule, -1 }))
			sent := int64(0)
			rapid.Check(t, func(t *rapid.T) {
				user, err := f.Users.Create(ctx, storage.NewUser{})
				mustNot(t, err)
				answers := drawAnswers(t)
				arrival := rapid.Permutation(answers).Draw(t, "arrival")
				for len(arrival) > 0 {
					group := arrival[:min(len(arrival), rapid.IntRange(1, 6).Draw(t, "group"))]
					arrival = arrival[len(group):]
					sent++
					mustNot(t, send(t, f, user.ID, sent, group))
				}
				checkLevels(t, f, user.ID, levelsByHand(worded[name], answers))
			})
		})
	}
}

// drawAnswers draws answers to a few facts of two operations, each in a second
// of its own.
func drawAnswers(t *rapid.T) []storage.SingleAnswer {
	answers := make([]storage.SingleAnswer, rapid.IntRange(1, 40).Draw(t, "answers"))
	for i := range answers {
		answers[i] = storage.SingleAnswer{
			Answer:    right(i, rapid.SampledFrom([]string{"1+1", "2+2", "3+3"}).Draw(t, "fact"), 0),
			Operation: rapid.SampledFrom([]string{"addition", "mixed"}).Draw(t, "operation"),
		}
		answers[i].Correct = rapid.IntRange(0, 3).Draw(t, "wrong") > 0
		answers[i].ResponseMS = rapid.SampledFrom([]int64{0, 1999, 2000, 9000, 10000, 10001}).Draw(t, "ms")
	}
	return answers
}

// send books a group of answers: in one call, one by one, all at once, or as
// sessions.
func send(t *rapid.T, f *fixture, userID, n int64, group []storage.SingleAnswer) error {
	switch rapid.SampledFrom([]string{"together", "single", "at once", "sessions"}).Draw(t, "way") {
	case "together":
		_, err := f.Answers.Append(ctx, userID, group...)
		return err
	case "single":
		for _, a := range group {
			if _, err := f.Answers.Append(ctx, userID, a); err != nil {
				return err
			}
		}
		return nil
	case "at once":
		return errors.Join(atOnce(len(group), func(i int) error {
			_, err := f.Answers.Append(ctx, userID, group[i])
			return err
		})...)
	}
	sessions := map[string]*storage.Submission{}
	for _, a := range group {
		if sessions[a.Operation] == nil {
			sessions[a.Operation] = &storage.Submission{
				UserID: userID, ID: idAt(lesson, n<<8+int64(len(a.Operation))), Operation: a.Operation,
				StartedAt: lesson, EndedAt: lesson.Add(time.Minute),
			}
		}
		sessions[a.Operation].Answers = append(sessions[a.Operation].Answers, a.Answer)
	}
	for _, operation := range slices.Sorted(maps.Keys(sessions)) {
		if _, err := f.Sessions.Submit(ctx, *sessions[operation]); err != nil {
			return err
		}
	}
	return nil
}

// checkLevels compares what is stored of a user with levels by operation and
// fact, and with the store's own proof.
func checkLevels(t *rapid.T, f *fixture, userID int64, want map[string]models.Level) {
	stats, err := f.Mastery.Weakest(ctx, userID, "", 1000)
	mustNot(t, err)
	got := map[string]models.Level{}
	for _, s := range stats {
		got[s.Operation+" "+s.Fact] = s.MasteryLevel
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("levels (-by hand +stored)\n%s", diff)
	}
	differences, err := f.Mastery.Verify(ctx, userID)
	mustNot(t, err)
	if len(differences) > 0 {
		t.Fatalf("the log says otherwise: %v", differences)
	}
}

func mustNot(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// From every level by every kind of step, the statement that adds one answer
// where the level stands gives what the fold gives, to the hundredth.
func TestMastery_EveryLevel(t *testing.T) {
	// The rule of this test: an answer's delta is its time, less a thousand.
	f := MustOpen(t, withRules(func(r *storage.Rules) {
		r.Mastery = func(_ *storage.Rules, _ bool, ms int64) models.Level { return models.Level(ms - 1000) }
	}))
	for _, delta := range []int64{100, 20, -50, -100, 0, 1, -1, 3, -7, 33, -67, 499, -499, 500, -500, 1000, -1000} {
		user := MustUser(t, f.Store, fmt.Sprint("by ", delta))
		var first, second []storage.Answer
		want := map[string]models.Level{}
		for level := range int64(501) {
			fact := fmt.Sprint(level, "+0")
			first = append(first, right(int(level), fact, 1000+level))
			second = append(second, right(1000+int(level), fact, 1000+delta))
			want[fact] = models.Level(min(500, max(0, level+delta)))
		}
		MustAppend(t, f.Store, user.ID, first...)
		MustAppend(t, f.Store, user.ID, second...)
		stats, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		got := map[string]models.Level{}
		for _, s := range stats {
			got[s.Fact] = s.MasteryLevel
		}
		equal(t, got, want)
		// And nothing is between two hundredths.
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM mastery_stats WHERE mastery_level <> round(mastery_level, 2)"), 0)
	}
	MustVerify(t, f.Store)
}
