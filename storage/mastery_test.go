package storage_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// given returns one answer a second, of one fact: true is right.
func given(fact string, answers ...bool) []storage.Answer {
	list := make([]storage.Answer, len(answers))
	for i, correct := range answers {
		list[i] = wrong(i, fact, 1000)
		list[i].Correct = correct
	}
	return list
}

// S31: +1 and −1, clamped at every step, the first one too.
func TestMastery_Step(t *testing.T) {
	const yes, no = true, false
	for _, test := range []struct {
		name    string
		answers []bool
		want    models.Level
	}{
		{"FirstRight", []bool{yes}, 100},
		{"FirstWrong", []bool{no}, 0},
		{"WrongRight", []bool{no, yes}, 100},
		{"WrongWrongRight", []bool{no, no, yes}, 100},
		{"RightWrong", []bool{yes, no}, 0},
		{"Five", []bool{yes, yes, yes, yes, yes}, 500},
		{"NoMoreThanFive", []bool{yes, yes, yes, yes, yes, yes, yes}, 500},
		{"FiveRightWrong", []bool{yes, yes, yes, yes, yes, yes, no}, 400},
		{"FiveWrong", []bool{yes, yes, yes, yes, yes, no}, 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := MustOpen(t)
			whole, single := MustUser(t, f.Store, "whole"), MustUser(t, f.Store, "single")
			answers := given("8+7", test.answers...)
			MustSubmit(t, f.Store, session(whole.ID, 0, answers...))
			for _, a := range answers {
				MustAppend(t, f.Store, single.ID, a)
			}
			for _, user := range []models.User{whole, single} {
				stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
				must(t, err)
				equal(t, stat.MasteryLevel, test.want)
				equal(t, stat.Attempts, int64(len(answers)))
			}
		})
	}
}

// FlashMath's live rule: exact in hundredths, however often it is stored and
// read again.
func TestMastery_Speed(t *testing.T) {
	f := MustOpen(t, withRules(func(r *storage.Rules) { r.Mastery = storage.SpeedMastery }))
	user := MustUser(t, f.Store, "ada")
	for i, test := range []struct {
		correct     bool
		ms          int64
		delta, want models.Level
	}{
		{true, 10001, -50, 0},
		{false, 1, 0, 0},
		{true, 2000, 20, 20},
		{true, 10000, 20, 40},
		{true, 5000, 20, 60},
		{true, 1999, 100, 160},
		{false, 20000, 0, 160},
		{true, 10001, -50, 110},
		{true, 0, 100, 210},
		{true, 0, 100, 310},
		{true, 0, 100, 410},
		{true, 2000, 20, 430},
		{true, 0, 100, 500},
		{true, 2000, 20, 500},
		{true, 10001, -50, 450},
	} {
		a := right(i, "8+7", test.ms)
		a.Correct = test.correct
		MustAppend(t, f.Store, user.ID, a)
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
		must(t, err)
		equal(t, stat.LastDelta, test.delta)
		equal(t, stat.MasteryLevel, test.want)
	}
	t.Run("Fifths", func(t *testing.T) {
		for i := range 25 {
			MustAppend(t, f.Store, user.ID, right(100+i, "1+1", 3000))
		}
		stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "1+1")
		must(t, err)
		equal(t, stat.MasteryLevel, models.LevelMax)
	})
}

func TestMastery_OwnRule(t *testing.T) {
	f := MustOpen(t, withRules(func(r *storage.Rules) {
		r.Mastery = func(rules *storage.Rules, correct bool, ms int64) models.Level { return models.Level(ms) }
	}))
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, right(1, "8+7", 33), wrong(2, "8+7", 44))
	stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "8+7")
	must(t, err)
	equal(t, stat.MasteryLevel, 77)
	equal(t, stat.LastDelta, 44)
}

