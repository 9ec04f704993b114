package storagetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// week is how long a season is, except for two a year.
const week = 7 * 24 * time.Hour

// play creates users of a league who have so much XP in the week before the
// present, the first of equals ahead.
func play(t *testing.T, k kit, league int64, xps ...int64) []models.User {
	t.Helper()
	players := make([]models.User, len(xps))
	for i, xp := range xps {
		player := k.user(t, fmt.Sprintf("league-%d-%d", league, i))
		must(t, k.db.Exec("UPDATE users SET league_id = ? WHERE id = ?", league, player.ID).Error)
		season, err := k.Leagues.BookXP(t.Context(), player.ID, xp, noon.Add(-week))
		must(t, err)
		equal(t, "season", season.ID, lastSeason)
		players[i] = player
	}
	return players
}

// outcomes are what a season brings the players of three leagues, by rank.
var outcomes = map[int64][]struct {
	xp, league, prize int64
	reason            storage.MoveReason
}{
	1: {
		{50, 2, 250, storage.MovePromoted},
		{50, 2, 250, storage.MovePromoted},
		{19, 1, 0, storage.MoveStays},
		{0, 1, 0, storage.MoveStays},
	},
	2: {
		{90, 3, 250, storage.MovePromoted},
		{80, 3, 250, storage.MovePromoted},
		{70, 3, 250, storage.MovePromoted},
		{60, 2, 0, storage.MoveStays},
		{50, 1, 0, storage.MoveDemotedByPlace},
		{10, 1, 0, storage.MoveDemotedByXP},
	},
	5: {
		{60, 5, 250, storage.MoveChampion},
		{20, 5, 250, storage.MoveChampion},
		{19, 4, 0, storage.MoveDemotedByXP},
	},
}

// prizes is how many are paid.
const prizes = 7

// playOutcomes has a season played, and returns what it is to bring.
func playOutcomes(t *testing.T, k kit) (want []storage.Move) {
	t.Helper()
	for _, league := range slices.Sorted(maps.Keys(outcomes)) {
		var xps []int64
		for _, o := range outcomes[league] {
			xps = append(xps, o.xp)
		}
		for i, player := range play(t, k, league, xps...) {
			o := outcomes[league][i]
			want = append(want, storage.Move{
				SeasonID: lastSeason, UserID: player.ID, Rank: int64(i) + 1, WeeklyXP: o.xp,
				From: league, To: o.league, Prize: o.prize, Reason: o.reason,
			})
		}
	}
	return want
}

// settledOnce: a season does what its plan says, once, whoever settles it.
func settledOnce(t *testing.T, k kit) {
	want := playOutcomes(t, k)
	k.stays(t, func() {
		plan, err := k.Leagues.Plan(t.Context(), lastSeason)
		must(t, err)
		equal(t, "the plan is final", plan.Final, true)
		equal(t, "plan", plan.Moves, want)
	})
	var settlements atomic.Int64
	for _, err := range atOnce(16, func(int) error {
		result, err := k.Leagues.Settle(t.Context(), lastSeason)
		if !result.Repeated {
			settlements.Add(1)
		}
		if err == nil && (result.Paid != prizes || result.Coins != prizes*250) {
			err = fmt.Errorf("the settlement came to %+v, want %d prizes", result, prizes)
		}
		return err
	}) {
		must(t, err)
	}
	equal(t, "settlements", settlements.Load(), 1)
	for _, move := range want {
		result, err := k.Leagues.ResultOf(t.Context(), lastSeason, move.UserID)
		must(t, err)
		equal(t, "result", result, move)
		user, err := k.Users.Get(t.Context(), move.UserID)
		must(t, err)
		equal(t, "league and coins", []int64{user.LeagueID, user.Coins}, []int64{move.To, 100 + move.Prize})
	}
	k.stays(t, func() {
		result, err := k.Leagues.Settle(t.Context(), lastSeason)
		must(t, err)
		equal(t, "settled before", result.Repeated, true)
	})
	k.reconciled(t)
}

// missedWeeks: they are settled one by one, the earliest first.
func missedWeeks(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	for weeks := range 4 {
		_, err := k.Leagues.BookXP(t.Context(), ada.ID, 30, noon.Add(-time.Duration(weeks)*week))
		must(t, err)
	}
	k.stays(t, func() {
		_, err := k.Leagues.Settle(t.Context(), lastSeason)
		if earlier := (*storage.EarlierSeasonError)(nil); !errors.As(err, &earlier) || earlier.Earlier != 20260419 {
			t.Fatalf("got error %v, want that season 20260419 comes first", err)
		}
		_, err = k.Leagues.Settle(t.Context(), thisSeason)
		if open := (*storage.SeasonOpenError)(nil); !errors.As(err, &open) {
			t.Fatalf("got error %v, want that the season still runs", err)
		}
	})
	results, err := k.Leagues.SettleDue(t.Context())
	must(t, err)
	var settled []int64
	for _, result := range results {
		settled = append(settled, result.Season.ID)
	}
	equal(t, "settled seasons", settled, []int64{20260419, 20260426, lastSeason})
	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "league and coins after three weeks at the top", []int64{stored.LeagueID, stored.Coins}, []int64{4, 100 + 3*250})
	k.stays(t, func() {
		results, err := k.Leagues.SettleDue(t.Context())
		must(t, err)
		equal(t, "seasons that are due", len(results), 0)
	})
	k.reconciled(t)
}

