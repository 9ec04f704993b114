package storage

import (
	"context"

	"github.com/flashstore/flashstore/models"
)

// Needs says what a user's place in a season is worth and what would change
// it (N20).
type Needs struct {
	Season   models.Season `json:"season"`
	Standing Standing      `json:"standing"`
	Players  int64         `json:"players"` // on the board of the league
	// Outcome is what the season would bring the user, were it settled now.
	Outcome MoveReason `json:"outcome"`
	// XPToPromotion is how much more XP makes the user one of the promoted, in
	// the top tier one of the champions; 0: they are. Whoever reaches the same
	// XP later ranks behind, so overtaking takes one XP more.
	XPToPromotion int64 `json:"xp_to_promotion"`
	// Demotion is nil in the lowest tier, where nobody moves down.
	Demotion *DemotionNeeds `json:"demotion"`
}

// DemotionNeeds says how far a user is from moving down.
type DemotionNeeds struct {
	// XPToStay is how much more XP keeps the user from moving down; 0: they do
	// not.
	XPToStay int64 `json:"xp_to_stay"`
	// PlacesToSpare is how many others may overtake the user before they
	// stand on one of the last places; 0: the next one puts them there, or
	// they are there.
	PlacesToSpare int64 `json:"places_to_spare"`
	// XPToSpare is how much XP the user has more than the first of those who
	// stand on the last places; 0 where they stand there themselves, or where
	// no places are demoted.
	XPToSpare int64 `json:"xp_to_spare"`
}

// Needs returns what a user needs to be promoted in a season and not to be
// demoted. All of it is of one moment and assumes that nobody else gets XP. It
// returns ErrNotFound when the user has not played in the season.
func (s *Leagues) Needs(ctx context.Context, seasonID, userID int64) (needs Needs, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		needs, err = u.needs(seasonID, userID)
		return err
	})
	return needs, err
}

var (
	xpFromTop = declare(`
SELECT weekly_xp FROM {league_participants} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY weekly_xp DESC, reached_at, user_id LIMIT 1 OFFSET CAST(? AS BIGINT)`,
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)")
	xpFromBottom = declare(`
SELECT weekly_xp FROM {league_participants} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY weekly_xp, reached_at DESC, user_id DESC LIMIT 1 OFFSET CAST(? AS BIGINT)`,
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)")
)

func (u *unit) needs(seasonID, userID int64) (n Needs, err error) {
	ladder, err := u.ladder()
	if err != nil {
		return n, err
	}
	if n.Standing, err = u.standing(seasonID, userID); err != nil {
		return n, err
	}
	own := n.Standing
	board := func(q *query, args ...any) (value int64, err error) {
		err = u.raw(q, append([]any{seasonID, own.LeagueID}, args...)...).Scan(&value).Error
		return value, err
	}
	if n.Season, err = u.storedSeason(seasonID); err != nil {
		return n, err
	}
	if n.Players, err = board(playersOfBoard, seasonID, own.LeagueID); err != nil {
		return n, err
	}
	asItStands := Move{Rank: own.Rank, WeeklyXP: own.WeeklyXP, From: own.LeagueID}
	ladder.judge(&asItStands, n.Players)
	n.Outcome = asItStands.Reason

	rules := ladder.rules
	n.XPToPromotion = missing(own.WeeklyXP, rules.PromoteXP)
	if own.Rank > rules.PromotePlaces {
		last, err := board(xpFromTop, rules.PromotePlaces-1)
		if err != nil {
			return n, err
		}
		n.XPToPromotion = missing(own.WeeklyXP, max(rules.PromoteXP, last+1))
	}
	if ladder.step(own.LeagueID) > 0 {
		n.Demotion, err = demotionNeeds(n, rules, func(place int64) (int64, error) { return board(xpFromBottom, place) })
	}
	return n, err
}

// demotionNeeds works out how far a user is from moving down. fromBottom
// returns the XP of a place of the board, counted from 0 for the last one.
func demotionNeeds(n Needs, rules *Rules, fromBottom func(place int64) (int64, error)) (*DemotionNeeds, error) {
	own, lowest := n.Standing, n.Players-rules.DemotePlaces // the lowest place that is not demoted
	needs := &DemotionNeeds{PlacesToSpare: max(0, lowest-own.Rank)}
	enough := rules.DemoteXP
	switch {
	case own.Rank > lowest && lowest > 0:
		xp, err := fromBottom(rules.DemotePlaces)
		if err != nil {
			return nil, err
		}
		enough = max(enough, xp+1)
	case own.Rank > lowest: // all places are demoted: only promotion helps
		enough = own.WeeklyXP + n.XPToPromotion
	case rules.DemotePlaces > 0:
		xp, err := fromBottom(rules.DemotePlaces - 1)
		if err != nil {
			return nil, err
		}
		needs.XPToSpare = own.WeeklyXP - xp
	}
	needs.XPToStay = min(missing(own.WeeklyXP, enough), n.XPToPromotion)
	return needs, nil
}

// missing returns how much has to be added for enough.
func missing(have, enough int64) int64 { return max(0, enough-have) }
