package storage

import (
	"context"
	"fmt"
)

// ResultOf returns what a season brought a user. It is there from the moment
// that the season's plan is frozen (see Settle), a little before the prize is
// booked where the season is large. It returns ErrNotFound before, and when
// the user did not play in the season.
func (s *Leagues) ResultOf(ctx context.Context, seasonID, userID int64) (result Move, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		found, err := u.results(resultOfUser, 1, userID, seasonID)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("result of user %d in season %d: %w", userID, seasonID, ErrNotFound)
		}
		if err == nil {
			result = found[0]
		}
		return err
	})
	return result, err
}

// ResultsOfUser returns up to limit results of a user in seasons before one,
// the latest first; a before of 0 begins with the latest of all. A limit of 0
// means 50; the most is 1000.
func (s *Leagues) ResultsOfUser(ctx context.Context, userID, before int64, limit int) (results []Move, err error) {
	if limit, err = pageSize("limit", limit); err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	err = s.engine.snapshot(ctx, func(u *unit) error {
		results, err = u.results(resultsBefore, expectedRows(limit), userID, before, limit)
		return err
	})
	return results, err
}

var (
	resultOfUser = declare(`
SELECT season_id, user_id, league_id, rank, weekly_xp, moved_to, prize FROM {season_results}
WHERE user_id = CAST(? AS BIGINT) AND season_id = CAST(? AS BIGINT)`,
		"SEARCH season_results USING PRIMARY KEY (season_id=? AND user_id=?)")
	resultsBefore = declare(`
SELECT season_id, user_id, league_id, rank, weekly_xp, moved_to, prize FROM {season_results}
WHERE user_id = CAST(? AS BIGINT) AND season_id < CAST(? AS BIGINT)
ORDER BY season_id DESC LIMIT CAST(? AS BIGINT)`,
		"SEARCH season_results USING INDEX idx_season_results_user (user_id=? AND season_id<?)")
)

// results reads stored moves with their reasons.
func (u *unit) results(q *query, expected int, args ...any) ([]Move, error) {
	ladder, err := u.ladder()
	if err != nil {
		return nil, err
	}
	return scanRows(u.raw(q, args...), expected, ladder.scanResult)
}
