package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// S14, S16, S30: one call, one commit.
func TestSessions_Submit(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	in := session(user.ID, 0,
		right(1, "8 + 7 = ?", 1500), // 4
		right(2, "8 + 7", 5000),     // 2
		wrong(3, "3 + 4", 900),      // -2
		right(4, "3 + 4", 12000),    // 1
		right(5, "1 + 1", 100))      // 4
	receipt := MustSubmit(t, f.Store, in)

	t.Run("Receipt", func(t *testing.T) {
		equal(t, receipt, storage.Receipt{
			SessionID: in.ID, UserID: user.ID, TotalCount: 5, CorrectCount: 4, AvgResponseMS: 3900,
			XPEarned: 9, CoinsEarned: 4, SeasonID: thisSeason,
		})
	})
	t.Run("Session", func(t *testing.T) {
		got, err := f.Sessions.Recent(ctx, user.ID, 0)
		must(t, err)
		equal(t, got, []models.Session{{
			UserID: user.ID, ID: in.ID, Operation: "addition", StartedAt: in.StartedAt, EndedAt: in.EndedAt,
			TotalCount: 5, CorrectCount: 4, AvgResponseMS: 3900, XPEarned: 9, CoinsEarned: 4,
			SeasonID: thisSeason, CreatedAt: in.ID.Time(),
		}}, cmpopts.IgnoreFields(models.Session{}, "PayloadHash"))
		equal(t, len(got[0].PayloadHash), 32)
	})
	t.Run("Answers", func(t *testing.T) {
		got, err := f.Answers.Recent(ctx, user.ID, 0)
		must(t, err)
		slices.Reverse(got)
		facts := []string{"8+7", "8+7", "3+4", "3+4", "1+1"}
		equal(t, len(got), len(facts))
		for i, a := range in.Answers {
			equal(t, got[i], models.AnswerEvent{
				UserID: user.ID, ID: a.ID, SessionID: in.ID, Operation: "addition", Fact: facts[i],
				Correct: a.Correct, ResponseTimeMS: a.ResponseMS, CreatedAt: a.At,
			})
		}
	})
	t.Run("Mastery", func(t *testing.T) {
		got, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		equal(t, got, []models.MasteryStat{
			{
				UserID: user.ID, Operation: "addition", Fact: "1+1", MasteryLevel: 100, LastDelta: 100,
				LastAnswerID: in.Answers[4].ID, Attempts: 1, CorrectCount: 1,
				TotalResponseMS: 100, LastResponseTime: 100, UpdatedAt: in.Answers[4].At,
			},
			{
				UserID: user.ID, Operation: "addition", Fact: "3+4", MasteryLevel: 100, LastDelta: 100,
				LastAnswerID: in.Answers[3].ID, Attempts: 2, CorrectCount: 1,
				TotalResponseMS: 12900, LastResponseTime: 12000, UpdatedAt: in.Answers[3].At,
			},
			{
				UserID: user.ID, Operation: "addition", Fact: "8+7", MasteryLevel: 200, LastDelta: 100,
				LastAnswerID: in.Answers[1].ID, Attempts: 2, CorrectCount: 2,
				TotalResponseMS: 6500, LastResponseTime: 5000, UpdatedAt: in.Answers[1].At,
			},
		})
	})
	t.Run("User", func(t *testing.T) {
		want := user
		want.TotalXP, want.Coins = 9, 104
		equal(t, MustGet(t, f.Store, user.ID), want)
	})
	t.Run("Ledger", func(t *testing.T) {
		got, err := f.Coins.Ledger(ctx, user.ID, 0, 1)
		must(t, err)
		equal(t, got, []models.CoinEntry{{
			UserID: user.ID, Seq: 2, EntryID: in.ID, Delta: 4, BalanceAfter: 104,
			Reason: storage.ReasonSession, Reference: in.ID.String(), CreatedAt: noon,
		}})
		MustReconcile(t, f.Store)
	})
	t.Run("League", func(t *testing.T) {
		got, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, got, storage.Standing{
			Rank: 1, UserID: user.ID, UID: "ada", Name: user.Name, LeagueID: 1, WeeklyXP: 9, ReachedAt: in.EndedAt,
		})
	})
	t.Run("RollupQueue", func(t *testing.T) {
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM rollup_queue WHERE user_id = ?", user.ID), 1)
	})
}