// lateXP: it goes to its own season while that is open, then to the present
// one, and the receipt says which.
func lateXP(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	late := func(n int) storage.Submission {
		began := noon.Add(-week + time.Duration(n)*time.Minute)
		return storage.Submission{
			UserID: ada.ID, ID: idAt(began, 0), Operation: "addition", StartedAt: began, EndedAt: began,
			Answers: []storage.Answer{{ID: idAt(began, 1), Fact: "1+1", Correct: true, ResponseMS: 3000, At: began}},
		}
	}
	equal(t, "season", k.submit(t, late(0)).SeasonID, lastSeason)
	_, err := k.Leagues.SettleDue(t.Context())
	must(t, err)
	equal(t, "season, with its own settled", k.submit(t, late(1)).SeasonID, thisSeason)
	repeated := k.submit(t, late(0))
	equal(t, "season of a retry", repeated.SeasonID, lastSeason)
	place, err := k.Leagues.Rank(t.Context(), thisSeason, ada.ID)
	must(t, err)
	equal(t, "XP of the present season", place.WeeklyXP, 2)
	_, err = k.Leagues.BookXP(t.Context(), ada.ID, 5, noon.Add(-3*week)) // before the settled one
	must(t, err)
	place, err = k.Leagues.Rank(t.Context(), thisSeason, ada.ID)
	must(t, err)
	equal(t, "XP of the present season", place.WeeklyXP, 7)
	k.reconciled(t)
}

// needs: what would change a user's outcome, by the rules that settle it.
func needs(t *testing.T, k kit) {
	players := play(t, k, 2, 90, 80, 70, 60, 50, 40)
	k.stays(t, func() {
		third, err := k.Leagues.Needs(t.Context(), lastSeason, players[2].ID)
		must(t, err)
		equal(t, "the third's outcome and XP to promotion",
			[]any{third.Outcome, third.XPToPromotion, third.Players}, []any{storage.MovePromoted, int64(0), int64(6)})
		fourth, err := k.Leagues.Needs(t.Context(), lastSeason, players[3].ID)
		must(t, err)
		equal(t, "the fourth's outcome and XP to promotion",
			[]any{fourth.Outcome, fourth.XPToPromotion}, []any{storage.MoveStays, int64(11)})
		equal(t, "the fourth's demotion", *fourth.Demotion, storage.DemotionNeeds{XPToSpare: 10})
		last, err := k.Leagues.Needs(t.Context(), lastSeason, players[5].ID)
		must(t, err)
		equal(t, "the last's demotion", *last.Demotion, storage.DemotionNeeds{XPToStay: 21})
	})
	_, err := k.Leagues.BookXP(t.Context(), players[5].ID, 21, noon.Add(-week))
	must(t, err)
	plan, err := k.Leagues.Plan(t.Context(), lastSeason)
	must(t, err)
	for _, move := range plan.Moves {
		if move.UserID == players[5].ID {
			equal(t, "outcome with the XP that was needed", move.Reason, storage.MoveStays)
		}
	}
}

// bell: a season ends on Sunday, 00:00, in its zone, also where the clocks
// change.
func bell(t *testing.T, k kit) {
	for day, hours := range map[time.Time]float64{
		time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC):  167, // an hour is left out on March 8
		time.Date(2026, 5, 13, 12, 0, 0, 0, time.UTC):  168,
		time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC):  169, // one comes twice on November 1
		time.Date(2026, 12, 30, 12, 0, 0, 0, time.UTC): 168,
	} {
		weeks, err := k.Leagues.Schedule(t.Context(), day, 2)
		must(t, err)
		equal(t, fmt.Sprintf("hours of the week of %s", day.Format(time.DateOnly)),
			weeks[0].EndsAt.Sub(weeks[0].StartsAt).Hours(), hours)
		equal(t, "start of the next week", weeks[1].StartsAt, weeks[0].EndsAt)
	}
	ada := k.user(t, "ada")
	weeks, err := k.Leagues.Schedule(t.Context(), noon.Add(-week), 1)
	must(t, err)
	for at, want := range map[time.Time]int64{
		weeks[0].EndsAt.Add(-time.Millisecond): lastSeason,
		weeks[0].EndsAt:                        thisSeason,
	} {
		season, err := k.Leagues.BookXP(t.Context(), ada.ID, 1, at)
		must(t, err)
		equal(t, "season of a moment at the bell", season.ID, want)
	}
}
