package storage_test

import (
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// brief says a move in short: place, number of the user, leagues, coins, why.
func brief(m storage.Move, firstUser int64) string {
	return fmt.Sprintf("%d. #%d with %d: %d>%d %+d %s", m.Rank, m.UserID-firstUser, m.WeeklyXP, m.From, m.To, m.Prize, m.Reason)
}

// The rule for who moves, in all its corners; and what is settled is what was
// planned, reasons included.
func TestLeagues_Plan_Rule(t *testing.T) {
	for _, test := range []struct {
		name    string
		league  int64
		players []player
		want    []string
		rules   func(*storage.Rules)
	}{
		{"Lowest", 1, xps(0, 19, 20, 30, 50, 40), []string{
			"1. #4 with 50: 1>2 +250 promoted",
			"2. #5 with 40: 1>2 +250 promoted",
			"3. #3 with 30: 1>2 +250 promoted",
			"4. #2 with 20: 1>1 +0 stays",
			"5. #1 with 19: 1>1 +0 stays",
			"6. #0 with 0: 1>1 +0 stays",
		}, nil},
		{"Middle", 3, xps(70, 60, 50, 40, 30, 20, 20), []string{
			"1. #0 with 70: 3>4 +250 promoted",
			"2. #1 with 60: 3>4 +250 promoted",
			"3. #2 with 50: 3>4 +250 promoted",
			"4. #3 with 40: 3>3 +0 stays",
			"5. #4 with 30: 3>3 +0 stays",
			"6. #5 with 20: 3>2 +0 demoted_by_place",
			"7. #6 with 20: 3>2 +0 demoted_by_place",
		}, nil},
		{"Top", 5, xps(70, 60, 50, 40, 30, 20), []string{
			"1. #0 with 70: 5>5 +250 champion",
			"2. #1 with 60: 5>5 +250 champion",
			"3. #2 with 50: 5>5 +250 champion",
			"4. #3 with 40: 5>5 +0 stays",
			"5. #4 with 30: 5>4 +0 demoted_by_place",
			"6. #5 with 20: 5>4 +0 demoted_by_place",
		}, nil},
		{"TooLittle", 2, xps(50, 19, 5, 0, 0, 0), []string{
			"1. #0 with 50: 2>3 +250 promoted",
			"2. #1 with 19: 2>1 +0 demoted_by_xp",
			"3. #2 with 5: 2>1 +0 demoted_by_xp",
			"4. #3 with 0: 2>1 +0 demoted_by_xp",
			"5. #4 with 0: 2>1 +0 demoted_by_xp",
			"6. #5 with 0: 2>1 +0 demoted_by_xp",
		}, nil},
		{"TooLittleInTheMiddle", 2, xps(90, 80, 70, 60, 50, 10), []string{
			"1. #0 with 90: 2>3 +250 promoted",
			"2. #1 with 80: 2>3 +250 promoted",
			"3. #2 with 70: 2>3 +250 promoted",
			"4. #3 with 60: 2>2 +0 stays",
			"5. #4 with 50: 2>1 +0 demoted_by_place",
			"6. #5 with 10: 2>1 +0 demoted_by_xp",
		}, nil},
		{"Ties", 2, []player{{40, 9}, {40, 3}, {40, 9}, {40, 1}, {40, 9}, {40, 9}, {40, 10}}, []string{
			"1. #3 with 40: 2>3 +250 promoted", // the first to be there
			"2. #1 with 40: 2>3 +250 promoted",
			"3. #0 with 40: 2>3 +250 promoted", // the smaller id
			"4. #2 with 40: 2>2 +0 stays",
			"5. #4 with 40: 2>2 +0 stays",
			"6. #5 with 40: 2>1 +0 demoted_by_place",
			"7. #6 with 40: 2>1 +0 demoted_by_place",
		}, nil},
		// Fewer than five: who was promoted is not demoted.
		{"Four", 2, xps(50, 40, 30, 20), []string{
			"1. #0 with 50: 2>3 +250 promoted",
			"2. #1 with 40: 2>3 +250 promoted",
			"3. #2 with 30: 2>3 +250 promoted",
			"4. #3 with 20: 2>1 +0 demoted_by_place",
		}, nil},
		{"Three", 2, xps(50, 40, 30), []string{
			"1. #0 with 50: 2>3 +250 promoted",
			"2. #1 with 40: 2>3 +250 promoted",
			"3. #2 with 30: 2>3 +250 promoted",
		}, nil},
		{"Two", 4, xps(20, 19), []string{
			"1. #0 with 20: 4>5 +250 promoted",
			"2. #1 with 19: 4>3 +0 demoted_by_xp",
		}, nil},
		{"One", 4, xps(20), []string{"1. #0 with 20: 4>5 +250 promoted"}, nil},
		{"OneWithLittle", 4, xps(19), []string{"1. #0 with 19: 4>3 +0 demoted_by_xp"}, nil},
		{"OneAtTheTop", 5, xps(20), []string{"1. #0 with 20: 5>5 +250 champion"}, nil},
		{"TwoAtTheTop", 5, xps(19, 0), []string{
			"1. #0 with 19: 5>4 +0 demoted_by_xp",
			"2. #1 with 0: 5>4 +0 demoted_by_xp",
		}, nil},
		{"OneAtTheBottom", 1, xps(0), []string{"1. #0 with 0: 1>1 +0 stays"}, nil},
		{"NobodyAtTheBottom", 1, xps(19, 19, 1, 0), []string{
			"1. #0 with 19: 1>1 +0 stays",
			"2. #1 with 19: 1>1 +0 stays",
			"3. #2 with 1: 1>1 +0 stays",
			"4. #3 with 0: 1>1 +0 stays",
		}, nil},
		{"OtherRules", 2, xps(7, 6, 5, 3, 2, 1), []string{
			"1. #0 with 7: 2>3 +9 promoted",
			"2. #1 with 6: 2>2 +0 stays",
			"3. #2 with 5: 2>2 +0 stays",
			"4. #3 with 3: 2>2 +0 stays",
			"5. #4 with 2: 2>1 +0 demoted_by_xp",
			"6. #5 with 1: 2>1 +0 demoted_by_xp",
		}, func(r *storage.Rules) {
			r.PromotePlaces, r.PromoteXP, r.PrizeCoins, r.DemotePlaces, r.DemoteXP = 1, 6, 9, 1, 3
		}},
		{"NoPrize", 5, xps(30, 10), []string{
			"1. #0 with 30: 5>5 +0 champion",
			"2. #1 with 10: 5>5 +0 stays",
		}, func(r *storage.Rules) { r.PrizeCoins, r.DemotePlaces, r.DemoteXP = 0, 0, 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules := func(r *storage.Rules) {}
			if test.rules != nil {
				rules = test.rules
			}
			f := MustOpen(t, withRules(rules))
			users := MustPlay(t, f, test.league, test.players...)
			var plan storage.SeasonPlan
			MustNotChange(t, f, func() { plan = MustPlan(t, f.Store, lastSeason) })
			equal(t, plan.Final, true)
			var got []string
			for _, m := range plan.Moves {
				equal(t, m.SeasonID, lastSeason)
				got = append(got, brief(m, users[0].ID))
			}
			equal(t, got, test.want)

			result := MustSettle(t, f.Store, lastSeason)
			mustBeApplied(t, f, plan, result)
		})
	}
}

// mustBeApplied fails unless a settlement did just what was planned for users
// who have the coins that they began with.
func mustBeApplied(tb testing.TB, f *fixture, plan storage.SeasonPlan, result storage.SettleResult) {
	tb.Helper()
	want := storage.SettleResult{Season: plan.Season, Participants: int64(len(plan.Moves))}
	want.Season.SettledAt = &noon
	for _, m := range plan.Moves {
		switch {
		case m.To > m.From:
			want.Promoted++
		case m.To < m.From:
			want.Demoted++
		}
		if m.Prize > 0 {
			want.Paid++
			want.Coins += m.Prize
		}
		user := MustGet(tb, f.Store, m.UserID)
		equal(tb, user.LeagueID, m.To)
		equal(tb, user.Coins, 100+m.Prize)
		got, err := f.Leagues.ResultOf(ctx, m.SeasonID, m.UserID)
		must(tb, err)
		equal(tb, got, m)
	}
	equal(tb, result, want)
	plan.Season.SettledAt = &noon
	equal(tb, MustPlan(tb, f.Store, plan.Season.ID), plan)
	MustReconcile(tb, f.Store)
}

func TestLeagues_Plan(t *testing.T) {
	t.Run("OK/AllLeagues", func(t *testing.T) {
		f := MustOpen(t)
		for _, league := range []int64{5, 2, 1, 4, 3} {
			MustPlay(t, f, league, xps(50, 40, 30, 20, 10)...)
		}
		plan := MustPlan(t, f.Store, lastSeason)
		equal(t, len(plan.Moves), 25)
		for i, m := range plan.Moves {
			equal(t, m.From, int64(i/5)+1)
			equal(t, m.Rank, int64(i%5)+1)
		}
		mustBeApplied(t, f, plan, MustSettle(t, f.Store, lastSeason))
	})
	t.Run("OK/Running", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustBookXP(t, f.Store, user.ID, 20, noon)
		plan := MustPlan(t, f.Store, thisSeason)
		equal(t, plan.Final, false)
		equal(t, len(plan.Moves), 1)
		equal(t, plan.Moves[0].Reason, storage.MovePromoted)
		f.clock.Set(bell.AddDate(0, 0, 7)) // the bell to the millisecond
		equal(t, MustPlan(t, f.Store, thisSeason).Final, true)
	})
	t.Run("OK/Earlier", func(t *testing.T) {
		f := MustOpen(t)
		user := MustPlay(t, f, 1, player{xp: 20})[0]
		MustBookXP(t, f.Store, user.ID, 20, lastWeek.AddDate(0, 0, -14))
		equal(t, MustPlan(t, f.Store, lastSeason).Final, false)
		MustSettle(t, f.Store, 20260419)
		equal(t, MustPlan(t, f.Store, lastSeason).Final, true)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		for _, id := range []int64{lastSeason, thisSeason, 0, -1, 20260504} {
			_, err := f.Leagues.Plan(ctx, id)
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}