func TestSessions_Submit_XP(t *testing.T) {
	f := MustOpen(t)
	fast := func(n int) []storage.Answer {
		answers := make([]storage.Answer, n)
		for i := range answers {
			answers[i] = right(i, "1+1", 0)
		}
		return answers
	}
	for i, test := range []struct {
		name      string
		answers   []storage.Answer
		xp, coins int64
	}{
		{"0 ms", []storage.Answer{right(0, "1+1", 0)}, 4, 2},
		{"1999 ms", []storage.Answer{right(0, "1+1", 1999)}, 4, 2},
		{"2000 ms", []storage.Answer{right(0, "1+1", 2000)}, 2, 1},
		{"10000 ms", []storage.Answer{right(0, "1+1", 10000)}, 2, 1},
		{"10001 ms", []storage.Answer{right(0, "1+1", 10001)}, 1, 0},
		{"Odd", append(fast(1), right(1, "1+1", 10001)), 5, 2},
		{"WrongFast", append(fast(3), wrong(3, "1+1", 1)), 10, 5},
		{"WrongSlow", append(fast(3), wrong(3, "1+1", 10001)), 10, 5},
		{"Zero", append(fast(1), wrong(1, "1+1", 1), wrong(2, "1+1", 1)), 0, 0},
		{"NeverBelowZero", []storage.Answer{wrong(0, "1+1", 1), wrong(1, "1+1", 1)}, 0, 0},
		// It is the sum that is kept at 0, not each step.
		{"DebtFirst", append([]storage.Answer{wrong(8, "1+1", 1), wrong(9, "1+1", 1)}, fast(2)...), 4, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			user := MustUser(t, f.Store, test.name)
			receipt := MustSubmit(t, f.Store, session(user.ID, i, test.answers...))
			equal(t, receipt.XPEarned, test.xp)
			equal(t, receipt.CoinsEarned, test.coins)
			stored := MustGet(t, f.Store, user.ID)
			equal(t, stored.TotalXP, test.xp)
			equal(t, stored.Coins, 100+test.coins)
			// Nothing earned, nothing in the ledger.
			entries := MustInt(t, f.db, "SELECT count(*) FROM coin_ledger WHERE user_id = ?", user.ID)
			equal(t, entries, 1+min(test.coins, 1))
		})
	}
	MustReconcile(t, f.Store)
}

func TestSessions_Submit_AverageIsRounded(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	for i, test := range []struct{ first, second, third, want int64 }{
		{1000, 1000, 1001, 1000},
		{1000, 1001, 1001, 1001},
		{0, 0, 1, 0},
		{0, 1, 1, 1},
	} {
		n := 10 * i
		receipt := MustSubmit(t, f.Store, session(user.ID, i,
			right(n, "1+1", test.first), right(n+1, "1+1", test.second), right(n+2, "1+1", test.third)))
		equal(t, receipt.AvgResponseMS, test.want)
	}
}

func TestSessions_Submit_Level(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	for i, test := range []struct{ xp, level int64 }{{999, 1}, {1000, 2}, {1999, 2}, {2000, 3}} {
		MustExec(t, f.db, "UPDATE users SET total_xp = ? WHERE id = ?", test.xp-1, user.ID)
		MustSubmit(t, f.Store, session(user.ID, i, right(i, "1+1", 10001)))
		got := MustGet(t, f.Store, user.ID)
		equal(t, got.TotalXP, test.xp)
		equal(t, got.Level, test.level)
	}
}

// The season is that of the session's end.
func TestSessions_Submit_Season(t *testing.T) {
	bell := time.Date(2026, 5, 10, 4, 0, 0, 0, time.UTC) // Sunday, 00:00 in New York
	for _, test := range []struct {
		name   string
		ended  time.Time
		season int64
	}{
		{"BeforeTheBell", bell.Add(-time.Millisecond), 20260503},
		{"AtTheBell", bell, 20260510},
		{"AcrossTheBell", bell.Add(time.Minute), 20260510},
		{"LongAgo", bell.AddDate(-1, 0, 0), 20250504},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := MustOpen(t)
			user := MustUser(t, f.Store, "ada")
			in := session(user.ID, 0, right(0, "1+1", 0))
			in.StartedAt, in.EndedAt = test.ended.Add(-2*time.Minute), test.ended
			equal(t, MustSubmit(t, f.Store, in).SeasonID, test.season)
			standing, err := f.Leagues.Rank(ctx, test.season, user.ID)
			must(t, err)
			equal(t, standing.WeeklyXP, 4)
			equal(t, MustInt(t, f.db, "SELECT count(*) FROM league_participants"), 1)
		})
	}
}

