package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// plausible opens with rules that take an answer of 200 ms or more, up to five
// seconds outside of its session, for a day.
var plausible = withRules(func(r *storage.Rules) {
	r.Plausibility = storage.Plausibility{FloorMS: 200, SessionSlack: 5 * time.Second, MaxAge: 24 * time.Hour}
})

// answeredAt returns an answer of the n-th second of the lesson, given at another
// time.
func answeredAt(n int, at time.Time) storage.Answer {
	a := right(n, "8+7", 900)
	a.At = at
	return a
}

// MustSetAside returns the reasons for which answers were set aside, by their
// ids, and looks at what else is said of them.
func MustSetAside(tb testing.TB, f *fixture, userID int64) map[models.ID]string {
	tb.Helper()
	rows, err := f.Answers.SetAside(ctx, userID, 1000)
	must(tb, err)
	reasons := map[models.ID]string{}
	for _, row := range rows {
		equal(tb, row.SetAsideAt, noon)
		reasons[row.ID] = row.Reason
	}
	equal(tb, len(reasons), len(rows))
	return reasons
}

// N9: each rule, at its limit and a step beyond.
func TestPlausibility(t *testing.T) {
	began := lesson
	ended := began.Add(30 * time.Second) // as session has it
	dayAgo := noon.Add(-24 * time.Hour)
	for _, test := range []struct {
		name   string
		answer storage.Answer
		change func(*storage.Submission)
		want   string
	}{
		{"AtTheFloor", right(1, "8+7", 200), nil, ""},
		{"TooFast", right(1, "8+7", 199), nil, storage.AsideTooFast},
		{"WrongTooFast", wrong(1, "8+7", 0), nil, storage.AsideTooFast},
		{"JustBefore", answeredAt(1, began.Add(-5*time.Second)), nil, ""},
		{"Before", answeredAt(1, began.Add(-5001*time.Millisecond)), nil, storage.AsideOutsideSession},
		{"JustAfter", answeredAt(1, ended.Add(5*time.Second)), nil, ""},
		{"After", answeredAt(1, ended.Add(5001*time.Millisecond)), nil, storage.AsideOutsideSession},
		{"ADayOld", answeredAt(1, dayAgo), func(in *storage.Submission) { in.StartedAt, in.EndedAt = dayAgo, dayAgo }, ""},
		{"TooOld", answeredAt(1, dayAgo.Add(-time.Millisecond)), func(in *storage.Submission) { in.StartedAt, in.EndedAt = dayAgo, dayAgo }, storage.AsideTooOld},
		{"SessionTooOld", answeredAt(1, dayAgo), func(in *storage.Submission) {
			in.StartedAt, in.EndedAt = dayAgo.Add(-time.Millisecond), dayAgo.Add(-time.Millisecond)
		}, storage.AsideTooOld},
		{"OldAndOutside", answeredAt(1, dayAgo.Add(-time.Hour)), nil, storage.AsideTooOld},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := MustOpen(t, plausible)
			user := MustUser(t, f.Store, "ada")
			in := session(user.ID, 0, test.answer)
			if test.change != nil {
				test.change(&in)
			}
			got := MustSubmit(t, f.Store, in)
			if test.want == "" {
				equal(t, []int64{got.TotalCount, got.SetAside}, []int64{1, 0})
				equal(t, MustSetAside(t, f, user.ID), nil)
				return
			}
			equal(t, got, storage.Receipt{SessionID: in.ID, UserID: user.ID, SetAside: 1})
			equal(t, MustSetAside(t, f, user.ID), map[models.ID]string{test.answer.ID: test.want})
		})
	}
	t.Run("Off", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 0), answeredAt(2, noon.AddDate(-1, 0, 0)), answeredAt(3, noon))
		equal(t, MustSubmit(t, f.Store, in).TotalCount, 3)
	})
}

