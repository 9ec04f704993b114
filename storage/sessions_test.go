package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"

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

func TestSessions_Submit_Repeated(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	in := session(user.ID, 0, right(1, "8 + 7 = ?", 1500), wrong(2, "3 × 4", 900), right(3, "12 / 4", 700))
	want := MustSubmit(t, f.Store, in)
	want.Repeated = true
	newYork, err := time.LoadLocation("America/New_York")
	must(t, err)
	f.clock.Set(noon.Add(30 * 24 * time.Hour))

	for _, test := range []struct {
		name   string
		change func(*storage.Submission)
	}{
		{"Same", func(*storage.Submission) {}},
		{"OtherOrder", func(in *storage.Submission) { slices.Reverse(in.Answers) }},
		{"OtherSpelling", func(in *storage.Submission) {
			in.Operation = " Addition "
			in.Answers[0].Fact, in.Answers[1].Fact, in.Answers[2].Fact = "8+7", "3*4=?", "12÷4"
		}},
		{"OtherZone", func(in *storage.Submission) {
			in.StartedAt, in.EndedAt = in.StartedAt.In(newYork), in.EndedAt.In(newYork)
			in.Answers[0].At = in.Answers[0].At.In(newYork)
		}},
		{"PartsOfAMillisecond", func(in *storage.Submission) {
			in.StartedAt = in.StartedAt.Add(999 * time.Microsecond)
			in.EndedAt = in.EndedAt.Add(time.Nanosecond)
			in.Answers[0].At = in.Answers[0].At.Add(time.Microsecond)
		}},
		{"AnswerGivenTwice", func(in *storage.Submission) { in.Answers = append(in.Answers, in.Answers[1]) }},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			again := in
			again.Answers = slices.Clone(in.Answers)
			test.change(&again)
			MustNotChange(t, f, func() { equal(t, MustSubmit(t, f.Store, again), want) })
		})
	}
}

func TestSessions_Submit_ErrConflict(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	in := session(user.ID, 0, right(1, "8+7", 1500), wrong(2, "3+4", 900))
	MustSubmit(t, f.Store, in)
	MustAppend(t, f.Store, user.ID, right(50, "9+9", 100))

	for _, test := range []struct {
		name   string
		change func(*storage.Submission)
	}{
		{"Operation", func(in *storage.Submission) { in.Operation = "subtraction" }},
		{"Start", func(in *storage.Submission) { in.StartedAt = in.StartedAt.Add(-time.Millisecond) }},
		{"End", func(in *storage.Submission) { in.EndedAt = in.EndedAt.Add(time.Millisecond) }},
		{"Fact", func(in *storage.Submission) { in.Answers[0].Fact = "7+8" }},
		{"Correct", func(in *storage.Submission) { in.Answers[0].Correct = false }},
		{"ResponseTime", func(in *storage.Submission) { in.Answers[0].ResponseMS++ }},
		{"Time", func(in *storage.Submission) { in.Answers[0].At = in.Answers[0].At.Add(time.Millisecond) }},
		{"AnswerID", func(in *storage.Submission) { in.Answers[0].ID = right(9, "", 0).ID }},
		{"AnswerMissing", func(in *storage.Submission) { in.Answers = in.Answers[:1] }},
		{"AnswerMore", func(in *storage.Submission) { in.Answers = append(in.Answers, right(9, "1+1", 5)) }},
		{"User", func(in *storage.Submission) { in.UserID = other.ID }},
		{"AnswerOfAnotherSession", func(in *storage.Submission) { *in = session(user.ID, 1, in.Answers...) }},
		{"AnswerOfNoSession", func(in *storage.Submission) { *in = session(user.ID, 1, right(50, "9+9", 100)) }},
		{"TwoAnswersOneID", func(in *storage.Submission) {
			*in = session(user.ID, 1, right(7, "1+1", 5), right(7, "1+2", 5), right(7, "1+1", 5))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := in
			changed.Answers = slices.Clone(in.Answers)
			test.change(&changed)
			MustNotChange(t, f, func() {
				_, err := f.Sessions.Submit(ctx, changed)
				mustBe(t, err, storage.ErrConflict)
			})
		})
	}
	t.Run("OK/SameAnswerIDsOfAnotherUser", func(t *testing.T) {
		equal(t, MustSubmit(t, f.Store, session(other.ID, 0, in.Answers...)).XPEarned, 2)
	})
	t.Run("CoinsUnderTheIDOfAPurchase", func(t *testing.T) {
		item := MustItem(t, f.Store, "hat", "head", 10)
		again := session(user.ID, 2, right(60, "1+1", 0))
		MustPurchase(t, f.Store, user.ID, item.ID, again.ID)
		MustNotChange(t, f, func() {
			got, err := f.Sessions.Submit(ctx, again)
			mustBe(t, err, storage.ErrConflict)
			equal(t, got, storage.Receipt{}) // of nothing there is no receipt
		})
	})
}