func TestMastery_Fact(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	_, err := f.Answers.Append(ctx, user.ID, storage.SingleAnswer{Answer: right(1, "8 x 7", 10), Operation: "multiplication"})
	must(t, err)
	for _, fact := range []string{"8×7", "8 * 7 = ?", " 8X7="} {
		t.Run("OK/"+fact, func(t *testing.T) {
			stat, err := f.Mastery.Fact(ctx, user.ID, " MULTIPLICATION ", fact)
			must(t, err)
			equal(t, stat.Fact, "8×7")
			equal(t, stat.UserID, user.ID)
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		for _, test := range []struct {
			user            int64
			operation, fact string
		}{
			{user.ID, "multiplication", "7x8"},
			{user.ID, "addition", "8x7"},
			{user.ID, "", "8x7"},
			{user.ID, "multiplication", ""},
			{other.ID, "multiplication", "8x7"},
			{99, "multiplication", "8x7"},
		} {
			_, err := f.Mastery.Fact(ctx, test.user, test.operation, test.fact)
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}

// facts returns the names of facts, in their order.
func facts(stats []models.MasteryStat) []string {
	names := make([]string, len(stats))
	for i, s := range stats {
		names[i] = s.Fact
	}
	return names
}

// S9.
func TestMastery_Operation(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	MustAppend(t, f.Store, user.ID, right(1, "9+1", 1), right(2, "10+1", 1), right(3, "9+10", 1), wrong(4, "9+1", 1))
	MustAppend(t, f.Store, other.ID, right(1, "5+5", 1))
	_, err := f.Answers.Append(ctx, user.ID, storage.SingleAnswer{Answer: right(9, "9-1", 10), Operation: "subtraction"})
	must(t, err)
	for _, test := range []struct {
		operation string
		want      []string
	}{
		{"addition", []string{"10+1", "9+1", "9+10"}},
		{" Addition", []string{"10+1", "9+1", "9+10"}},
		{"subtraction", []string{"9-1"}},
		{"division", nil},
		{"", nil},
	} {
		t.Run(fmt.Sprintf("OK/%q", test.operation), func(t *testing.T) {
			got, err := f.Mastery.Operation(ctx, user.ID, test.operation)
			must(t, err)
			equal(t, facts(got), test.want)
		})
	}
}

func TestMastery_Weakest(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	n := 0
	answer := func(operation, fact string, ms int64, pattern string) {
		for _, mark := range pattern {
			n++
			a := right(n, fact, ms)
			a.Correct = mark == '+'
			_, err := f.Answers.Append(ctx, user.ID, storage.SingleAnswer{Answer: a, Operation: operation})
			must(t, err)
		}
	}
	answer("addition", "7+7", 100, "+++")        // level 3
	answer("addition", "6+6", 100, "++")         // level 2
	answer("addition", "5+5", 100, "-+")         // level 1, half right
	answer("addition", "4+4", 200, "+")          // level 1, all right, slow
	answer("addition", "3+3", 100, "+")          // level 1, all right, fast
	answer("subtraction", "2-1", 100, "+")       // the same, by the operation's name
	answer("subtraction", "3-1", 100, "-++-")    // level 1, half right
	answer("subtraction", "4-1", 100, "--")      // level 0, never right
	answer("subtraction", "5-1", 100, "+-")      // level 0, half right
	answer("multiplication", "1x1", 100, "-+-+") // level 1, half right
	for _, test := range []struct {
		operation string
		limit     int
		want      []string
	}{
		{"addition", 0, []string{"5+5", "4+4", "3+3", "6+6", "7+7"}},
		{"Addition ", 2, []string{"5+5", "4+4"}},
		{"", 4, []string{"4-1", "5-1", "5+5", "1×1"}},
		{"", 0, []string{"4-1", "5-1", "5+5", "1×1", "3-1", "4+4", "3+3", "2-1", "6+6", "7+7"}},
		{"division", 5, nil},
	} {
		t.Run(fmt.Sprintf("OK/%d of %q", test.limit, test.operation), func(t *testing.T) {
			got, err := f.Mastery.Weakest(ctx, user.ID, test.operation, test.limit)
			must(t, err)
			equal(t, facts(got), test.want)
		})
	}
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Mastery.Weakest(ctx, user.ID, "", limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}