// What is set aside is no part of anything; the rest is booked as if it were
// all.
func TestSessions_Submit_SetAside(t *testing.T) {
	f, plain := MustOpen(t, plausible), MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	equal(t, MustUser(t, plain.Store, "ada").ID, user.ID)
	kept := []storage.Answer{right(2, "8+7", 900), wrong(4, "3+4", 900), right(5, "3+4", 12000)}
	fast, late := right(1, "8 + 7 = ?", 199), answeredAt(9, lesson.Add(10*time.Minute))
	in := session(user.ID, 0, append(slices.Clone(kept), fast, wrong(3, "1+1", 0), late)...)
	got := MustSubmit(t, f.Store, in)
	want := MustSubmit(t, plain.Store, session(user.ID, 0, kept...))
	want.SetAside = 3
	equal(t, got, want)

	t.Run("OK/TheRestIsAll", func(t *testing.T) {
		equalStates(t, MustState(t, f, user.ID), MustState(t, plain, user.ID))
		_, err := f.Mastery.Fact(ctx, user.ID, "addition", "1+1")
		mustBe(t, err, storage.ErrNotFound)
		differences, err := f.Mastery.Verify(ctx, user.ID)
		must(t, err)
		equal(t, len(differences), 0)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/Listed", func(t *testing.T) {
		rows, err := f.Answers.SetAside(ctx, user.ID, 0)
		must(t, err)
		equal(t, len(rows), 3)
		equal(t, rows[2], models.SetAsideAnswer{
			AnswerEvent: models.AnswerEvent{
				UserID: user.ID, ID: fast.ID, SessionID: in.ID, Operation: "addition", Fact: "8+7",
				Correct: true, ResponseTimeMS: 199, CreatedAt: fast.At,
			},
			Reason: storage.AsideTooFast, SetAsideAt: noon,
		})
		equal(t, []string{rows[0].Reason, rows[1].Reason}, []string{storage.AsideOutsideSession, storage.AsideTooFast})
		rows, err = f.Answers.SetAside(ctx, user.ID, 1)
		must(t, err)
		equal(t, rows[0].ID, late.ID)
		rows, err = f.Answers.SetAside(ctx, user.ID+1, 0)
		must(t, err)
		equal(t, len(rows), 0)
		_, err = f.Answers.SetAside(ctx, user.ID, 1001)
		mustBeInvalid(t, err, "limit")
		counts, err := f.Answers.CountSetAside(ctx)
		must(t, err)
		equal(t, counts, map[string]int64{storage.AsideTooFast: 2, storage.AsideOutsideSession: 1})
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		want.Repeated = true
		again := in
		again.Answers = slices.Clone(in.Answers)
		slices.Reverse(again.Answers)
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, f.Store, again), want)
			equal(t, MustSubmit(t, another(t, f).Store, in), want) // without rules
			got, err := f.Answers.Append(ctx, user.ID, singles(in.ID, fast, kept[0], fast)...)
			must(t, err)
			equal(t, got, storage.AppendReceipt{Repeated: 1, SetAside: 2})
		})
	})
	t.Run("ErrConflict", func(t *testing.T) { mustConflict(t, f, in) })
	t.Run("ErrConflict/OfTheAnswer", func(t *testing.T) {
		slower := fast
		slower.ResponseMS = 900
		MustNotChange(t, f, func() {
			_, err := f.Sessions.Submit(ctx, session(user.ID, 1, right(70, "1+1", 900), fast))
			mustBe(t, err, storage.ErrConflict)
			for _, answers := range [][]storage.SingleAnswer{singles(in.ID, slower), singles(models.ID{}, fast), singles(in.ID, right(80, "1+1", 900), slower)} {
				_, err = f.Answers.Append(ctx, user.ID, answers...)
				mustBe(t, err, storage.ErrConflict)
			}
		})
	})
	t.Run("OK/OfAnotherUser", func(t *testing.T) {
		bob := MustUser(t, f.Store, "bob")
		equal(t, MustSubmit(t, f.Store, session(bob.ID, 0, in.Answers...)).SetAside, 3)
		equal(t, len(MustSetAside(t, f, bob.ID)), 3)
	})
}