func TestSessions_Submit_ErrInvalid(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	versionFour := models.ID{6: 0x40, 8: 0x80, 15: 1}
	before1970 := time.UnixMilli(-1)
	year10000 := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	noMilliseconds := time.Unix(1<<55, 0) // more of them than an int64 holds
	for _, test := range []struct {
		field  string
		change func(*storage.Submission)
	}{
		{"operation", func(in *storage.Submission) { in.Operation = " " }},
		{"operation", func(in *storage.Submission) { in.Operation = "long division" }},
		{"operation", func(in *storage.Submission) { in.Operation = "addition2" }},
		{"id", func(in *storage.Submission) { in.ID = models.ID{} }},
		{"id", func(in *storage.Submission) { in.ID = versionFour }},
		{"id", func(in *storage.Submission) { in.ID = idAt(noon.Add(5*time.Minute+time.Millisecond), 0) }},
		{"started_at", func(in *storage.Submission) { in.StartedAt = time.Time{} }},
		{"started_at", func(in *storage.Submission) { in.StartedAt = before1970 }},
		{"ended_at", func(in *storage.Submission) { in.EndedAt = in.StartedAt.Add(-time.Millisecond) }},
		{"ended_at", func(in *storage.Submission) { in.EndedAt = time.Time{} }},
		{"ended_at", func(in *storage.Submission) { in.EndedAt = noMilliseconds }},
		{"ended_at", func(in *storage.Submission) { in.EndedAt = year10000 }},
		{"started_at", func(in *storage.Submission) { in.StartedAt, in.EndedAt = year10000, year10000 }},
		{"answers", func(in *storage.Submission) { in.Answers = nil }},
		{"answers[1].id", func(in *storage.Submission) { in.Answers[1].ID = models.ID{} }},
		{"answers[1].id", func(in *storage.Submission) { in.Answers[1].ID = versionFour }},
		{"answers[1].id", func(in *storage.Submission) {
			in.Answers[1].ID = idAt(noon.Add(5*time.Minute+time.Millisecond), 0)
		}},
		{"answers[0].fact", func(in *storage.Submission) { in.Answers[0].Fact = "" }},
		{"answers[0].fact", func(in *storage.Submission) { in.Answers[0].Fact = " \t= ?" }},
		{"answers[0].fact", func(in *storage.Submission) { in.Answers[0].Fact = "8+\x007" }},
		{"answers[0].fact", func(in *storage.Submission) { in.Answers[0].Fact = "8+\xff7" }},
		{"answers[0].response_ms", func(in *storage.Submission) { in.Answers[0].ResponseMS = -1 }},
		{"answers[0].response_ms", func(in *storage.Submission) { in.Answers[0].ResponseMS = 1<<40 + 1 }},
		{"answers[0].at", func(in *storage.Submission) { in.Answers[0].At = time.Time{} }},
		{"answers[0].at", func(in *storage.Submission) { in.Answers[0].At = before1970 }},
	} {
		t.Run(test.field, func(t *testing.T) {
			in := session(user.ID, 0, right(1, "8+7", 1500), wrong(2, "3+4", 900))
			test.change(&in)
			MustNotChange(t, f, func() {
				_, err := f.Sessions.Submit(ctx, in)
				mustBeInvalid(t, err, test.field)
			})
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		MustNotChange(t, f, func() {
			_, err := f.Sessions.Submit(ctx, session(99, 0, right(1, "8+7", 1500)))
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		})
	})
}

// What the table above breaks by one step is right a step before.
func TestSessions_Submit_AtTheLimits(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	t.Run("OK/FiveMinutesAhead", func(t *testing.T) {
		in := session(user.ID, 0, right(1, "1+1", 0))
		in.ID, in.Answers[0].ID = idAt(noon.Add(5*time.Minute), 0), idAt(noon.Add(5*time.Minute), 1)
		MustSubmit(t, f.Store, in)
	})
	t.Run("OK/NoTimeAtAll", func(t *testing.T) {
		in := session(user.ID, 1, right(2, "1+1", 0))
		in.EndedAt = in.StartedAt
		MustSubmit(t, f.Store, in)
	})
	t.Run("OK/1970", func(t *testing.T) {
		in := session(user.ID, 2, right(3, "1+1", 0))
		in.StartedAt, in.Answers[0].At = time.UnixMilli(0), time.UnixMilli(0)
		MustSubmit(t, f.Store, in)
	})
	t.Run("OK/LongestAnswers", func(t *testing.T) {
		in := session(user.ID, 3, right(4, "2+2", 1<<40), right(5, "2+2", 1<<40))
		equal(t, MustSubmit(t, f.Store, in).AvgResponseMS, 1<<40)
		MustAppend(t, f.Store, user.ID, right(6, "2+2", 1))
	})
	t.Run("OK/AnyTime", func(t *testing.T) {
		f := MustOpen(t, withRules(func(r *storage.Rules) { r.ClockSkew = -1 }))
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "1+1", 0))
		in.ID = idAt(noon.AddDate(10, 0, 0), 0)
		MustSubmit(t, f.Store, in)
	})
}

