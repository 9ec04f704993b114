package storage_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// MustNeeds returns what a user needs.
func MustNeeds(tb testing.TB, s *storage.Store, seasonID, userID int64) storage.Needs {
	tb.Helper()
	needs, err := s.Leagues.Needs(ctx, seasonID, userID)
	must(tb, err)
	return needs
}

// N20.
func TestLeagues_Needs(t *testing.T) {
	type demotion = storage.DemotionNeeds
	type need struct { // exported fields, for cmp
		Outcome     storage.MoveReason
		ToPromotion int64
		Demotion    *demotion
	}
	const (
		promoted, champion, stays = storage.MovePromoted, storage.MoveChampion, storage.MoveStays
		byPlace, byXP             = storage.MoveDemotedByPlace, storage.MoveDemotedByXP
	)
	for _, test := range []struct {
		name    string
		league  int64
		players []player // by rank
		want    []need
		rules   func(*storage.Rules)
	}{
		{"Middle", 2, xps(90, 80, 70, 60, 50, 30, 10), []need{
			{promoted, 0, &demotion{0, 4, 60}},
			{promoted, 0, &demotion{0, 3, 50}},
			{promoted, 0, &demotion{0, 2, 40}},
			{stays, 11, &demotion{0, 1, 30}},
			{stays, 21, &demotion{0, 0, 20}},
			{byPlace, 41, &demotion{21, 0, 0}},
			{byXP, 61, &demotion{41, 0, 0}},
		}, nil},
		{"Top", 5, xps(40, 30, 25, 22, 21, 21), []need{
			{champion, 0, &demotion{0, 3, 19}},
			{champion, 0, &demotion{0, 2, 9}},
			{champion, 0, &demotion{0, 1, 4}},
			{stays, 4, &demotion{0, 0, 1}},
			{byPlace, 5, &demotion{2, 0, 0}},
			{byPlace, 5, &demotion{2, 0, 0}},
		}, nil},
		{"Lowest", 1, xps(30, 15, 10, 5), []need{
			{promoted, 0, nil}, {stays, 5, nil}, {stays, 10, nil}, {stays, 15, nil},
		}, nil},
		{"TooLittle", 3, xps(19, 18, 2, 1, 0, 0), []need{
			{byXP, 1, &demotion{1, 3, 19}},
			{byXP, 2, &demotion{2, 2, 18}},
			{byXP, 18, &demotion{18, 1, 2}},
			{byXP, 19, &demotion{19, 0, 1}},
			{byXP, 20, &demotion{20, 0, 0}},
			{byXP, 20, &demotion{20, 0, 0}},
		}, nil},
		{"Four", 2, xps(50, 40, 30, 20), []need{
			{promoted, 0, &demotion{0, 1, 20}},
			{promoted, 0, &demotion{0, 0, 10}},
			{promoted, 0, &demotion{0, 0, 0}},
			{byPlace, 11, &demotion{11, 0, 0}}, // to stay by place takes more than to be promoted
		}, nil},
		{"One", 2, xps(15), []need{{byXP, 5, &demotion{5, 0, 0}}}, nil},
		{"ManyPlaces", 2, xps(50, 40), []need{
			{promoted, 0, &demotion{0, 0, 0}}, {byPlace, 11, &demotion{11, 0, 0}},
		}, func(r *storage.Rules) { r.PromotePlaces, r.DemotePlaces = 1, 9 }},
		{"NoPlaces", 2, xps(50, 40, 30), []need{
			{promoted, 0, &demotion{0, 2, 0}}, {stays, 11, &demotion{0, 1, 0}}, {byXP, 21, &demotion{5, 0, 0}},
		}, func(r *storage.Rules) { r.PromotePlaces, r.DemotePlaces, r.DemoteXP = 1, 0, 35 }},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			f := MustOpen(t)
			if test.rules != nil {
				f = MustOpen(t, withRules(test.rules))
			}
			users := MustPlay(t, f, test.league, test.players...)
			for i, user := range users {
				got := MustNeeds(t, f.Store, lastSeason, user.ID)
				equal(t, need{got.Outcome, got.XPToPromotion, got.Demotion}, test.want[i])
				standing, err := f.Leagues.Rank(ctx, lastSeason, user.ID)
				must(t, err)
				equal(t, got.Standing, standing)
				equal(t, got.Players, int64(len(users)))
				equal(t, got.Season.ID, lastSeason)
			}
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		user := MustPlay(t, f, 1, player{xp: 5})[0]
		for _, of := range [][2]int64{{thisSeason, user.ID}, {lastSeason, 99}} {
			_, err := f.Leagues.Needs(ctx, of[0], of[1])
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}

// What is said to be needed is enough, one less is not, and the settlement
// sees it the same way.
func TestLeagues_Needs_Enough(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		f := MustOpen(t, withRules(func(r *storage.Rules) {
			r.PromotePlaces, r.DemotePlaces = 1+random.Int64N(4), random.Int64N(4)
			r.PromoteXP, r.DemoteXP = random.Int64N(30), random.Int64N(30)
		}))
		var players []player
		for range 1 + random.IntN(8) {
			players = append(players, player{random.Int64N(40), random.Int64N(60)})
		}
		users := MustPlay(t, f, []int64{1, 3, 5}[random.IntN(3)], players...)
		// outcome returns what becomes of a user with so much more XP.
		outcome := func(id, more int64) (reason storage.MoveReason) {
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				MustBookXP(t, f.In(tx), id, more, bell.Add(-time.Hour))
				for _, m := range MustPlan(t, f.In(tx), lastSeason).Moves {
					if m.UserID == id {
						reason = m.Reason
					}
				}
				return errFault
			}), errFault)
			return reason
		}
		isFirst := func(r storage.MoveReason) bool { return r == storage.MovePromoted || r == storage.MoveChampion }
		isLast := func(r storage.MoveReason) bool {
			return r == storage.MoveDemotedByPlace || r == storage.MoveDemotedByXP
		}
		for _, user := range users {
			needs := MustNeeds(t, f.Store, lastSeason, user.ID)
			equal(t, outcome(user.ID, 0), needs.Outcome)
			equal(t, isFirst(outcome(user.ID, needs.XPToPromotion)), true)
			if needs.XPToPromotion > 0 {
				equal(t, isFirst(outcome(user.ID, needs.XPToPromotion-1)), false)
			}
			if needs.Demotion == nil {
				equal(t, isLast(needs.Outcome), false)
				continue
			}
			equal(t, isLast(outcome(user.ID, needs.Demotion.XPToStay)), false)
			if needs.Demotion.XPToStay > 0 {
				equal(t, isLast(outcome(user.ID, needs.Demotion.XPToStay-1)), true)
			}
		}
	}
}
