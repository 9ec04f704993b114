package storage_test

import (
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// N1: the session's id is the key.
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
		{"answers[0].fact", func(in *storage.Submission) { in.Answers[0].Fact = tooLong }},
		{"operation", func(in *storage.Submission) { in.Operation = tooLong }},
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