// mustConflict fails unless all that differs from a session is refused under
// its id, and changes nothing.
func mustConflict(t *testing.T, f *fixture, in storage.Submission) {
	t.Helper()
	for name, change := range map[string]func(*storage.Submission){
		"Operation":     func(in *storage.Submission) { in.Operation = "subtraction" },
		"Start":         func(in *storage.Submission) { in.StartedAt = in.StartedAt.Add(-time.Millisecond) },
		"End":           func(in *storage.Submission) { in.EndedAt = in.EndedAt.Add(time.Millisecond) },
		"Fact":          func(in *storage.Submission) { in.Answers[len(in.Answers)-1].Fact = "7+8" },
		"Slower":        func(in *storage.Submission) { in.Answers[len(in.Answers)-1].ResponseMS = 950 },
		"AnswerMissing": func(in *storage.Submission) { in.Answers = in.Answers[1:] },
		"AnswerMore":    func(in *storage.Submission) { in.Answers = append(in.Answers, right(29, "1+1", 900)) },
		"AllOthers":     func(in *storage.Submission) { in.Answers = []storage.Answer{right(29, "1+1", 900)} },
		"User":          func(in *storage.Submission) { in.UserID = MustGetOrCreate(t, f, "eve").ID },
	} {
		t.Run(name, func(t *testing.T) {
			changed := in
			changed.Answers = slices.Clone(in.Answers)
			change(&changed)
			if len(changed.Answers) == 0 {
				t.Skip("it has one answer, and a session without any is invalid")
			}
			MustNotChange(t, f, func() {
				_, err := f.Sessions.Submit(ctx, changed)
				mustBe(t, err, storage.ErrConflict)
				_, err = another(t, f).Sessions.Submit(ctx, changed) // without rules
				mustBe(t, err, storage.ErrConflict)
			})
		})
	}
}

// MustGetOrCreate returns the user of that uid.
func MustGetOrCreate(tb testing.TB, f *fixture, uid string) models.User {
	tb.Helper()
	user, err := f.Users.Ensure(ctx, storage.NewUser{UID: uid})
	must(tb, err)
	return user
}

// A session of which nothing remains has no row and brings nothing; its id is
// taken all the same.
func TestSessions_Submit_NothingRemains(t *testing.T) {
	f := MustOpen(t, plausible)
	user := MustUser(t, f.Store, "ada")
	MustGetOrCreate(t, f, "eve")
	sent := right(1, "1+1", 100)
	in := session(user.ID, 0, right(2, "8+7", 0), sent, wrong(3, "8+7", 199))
	want := storage.Receipt{SessionID: in.ID, UserID: user.ID, SetAside: 3}
	booked := []string{"users", "sessions", "answer_events", "mastery_stats", "rollup_queue", "seasons", "league_participants", "coin_ledger"}
	before := MustDump(t, f.db)
	got, err := f.Answers.Append(ctx, user.ID, singles(in.ID, sent)...) // one ahead
	must(t, err)
	equal(t, got, storage.AppendReceipt{SetAside: 1})
	equal(t, MustSubmit(t, f.Store, in), want)
	after := MustDump(t, f.db)
	for _, table := range booked {
		equal(t, after[table], before[table])
	}
	equal(t, len(MustSetAside(t, f, user.ID)), 3)

	t.Run("OK/Repeated", func(t *testing.T) {
		want := want
		want.Repeated = true
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, f.Store, in), want)
			must(t, f.db.Transaction(func(tx *gorm.DB) error {
				equal(t, MustSubmit(t, f.In(tx), in), want)
				return nil
			}))
			got, err := f.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers...)...)
			must(t, err)
			equal(t, got, storage.AppendReceipt{SetAside: 3})
		})
	})
	t.Run("ErrConflict", func(t *testing.T) {
		// The season of the one without rules.
		_, err := f.Leagues.BookXP(ctx, user.ID, 0, in.EndedAt)
		must(t, err)
		mustConflict(t, f, in)
	})
	t.Run("OK/RepeatedWithoutRules", func(t *testing.T) {
		want := want
		want.Repeated = true
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, another(t, f).Store, in), want)
		})
	})
	t.Run("OK/AnotherSession", func(t *testing.T) {
		other := session(user.ID, 1, right(60, "8+7", 199))
		equal(t, MustSubmit(t, f.Store, other), storage.Receipt{SessionID: other.ID, UserID: user.ID, SetAside: 1})
		mustConflict(t, f, other)
	})
}