func TestSessions_Submit_AfterAppend(t *testing.T) {
	answers := []storage.Answer{right(1, "8+7", 1500), wrong(2, "3+4", 900), right(3, "8+7", 700)}
	straight := MustOpen(t)
	user := MustUser(t, straight.Store, "ada")
	in := session(user.ID, 0, answers...)
	want := MustSubmit(t, straight.Store, in)
	booked := MustDump(t, straight.db)

	for _, test := range []struct {
		name     string
		appended []storage.Answer
	}{
		{"All", answers},
		{"Some", answers[1:2]},
		{"Backwards", []storage.Answer{answers[2], answers[0]}},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			f := MustOpen(t)
			MustUser(t, f.Store, "ada")
			for _, a := range test.appended {
				_, err := f.Answers.Append(ctx, user.ID, singles(in.ID, a)...)
				must(t, err)
			}
			equal(t, MustSubmit(t, f.Store, in), want)
			equal(t, withoutRandom(MustDump(t, f.db)), withoutRandom(booked))
		})
	}
	t.Run("OK/AppendBehind", func(t *testing.T) {
		MustNotChange(t, straight, func() {
			got, err := straight.Answers.Append(ctx, user.ID, singles(in.ID, answers...)...)
			must(t, err)
			equal(t, got, storage.AppendReceipt{Repeated: 3})
		})
	})
}

// withoutRandom leaves out what differs in two stores that booked the same.
func withoutRandom(dump map[string][]string) map[string][]string {
	delete(dump, "schema_migrations") // when they were applied
	delete(dump, "coin_ledger")       // the id of the welcome entry
	return dump
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
