package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func TestAnswers_Append(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		a := right(1, " 8 x 7 = ?", 1500)
		got, err := f.Answers.Append(ctx, user.ID, storage.SingleAnswer{Answer: a, Operation: " Multiplication"})
		must(t, err)
		equal(t, got, storage.AppendReceipt{Booked: 1})
		log, err := f.Answers.Recent(ctx, user.ID, 0)
		must(t, err)
		equal(t, log, []models.AnswerEvent{{
			UserID: user.ID, ID: a.ID, Operation: "multiplication", Fact: "8×7",
			Correct: true, ResponseTimeMS: 1500, CreatedAt: a.At,
		}})
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM answer_events WHERE session_id IS NULL"), 1)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM rollup_queue"), 1)
		stat, err := f.Mastery.Fact(ctx, user.ID, "multiplication", "8*7")
		must(t, err)
		equal(t, stat.MasteryLevel, models.LevelStep)
		// XP and coins come with the session.
		equal(t, MustGet(t, f.Store, user.ID), user)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM league_participants"), 0)
	})
	t.Run("OK/Mixed", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		answers := singles(models.ID{}, right(3, "1+1", 10), right(1, "1+1", 20), right(2, "2-1", 30))
		answers[2].Operation = "subtraction"
		got, err := f.Answers.Append(ctx, user.ID, answers...)
		must(t, err)
		equal(t, got, storage.AppendReceipt{Booked: 3})
		added, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		equal(t, len(added), 1)
		equal(t, added[0].LastResponseTime, 10)
		subtracted, err := f.Mastery.Operation(ctx, user.ID, "subtraction")
		must(t, err)
		equal(t, len(subtracted), 1)
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		first, second := right(1, "1+1", 10), right(2, "1+1", 10)
		equal(t, MustAppend(t, f.Store, user.ID, first), storage.AppendReceipt{Booked: 1})
		MustNotChange(t, f, func() {
			equal(t, MustAppend(t, f.Store, user.ID, first), storage.AppendReceipt{Repeated: 1})
		})
		first.Fact = "1 + 1 ="
		first.At = first.At.In(time.FixedZone("", 3600)).Add(999 * time.Microsecond)
		equal(t, MustAppend(t, f.Store, user.ID, second, first, second), storage.AppendReceipt{Booked: 1, Repeated: 2})
		equal(t, MustInt(t, f.db, "SELECT attempts FROM mastery_stats"), 2)
	})
	t.Run("OK/TenThousand", func(t *testing.T) { // T26
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		f.clock.Set(noon.Add(24 * time.Hour))
		answers := make([]storage.Answer, 10000)
		for i := range answers {
			answers[i] = right(i+1, fmt.Sprintf("%d+%d", i%4000, i%4000), 5)
		}
		equal(t, MustAppend(t, f.Store, user.ID, answers...), storage.AppendReceipt{Booked: 10000})
		// One answer behind each: every fact is folded again.
		for i := range answers[:4000] {
			answers[i] = wrong(i-20000, fmt.Sprintf("%d+%d", i, i), 5)
		}
		equal(t, MustAppend(t, f.Store, user.ID, answers[:4000]...), storage.AppendReceipt{Booked: 4000})
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM mastery_stats WHERE mastery_level = attempts - 1"), 4000)
	})
	t.Run("OK/AtOnce", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		booked := make([]int, 32)
		must(t, errors.Join(atOnce(len(booked), func(i int) error {
			// Each answer is sent by two.
			got, err := f.Answers.Append(ctx, user.ID, singles(models.ID{}, right(i/2, "1+1", 10))...)
			booked[i] = got.Booked
			return err
		})...))
		total := 0
		for _, n := range booked {
			total += n
		}
		equal(t, total, 16)
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "1+1")
		must(t, err)
		equal(t, stat.Attempts, 16)
		equal(t, stat.TotalResponseMS, 160)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		MustNotChange(t, f, func() {
			_, err := f.Answers.Append(ctx, 99, singles(models.ID{}, right(1, "1+1", 10))...)
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		})
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		MustNotChange(t, f, func() {
			_, err := f.Answers.Append(ended, user.ID, singles(models.ID{}, right(1, "1+1", 10))...)
			mustBe(t, err, context.Canceled)
		})
	})
}