// Without its wrong answers a session may bring more than with them.
func TestSessions_Submit_SetAside_Wrong(t *testing.T) {
	f := MustOpen(t, plausible)
	user := MustUser(t, f.Store, "ada")
	MustSubmit(t, f.Store, session(user.ID, 0, right(1, "1+1", 900)))
	got := MustSubmit(t, f.Store, session(user.ID, 1, right(61, "1+1", 2000), wrong(62, "1+1", 10)))
	equal(t, []int64{got.XPEarned, got.CoinsEarned, got.SetAside}, []int64{2, 1, 1})
	equal(t, MustGet(t, f.Store, user.ID).Coins, 103)
	MustReconcile(t, f.Store)
}

// A rule is for what comes when it is on; what was booked stays booked and what
// was set aside stays there.
func TestPlausibility_Switched(t *testing.T) {
	t.Run("On", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 0))
		next := session(user.ID, 1, right(61, "8+7", 0), right(62, "8+7", 0))
		want := MustSubmit(t, f.Store, in)
		_, err := f.Answers.Append(ctx, user.ID, singles(next.ID, next.Answers[0])...)
		must(t, err)
		on := MustOpen(t, plausible, func(s *setup) { s.path = f.path })
		want.Repeated = true
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, on.Store, in), want)
			got, err := on.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers...)...)
			must(t, err)
			equal(t, got, storage.AppendReceipt{Repeated: 2})
		})
		got := MustSubmit(t, on.Store, next)
		equal(t, []int64{got.TotalCount, got.XPEarned, got.SetAside}, []int64{1, 4, 1})
		equal(t, MustSetAside(t, on, user.ID), map[models.ID]string{next.Answers[1].ID: storage.AsideTooFast})
	})
	t.Run("Off", func(t *testing.T) {
		on := MustOpen(t, plausible)
		user := MustUser(t, on.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 0), right(3, "8+7", 0))
		_, err := on.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers[1])...)
		must(t, err)
		off := another(t, on)
		MustNotChange(t, on, func() {
			got, err := off.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers[1])...)
			must(t, err)
			equal(t, got, storage.AppendReceipt{SetAside: 1})
		})
		got := MustSubmit(t, off.Store, in)
		equal(t, []int64{got.TotalCount, got.XPEarned, got.SetAside}, []int64{2, 8, 1})
		equal(t, len(MustSetAside(t, on, user.ID)), 1)
	})
	t.Run("Old", func(t *testing.T) { // as time goes on
		f := MustOpen(t, plausible)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 900))
		sent := right(3, "8+7", 900)
		MustAppend(t, f.Store, user.ID, sent)
		want := MustSubmit(t, f.Store, in)
		want.Repeated = true
		f.clock.Set(noon.Add(48 * time.Hour))
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, f.Store, in), want)
			equal(t, MustAppend(t, f.Store, user.ID, sent), storage.AppendReceipt{Repeated: 1})
		})
	})
}

// What was appended and booked stays booked, and counts.
func TestSessions_Submit_SetAside_AfterAppend(t *testing.T) {
	t.Run("OK/OutsideOfTheSession", func(t *testing.T) {
		f := MustOpen(t, plausible)
		user := MustUser(t, f.Store, "ada")
		sent, unsent := answeredAt(1, lesson.Add(10*time.Minute)), answeredAt(2, lesson.Add(10*time.Minute))
		in := session(user.ID, 0, sent, unsent)
		_, err := f.Answers.Append(ctx, user.ID, singles(in.ID, sent)...)
		must(t, err)
		got := MustSubmit(t, f.Store, in)
		equal(t, []int64{got.TotalCount, got.XPEarned, got.SetAside, got.SeasonID}, []int64{1, 4, 1, thisSeason})
		equal(t, MustSetAside(t, f, user.ID), map[models.ID]string{unsent.ID: storage.AsideOutsideSession})
	})
	t.Run("OK/AllDoubted", func(t *testing.T) {
		f := MustOpen(t, plausible)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 900))
		_, err := f.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers...)...)
		must(t, err)
		f.clock.Set(noon.Add(48 * time.Hour)) // a client was offline meanwhile
		got := MustSubmit(t, f.Store, in)
		equal(t, []int64{got.TotalCount, got.XPEarned, got.SetAside, got.SeasonID}, []int64{2, 8, 0, thisSeason})
	})
	// With answers that were appended as they were given, no session can be
	// told of a week long ago.
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t, plausible)
		user := MustUser(t, f.Store, "ada")
		in := session(user.ID, 0, right(0, "8+7", 900), right(2, "8+7", 900))
		in.StartedAt = lesson.Add(-25 * time.Hour)
		in.EndedAt = lesson.Add(-24*time.Hour - time.Millisecond)
		_, err := f.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers[0])...)
		must(t, err)
		MustNotChange(t, f, func() {
			_, err := f.Sessions.Submit(ctx, in)
			mustBeInvalid(t, err, "ended_at")
		})
		in.EndedAt = in.EndedAt.Add(time.Millisecond)
		got := MustSubmit(t, f.Store, in)
		equal(t, []int64{got.TotalCount, got.SetAside}, []int64{1, 1})
	})
}

