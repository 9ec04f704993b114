package storage

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/flashstore/flashstore/models"
)

// SeasonPlan says who moves at the end of a season, who is paid, and why.
type SeasonPlan struct {
	Season models.Season `json:"season"`
	// Final says that a settlement does just this, or has done it. A plan is
	// not final while the season runs or an earlier one is to be settled
	// first: then it says what would be, were the season settled as it stands.
	Final bool `json:"final"`
	// Moves are those of all participants, from the lowest tier to the
	// highest, in each by rank.
	Moves []Move `json:"moves"`
}

// Move is what a season brings one of its participants.
type Move struct {
	SeasonID int64      `json:"season_id"`
	UserID   int64      `json:"user_id"`
	Rank     int64      `json:"rank"`      // on the board of From, from 1
	WeeklyXP int64      `json:"weekly_xp"` // XP in the season
	From     int64      `json:"from"`      // the league that it was played in
	To       int64      `json:"to"`        // the league of the next season
	Prize    int64      `json:"prize"`     // coins
	Reason   MoveReason `json:"reason"`
}

// MoveReason says why a user moves, or stays.
type MoveReason string

// Reasons of moves.
const (
	// MovePromoted is for the first places of a league below the top tier.
	MovePromoted MoveReason = "promoted"
	// MoveChampion is for the first places of the top tier, who stay there.
	MoveChampion MoveReason = "champion"
	// MoveStays is for all others who keep their league.
	MoveStays MoveReason = "stays"
	// MoveDemotedByPlace is for the last places.
	MoveDemotedByPlace MoveReason = "demoted_by_place"
	// MoveDemotedByXP is for those with too little XP, whatever their place.
	MoveDemotedByXP MoveReason = "demoted_by_xp"
)

// Plan returns who moves at the end of a season, who is paid and why, without
// writing anything: as it would be now, or, for a season whose settlement has
// begun, as it is for good. All of it is of one moment.
//
// In each league the first Rules.PromotePlaces with at least Rules.PromoteXP
// move up a tier and get Rules.PrizeCoins; in the top tier they are paid and
// stay. Then, above the lowest tier, the last Rules.DemotePlaces and all with
// less than Rules.DemoteXP move down, but nobody who was promoted. Users who
// did not play in the season are not in the plan and do not move.
//
// It returns ErrNotFound when nobody played in the season.
func (s *Leagues) Plan(ctx context.Context, seasonID int64) (plan SeasonPlan, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		plan, err = u.planOrResults(seasonID)
		return err
	})
	return plan, err
}

var (
	planBoard = declare(`
SELECT user_id, weekly_xp FROM {league_participants}
WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY weekly_xp DESC, reached_at, user_id`,
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)")
	resultsOfSeason = declare(`
SELECT season_id, user_id, league_id, rank, weekly_xp, moved_to, prize FROM {season_results}
WHERE season_id = CAST(? AS BIGINT)`,
		"SEARCH season_results USING PRIMARY KEY (season_id=?)")
)

// planOrResults returns a season's plan, or what became of it.
func (u *unit) planOrResults(seasonID int64) (plan SeasonPlan, err error) {
	if plan.Season, err = u.storedSeason(seasonID); err != nil {
		return plan, err
	}
	ladder, err := u.ladder()
	if err != nil {
		return plan, err
	}
	plan.Moves, err = scanRows(u.raw(resultsOfSeason, seasonID), defaultPage, ladder.scanResult)
	if err != nil {
		return plan, err
	}
	if len(plan.Moves) > 0 || plan.Season.SettledAt != nil {
		plan.Final = true
		slices.SortFunc(plan.Moves, func(a, b Move) int {
			return cmp.Or(cmp.Compare(ladder.step(a.From), ladder.step(b.From)), cmp.Compare(a.Rank, b.Rank))
		})
		return plan, nil
	}
	if plan.Moves, err = u.plan(ladder, seasonID); err != nil || u.now.Before(plan.Season.EndsAt) {
		return plan, err
	}
	earlier, err := u.earlierSeason(seasonID)
	plan.Final = earlier == 0
	return plan, err
}

// plan works out the moves of a season as its boards are.
func (u *unit) plan(ladder ladder, seasonID int64) (moves []Move, err error) {
	for _, league := range ladder.leagues {
		board, err := scanRows(u.raw(planBoard, seasonID, league.ID), defaultPage, func(rows *sql.Rows, m *Move) error {
			return rows.Scan(&m.UserID, &m.WeeklyXP)
		})
		if err != nil {
			return nil, err
		}
		for i := range board {
			board[i].SeasonID, board[i].Rank, board[i].From = seasonID, int64(i)+1, league.ID
			ladder.judge(&board[i], int64(len(board)))
		}
		moves = append(moves, board...)
	}
	return moves, nil
}

// ladder is the leagues from the lowest tier to the highest, with the rules
// for climbing.
type ladder struct {
	leagues []models.League
	rules   *Rules
}

func (u *unit) ladder() (l ladder, err error) {
	l.rules = u.cfg.Rules
	err = u.raw(allLeagues).Scan(&l.leagues).Error
	return l, err
}

// step returns a league's place on the ladder: 0 is the lowest.
func (l ladder) step(leagueID int64) int {
	return slices.IndexFunc(l.leagues, func(league models.League) bool { return league.ID == leagueID })
}

// wins reports whether a place is one of the first that count.
func (l ladder) wins(rank, xp int64) bool {
	return rank <= l.rules.PromotePlaces && xp >= l.rules.PromoteXP
}

// judge fills in what becomes of m in a league of so many players.
func (l ladder) judge(m *Move, players int64) {
	step, to := l.step(m.From), 0
	switch {
	case l.wins(m.Rank, m.WeeklyXP) && step == len(l.leagues)-1:
		m.Reason, m.Prize = MoveChampion, l.rules.PrizeCoins
	case l.wins(m.Rank, m.WeeklyXP):
		m.Reason, m.Prize, to = MovePromoted, l.rules.PrizeCoins, 1
	case step == 0:
		m.Reason = MoveStays
	case m.WeeklyXP < l.rules.DemoteXP:
		m.Reason, to = MoveDemotedByXP, -1
	case m.Rank > players-l.rules.DemotePlaces:
		m.Reason, to = MoveDemotedByPlace, -1
	default:
		m.Reason = MoveStays
	}
	m.To = l.leagues[step+to].ID
}

// reason returns why a stored move was made: what judge said of it.
func (l ladder) reason(m Move) MoveReason {
	from, to := l.step(m.From), l.step(m.To)
	switch {
	case to > from:
		return MovePromoted
	case to < from && m.WeeklyXP < l.rules.DemoteXP:
		return MoveDemotedByXP
	case to < from:
		return MoveDemotedByPlace
	case from == len(l.leagues)-1 && l.wins(m.Rank, m.WeeklyXP):
		return MoveChampion
	}
	return MoveStays
}

// scanResult reads a row of season_results.
func (l ladder) scanResult(rows *sql.Rows, m *Move) error {
	err := rows.Scan(&m.SeasonID, &m.UserID, &m.From, &m.Rank, &m.WeeklyXP, &m.To, &m.Prize)
	m.Reason = l.reason(*m)
	return err
}
