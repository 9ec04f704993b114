package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustVerify fails unless everybody's levels are what the log makes them.
func MustVerify(tb testing.TB, s *storage.Store) {
	tb.Helper()
	must(tb, s.Mastery.VerifyAll(ctx, func(d storage.MasteryDifference) error {
		return errors.New(d.String())
	}))
}

// MustFact returns what is stored of one addition.
func MustFact(tb testing.TB, s *storage.Store, userID int64, fact string) models.MasteryStat {
	tb.Helper()
	stat, err := s.Mastery.Fact(ctx, userID, "addition", fact)
	must(tb, err)
	return stat
}

// practised gives a user three facts of additions and one subtraction, some of
// it late.
func practised(tb testing.TB, f *fixture, uid string) models.User {
	tb.Helper()
	user := MustUser(tb, f.Store, uid)
	MustSubmit(tb, f.Store, session(user.ID, int(user.ID), right(5, "1+1", 900), wrong(6, "1+1", 800),
		right(7, "1+1", 12000), right(8, "2+2", 2500), wrong(9, "3+3", 700)))
	MustAppend(tb, f.Store, user.ID, wrong(1, "1+1", 300), right(2, "2+2", 400))
	_, err := f.Answers.Append(ctx, user.ID, storage.SingleAnswer{Answer: right(3, "9-1", 50), Operation: "subtraction"})
	must(tb, err)
	return user
}

func TestMastery_Verify(t *testing.T) {
	t.Run("OK/AllIsWell", func(t *testing.T) {
		f := MustOpen(t)
		for _, user := range []models.User{practised(t, f, "ada"), MustUser(t, f.Store, "bob")} {
			got, err := f.Mastery.Verify(ctx, user.ID)
			must(t, err)
			equal(t, got, nil)
		}
	})
	t.Run("OK/Different", func(t *testing.T) {
		for column, value := range map[string]any{
			"mastery_level": 1.01, "last_delta": -3, "last_answer_id": idAt(noon, 1), "attempts": 90,
			"correct_count": 1, "total_response_ms": 0, "last_response_time": 13, "updated_at": 14,
		} {
			f := MustOpen(t)
			user, other := practised(t, f, "ada"), practised(t, f, "bob")
			right := MustFact(t, f.Store, user.ID, "1+1")
			MustExec(t, f.db, "UPDATE mastery_stats SET "+column+" = ? WHERE user_id = ? AND fact = '1+1'", value, user.ID)
			wrong := MustFact(t, f.Store, user.ID, "1+1")
			got, err := f.Mastery.Verify(ctx, user.ID)
			must(t, err)
			equal(t, got, []storage.MasteryDifference{{
				UserID: user.ID, Operation: "addition", Fact: "1+1",
				Kind: storage.DifferenceDifferent, Stored: &wrong, Computed: &right,
			}})
			if text := got[0].String(); strings.Count(text, "the log makes it") != 1 || !strings.Contains(text, ": "+column+" is ") {
				t.Errorf("%q does not name %s, and that alone", text, column)
			}
			got, err = f.Mastery.Verify(ctx, other.ID)
			must(t, err)
			equal(t, got, nil)
		}
	})
	t.Run("OK/AllKinds", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		missing := MustFact(t, f.Store, user.ID, "1+1")
		surplus := MustFact(t, f.Store, user.ID, "2+2")
		different := MustFact(t, f.Store, user.ID, "3+3")
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE fact = '1+1'")
		MustExec(t, f.db, "DELETE FROM answer_events WHERE fact = '2+2'")
		MustExec(t, f.db, "UPDATE answer_events SET correct = true WHERE fact = '3+3'")
		MustExec(t, f.db, "UPDATE mastery_stats SET operation = 'division' WHERE operation = 'subtraction'")
		got, err := f.Mastery.Verify(ctx, user.ID)
		must(t, err)
		equal(t, kinds(got), []string{
			"missing addition 1+1", "surplus addition 2+2", "different addition 3+3", "surplus division 9-1", "missing subtraction 9-1",
		})
		equal(t, got[0].Computed, &missing)
		equal(t, got[0].Stored, nil)
		equal(t, got[1].Computed, nil)
		equal(t, got[1].Stored, &surplus)
		equal(t, got[2].Stored, &different)
		equal(t, got[2].Computed.MasteryLevel, models.LevelStep)
		equal(t, got[0].String(), fmt.Sprintf("user %d, addition 1+1: nothing is stored, the log makes it level 1", user.ID))
		equal(t, got[1].String(), fmt.Sprintf("user %d, addition 2+2: level 2 is stored, the log has no answer", user.ID))
		equal(t, got[2].String(), fmt.Sprintf("user %d, addition 3+3: mastery_level is 0, the log makes it 1; "+
			"last_delta is -1, the log makes it 1; correct_count is 0, the log makes it 1", user.ID))
	})
	t.Run("OK/ChangesNothing", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		MustExec(t, f.db, "UPDATE mastery_stats SET mastery_level = 5")
		MustNotChange(t, f, func() {
			got, err := f.Mastery.Verify(ctx, user.ID)
			must(t, err)
			equal(t, len(got), 4)
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		_, err := MustOpen(t).Mastery.Verify(ctx, 99)
		mustBe(t, err, storage.ErrNotFound)
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err := f.Mastery.Verify(ended, user.ID)
		mustBe(t, err, context.Canceled)
	})
}

// kinds names differences by kind and fact.
func kinds(differences []storage.MasteryDifference) (names []string) {
	for _, d := range differences {
		names = append(names, fmt.Sprint(d.Kind, " ", d.Operation, " ", d.Fact))
	}
	return names
}

func TestMastery_VerifyAll(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		users := MustUsers(t, f, 1002) // more than two pages
		for _, i := range []int{0, 499, 500, 1001} {
			MustAppend(t, f.Store, users[i].ID, right(1, "1+1", 10), right(2, "2+2", 10))
		}
		MustVerify(t, f.Store)
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE fact = '2+2'")
		var got []int64
		must(t, f.Mastery.VerifyAll(ctx, func(d storage.MasteryDifference) error {
			got = append(got, d.UserID)
			equal(t, d.Kind, storage.DifferenceMissing)
			return nil
		}))
		equal(t, got, []int64{users[0].ID, users[499].ID, users[500].ID, users[1001].ID})
	})
	t.Run("OK/SomebodyLeaves", func(t *testing.T) {
		f := MustOpen(t)
		first, left := practised(t, f, "ada"), practised(t, f, "bob")
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE operation = 'subtraction'")
		var got []int64
		must(t, f.Mastery.VerifyAll(ctx, func(d storage.MasteryDifference) error {
			MustExec(t, f.db, "DELETE FROM users WHERE id = ?", left.ID)
			got = append(got, d.UserID)
			return nil
		}))
		equal(t, got, []int64{first.ID})
	})
	t.Run("ErrOfTheCaller", func(t *testing.T) {
		f := MustOpen(t)
		practised(t, f, "ada")
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		enough, calls := errors.New("enough"), 0
		err := f.Mastery.VerifyAll(ctx, func(storage.MasteryDifference) error { calls++; return enough })
		mustBe(t, err, enough)
		equal(t, calls, 1)
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t)
		practised(t, f, "ada")
		practised(t, f, "bob")
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE operation = 'subtraction'")
		ending, cancel := context.WithCancel(ctx)
		defer cancel()
		err := f.Mastery.VerifyAll(ending, func(storage.MasteryDifference) error { cancel(); return nil })
		mustBe(t, err, context.Canceled)
	})
}