func TestAnswers_Append_SetAside(t *testing.T) {
	f := MustOpen(t, plausible)
	user := MustUser(t, f.Store, "ada")
	fast := right(2, "1+1", 10)
	want := storage.AppendReceipt{Booked: 2, SetAside: 2}
	equal(t, MustAppend(t, f.Store, user.ID, right(1, "1+1", 900), fast, answeredAt(3, noon.Add(-25*time.Hour)), right(4, "1+1", 900)), want)
	equal(t, MustSetAside(t, f, user.ID), map[models.ID]string{fast.ID: storage.AsideTooFast, right(3, "", 0).ID: storage.AsideTooOld})
	stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "1+1")
	must(t, err)
	equal(t, stat.Attempts, 2)
	t.Run("OK/AllOfIt", func(t *testing.T) {
		bob := MustUser(t, f.Store, "bob")
		equal(t, MustAppend(t, f.Store, bob.ID, fast, fast), storage.AppendReceipt{SetAside: 2})
		equal(t, MustAppend(t, f.Store, bob.ID, fast), storage.AppendReceipt{SetAside: 1})
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM rollup_queue"), 1)
	})
	t.Run("ErrConflict", func(t *testing.T) {
		slower := fast
		slower.ResponseMS = 900
		MustNotChange(t, f, func() {
			for _, answers := range [][]storage.Answer{{slower}, {right(7, "1+1", 900), slower}, {right(8, "2+2", 10), right(8, "2+2", 900)}} {
				_, err := f.Answers.Append(ctx, user.ID, singles(models.ID{}, answers...)...)
				mustBe(t, err, storage.ErrConflict)
			}
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		MustNotChange(t, f, func() {
			_, err := f.Answers.Append(ctx, 99, singles(models.ID{}, fast)...)
			mustBe(t, err, storage.ErrNotFound)
			_, err = f.Sessions.Submit(ctx, session(99, 0, fast))
			mustBe(t, err, storage.ErrNotFound)
		})
	})
}

// N17: sessions with answers that are too fast, too old or outside of them, in
// every order, some answers ahead of them, all of it twice.
func TestArrival_SetAside(t *testing.T) {
	f := MustOpen(t, plausible)
	var want state
	var wantAside map[models.ID]string
	for i, order := range permutations(4) {
		user := MustUser(t, f.Store, fmt.Sprint("user ", order))
		sessions := []storage.Submission{
			session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 10), wrong(3, "1+1", 900)),
			session(user.ID, 1, right(61, "8+7", 10), wrong(62, "8+7", 199)), // nothing remains
			session(user.ID, 2, right(121, "8+7", 900), answeredAt(122, noon.Add(-25*time.Hour)), right(300, "8+7", 900)),
			session(user.ID, 3, wrong(181, "8+7", 900), right(182, "1+1", 900), wrong(183, "1+1", 0)),
		}
		for range 2 {
			for _, n := range order {
				if (n+i)%2 == 0 { // a client that sends some ahead
					_, err := f.Answers.Append(ctx, user.ID, singles(sessions[n].ID, sessions[n].Answers[:2]...)...)
					must(t, err)
				}
				receipt := MustSubmit(t, f.Store, sessions[n])
				equal(t, receipt.SetAside, []int64{1, 2, 2, 1}[n])
				equal(t, receipt.TotalCount+receipt.SetAside, int64(len(sessions[n].Answers)))
			}
		}
		got, gotAside := MustState(t, f, user.ID), MustSetAside(t, f, user.ID)
		if i == 0 {
			want, wantAside = got, gotAside
		}
		equalStates(t, got, want)
		equal(t, gotAside, wantAside)
	}
	equal(t, len(want.Sessions), 3)
	equal(t, len(want.Answers), 5)
	equal(t, len(wantAside), 6)
	equal(t, want.User.TotalXP, 2+4+2)
	MustReconcile(t, f.Store)
}