func TestSessions_Submit_LastActive(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	f.clock.Set(noon.Add(24 * time.Hour))
	late := session(user.ID, 24*60, right(24*3600, "1+1", 0))
	MustSubmit(t, f.Store, late)
	MustSubmit(t, f.Store, session(user.ID, 0, right(0, "1+1", 0)))
	equal(t, MustGet(t, f.Store, user.ID).LastActiveAt, late.EndedAt)
}

// T26: more variables than one statement binds.
func TestSessions_Submit_TenThousandAnswers(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	answers := make([]storage.Answer, 10000)
	for i := range answers {
		answers[i] = right(i, fmt.Sprintf("%d+%d", i%5000, i%5000), 500)
	}
	in := session(user.ID, 0, answers...)
	f.clock.Set(noon.Add(24 * time.Hour)) // they take their time
	receipt := MustSubmit(t, f.Store, in)
	equal(t, receipt.TotalCount, 10000)
	equal(t, receipt.XPEarned, 40000)
	equal(t, receipt.CoinsEarned, 20000)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM answer_events"), 10000)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM mastery_stats WHERE attempts = 2 AND mastery_level = 2"), 5000)
	equal(t, MustGet(t, f.Store, user.ID).Level, 41)

	again := MustSubmit(t, f.Store, in)
	receipt.Repeated = true
	equal(t, again, receipt)
}

func TestSessions_Submit_AtOnce(t *testing.T) {
	t.Run("OneSession", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 1500))
		repeated := make([]bool, 16)
		must(t, errors.Join(atOnce(len(repeated), func(i int) error {
			receipt, err := f.Sessions.Submit(ctx, in)
			repeated[i] = receipt.Repeated
			return err
		})...))
		first := slices.DeleteFunc(repeated, func(again bool) bool { return again })
		equal(t, len(first), 1)
		equal(t, MustGet(t, f.Store, user.ID).TotalXP, 4)
	})
	t.Run("ManySessions", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		must(t, errors.Join(atOnce(64, func(i int) error {
			_, err := f.Sessions.Submit(ctx, session(user.ID, -i, right(2*i, "8+7", 0), wrong(2*i+1, "8+7", 0), right(1000+i, "1+1", 0)))
			return err
		})...))
		got := MustGet(t, f.Store, user.ID)
		equal(t, got.TotalXP, 64*6)
		equal(t, got.Coins, 100+64*3)
		standing, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, standing.WeeklyXP, 64*6)
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
		must(t, err)
		equal(t, stat.Attempts, 128)
		equal(t, stat.MasteryLevel, 0) // right, wrong, right, wrong, in the order of the ids
		MustReconcile(t, f.Store)
	})
}

func TestSessions_Submit_Cancelled(t *testing.T) {
	t.Run("Before", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustNotChange(t, f, func() {
			ended, cancel := context.WithCancel(ctx)
			cancel()
			_, err := f.Sessions.Submit(ended, session(user.ID, 0, right(1, "8+7", 0)))
			mustBe(t, err, context.Canceled)
		})
	})
	t.Run("Halfway", func(t *testing.T) {
		halfway, cancel := context.WithCancel(ctx)
		// Mastery is asked when the session and its answers are written.
		f := MustOpen(t, withRules(func(r *storage.Rules) {
			r.Mastery = func(*storage.Rules, bool, int64) models.Level { cancel(); return 0 }
		}))
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 0))
		MustNotChange(t, f, func() {
			_, err := f.Sessions.Submit(halfway, in)
			mustBe(t, err, context.Canceled)
		})
		equal(t, MustSubmit(t, f.Store, in).Repeated, false)
	})
}

// S10.
func TestSessions_Recent(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	for _, n := range []int{2, 0, 3, 1} {
		MustSubmit(t, f.Store, session(user.ID, n, right(n, "1+1", 0)))
		MustSubmit(t, f.Store, session(other.ID, n, right(n, "1+1", 0)))
	}
	for _, test := range []struct {
		limit int
		want  []int
	}{{0, []int{3, 2, 1, 0}}, {2, []int{3, 2}}, {1000, []int{3, 2, 1, 0}}} {
		t.Run(fmt.Sprintf("OK/%d", test.limit), func(t *testing.T) {
			got, err := f.Sessions.Recent(ctx, user.ID, test.limit)
			must(t, err)
			equal(t, len(got), len(test.want))
			for i, n := range test.want {
				equal(t, got[i].ID, session(user.ID, n).ID)
			}
		})
	}
	t.Run("OK/Nobody", func(t *testing.T) {
		got, err := f.Sessions.Recent(ctx, 99, 0)
		must(t, err)
		equal(t, got, nil)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Sessions.Recent(ctx, user.ID, limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}