func TestAnswers_Append_ErrConflict(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, right(1, "1+1", 10))
	for _, test := range []struct {
		name   string
		change func(*storage.SingleAnswer)
	}{
		{"Fact", func(a *storage.SingleAnswer) { a.Fact = "1+2" }},
		{"Correct", func(a *storage.SingleAnswer) { a.Correct = false }},
		{"ResponseTime", func(a *storage.SingleAnswer) { a.ResponseMS++ }},
		{"Time", func(a *storage.SingleAnswer) { a.At = a.At.Add(time.Second) }},
		{"Operation", func(a *storage.SingleAnswer) { a.Operation = "subtraction" }},
		{"Session", func(a *storage.SingleAnswer) { a.SessionID = idAt(lesson, 0) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What stands before it in the same call is not booked either.
			answers := singles(models.ID{}, right(2, "2+2", 10), right(1, "1+1", 10))
			test.change(&answers[1])
			MustNotChange(t, f, func() {
				got, err := f.Answers.Append(ctx, user.ID, answers...)
				mustBe(t, err, storage.ErrConflict)
				equal(t, got, storage.AppendReceipt{})
			})
		})
	}
	t.Run("InOneCall", func(t *testing.T) {
		MustNotChange(t, f, func() {
			_, err := f.Answers.Append(ctx, user.ID, singles(models.ID{}, right(5, "1+1", 10), wrong(5, "1+1", 10))...)
			mustBe(t, err, storage.ErrConflict)
		})
	})
}

func TestAnswers_Append_ErrInvalid(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	ahead := idAt(noon.Add(5*time.Minute+time.Millisecond), 0)
	for _, test := range []struct {
		field  string
		change func(*storage.SingleAnswer)
	}{
		{"answers[1].operation", func(a *storage.SingleAnswer) { a.Operation = "" }},
		{"answers[1].operation", func(a *storage.SingleAnswer) { a.Operation = "a+b" }},
		{"answers[1].session_id", func(a *storage.SingleAnswer) { a.SessionID = models.ID{6: 0x40} }},
		{"answers[1].session_id", func(a *storage.SingleAnswer) { a.SessionID = ahead }},
		{"answers[1].id", func(a *storage.SingleAnswer) { a.ID = models.ID{} }},
		{"answers[1].id", func(a *storage.SingleAnswer) { a.ID = ahead }},
		{"answers[1].fact", func(a *storage.SingleAnswer) { a.Fact = "=?" }},
		{"answers[1].response_ms", func(a *storage.SingleAnswer) { a.ResponseMS = -1 }},
		// Sums of what is longer overflow, which would shut the fact for good.
		{"answers[1].response_ms", func(a *storage.SingleAnswer) { a.ResponseMS = 1<<40 + 1 }},
		{"answers[1].fact", func(a *storage.SingleAnswer) { a.Fact = "1+\x001" }},
		{"answers[1].fact", func(a *storage.SingleAnswer) { a.Fact = tooLong }},
		{"answers[1].operation", func(a *storage.SingleAnswer) { a.Operation = tooLong }},
		{"answers[1].at", func(a *storage.SingleAnswer) { a.At = time.Time{} }},
	} {
		t.Run(test.field, func(t *testing.T) {
			answers := singles(models.ID{}, right(1, "1+1", 10), right(2, "1+1", 10))
			test.change(&answers[1])
			MustNotChange(t, f, func() {
				_, err := f.Answers.Append(ctx, user.ID, answers...)
				mustBeInvalid(t, err, test.field)
			})
		})
	}
	t.Run("answers", func(t *testing.T) {
		_, err := f.Answers.Append(ctx, user.ID)
		mustBeInvalid(t, err, "answers")
	})
}

func TestAnswers_Recent(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	for _, n := range []int{2, 0, 3, 1} {
		MustAppend(t, f.Store, user.ID, right(n, "1+1", 10))
		MustAppend(t, f.Store, other.ID, right(n, "1+1", 10))
	}
	for _, test := range []struct {
		limit int
		want  []int
	}{{0, []int{3, 2, 1, 0}}, {2, []int{3, 2}}, {1000, []int{3, 2, 1, 0}}} {
		t.Run(fmt.Sprintf("OK/%d", test.limit), func(t *testing.T) {
			got, err := f.Answers.Recent(ctx, user.ID, test.limit)
			must(t, err)
			equal(t, len(got), len(test.want))
			for i, n := range test.want {
				equal(t, got[i].UserID, user.ID)
				equal(t, got[i].ID, right(n, "", 0).ID)
			}
		})
	}
	t.Run("OK/Whole", func(t *testing.T) {
		eve, a, b := MustUser(t, f.Store, "eve"), right(1, "1+1", 10), wrong(2, "2+2", 1<<40)
		_, err := f.Answers.Append(ctx, eve.ID, append(singles(models.ID{}, a), singles(idAt(lesson, 9), b)...)...)
		must(t, err)
		got, err := f.Answers.Recent(ctx, eve.ID, 0)
		must(t, err)
		equal(t, got, []models.AnswerEvent{
			{UserID: eve.ID, ID: b.ID, SessionID: idAt(lesson, 9), Operation: "addition", Fact: "2+2", ResponseTimeMS: 1 << 40, CreatedAt: b.At},
			{UserID: eve.ID, ID: a.ID, Operation: "addition", Fact: "1+1", Correct: true, ResponseTimeMS: 10, CreatedAt: a.At},
		})
	})
	t.Run("OK/None", func(t *testing.T) {
		got, err := f.Answers.Recent(ctx, 99, 0)
		must(t, err)
		equal(t, got == nil, true)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Answers.Recent(ctx, user.ID, limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}