// In a transaction of the caller's it commits and rolls back with it.
func TestStore_In_SetAside(t *testing.T) {
	f := MustOpen(t, plausible)
	user := MustUser(t, f.Store, "ada")
	in := session(user.ID, 0, right(1, "8+7", 900), right(2, "8+7", 0))
	lost := session(user.ID, 1, right(61, "8+7", 0))
	everything := func(tx *gorm.DB) error {
		inside := f.In(tx)
		got, err := inside.Answers.Append(ctx, user.ID, singles(in.ID, in.Answers[1])...)
		must(t, err)
		equal(t, got, storage.AppendReceipt{SetAside: 1})
		for _, repeated := range []bool{false, true} {
			for _, in := range []storage.Submission{in, lost} {
				receipt := MustSubmit(t, inside, in)
				equal(t, receipt.SetAside, 1)
				equal(t, receipt.Repeated, repeated)
			}
		}
		rows, err := inside.Answers.SetAside(ctx, user.ID, 0)
		must(t, err)
		equal(t, len(rows), 2)
		return nil
	}
	stop := errors.New("stop")
	MustNotChange(t, f, func() {
		mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
			must(t, everything(tx))
			return stop
		}), stop)
	})
	must(t, f.db.Transaction(everything))
	equal(t, MustGet(t, f.Store, user.ID).TotalXP, 4)
	equal(t, len(MustSetAside(t, f, user.ID)), 2)
}

// Many send the same at once, to two stores on one database.
func TestSetAside_AtOnce(t *testing.T) {
	f := MustOpen(t, plausible)
	stores := []*fixture{f, MustOpen(t, plausible, func(s *setup) { s.path = f.path })}
	users := MustUsers(t, f, 4)
	const each = 6
	must(t, errors.Join(atOnce(24, func(i int) error {
		s, user := stores[i%2], users[i/2%len(users)].ID
		for n := range each {
			at := 60 * n
			in := session(user, n, right(at, "8+7", 900), right(at+1, "1+1", 900), right(at+2, "8+7", 10))
			if n%3 == 0 {
				in.Answers = in.Answers[2:] // nothing remains
			}
			_, appended := s.Answers.Append(ctx, user, singles(in.ID, in.Answers[len(in.Answers)-1])...)
			receipt, err := s.Sessions.Submit(ctx, in)
			if err = errors.Join(appended, err); err != nil {
				return err
			}
			if receipt.SetAside != 1 || receipt.TotalCount != int64(len(in.Answers)-1) {
				return fmt.Errorf("session %d: %+v", n, receipt)
			}
		}
		return nil
	})...))
	for _, user := range users {
		equal(t, len(MustSetAside(t, f, user.ID)), each)
		stored := MustGet(t, f.Store, user.ID)
		equal(t, []int64{stored.TotalXP, stored.Coins}, []int64{4 * 8, 100 + 4*4})
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
		must(t, err)
		equal(t, stat.Attempts, 4)
	}
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM answer_events JOIN answers_set_aside USING (user_id, id)"), 0)
	MustReconcile(t, f.Store)
}

// T26: more variables than one statement binds.
func TestSetAside_TenThousandAnswers(t *testing.T) {
	f := MustOpen(t, plausible)
	user := MustUser(t, f.Store, "ada")
	answers := make([]storage.Answer, 10000)
	for i := range answers {
		answers[i] = right(0, fmt.Sprintf("%d+%d", i%50, i%50), int64(100+i%2*100))
		answers[i].ID = idAt(lesson, int64(i))
	}
	in := session(user.ID, 0, answers...)
	want := MustSubmit(t, f.Store, in)
	equal(t, []int64{want.TotalCount, want.SetAside, want.XPEarned}, []int64{5000, 5000, 20000})
	want.Repeated = true
	equal(t, MustSubmit(t, f.Store, in), want)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM answers_set_aside"), 5000)
}
