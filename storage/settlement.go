package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/models"
)

// SettleResult is what the settlement of a season came to, counted over those
// participants who are still stored.
type SettleResult struct {
	Season       models.Season `json:"season"`
	Participants int64         `json:"participants"`
	Promoted     int64         `json:"promoted"` // to a higher tier
	Demoted      int64         `json:"demoted"`  // to a lower tier
	Paid         int64         `json:"paid"`     // users with a prize
	Coins        int64         `json:"coins"`    // of all prizes
	// Repeated says that the season was settled before, and that this call
	// changed nothing. Of all calls for a season just one says false: the one
	// that completed it.
	Repeated bool `json:"repeated"`
}

// SeasonOpenError says that a season cannot be settled because it still runs.
// Nothing was changed.
type SeasonOpenError struct {
	SeasonID int64
	EndsAt   time.Time
}

func (e *SeasonOpenError) Error() string {
	return fmt.Sprintf("season %d runs until %s: settle it then", e.SeasonID, e.EndsAt.Format(time.RFC3339))
}

// EarlierSeasonError says that a season cannot be settled because an earlier
// one, in which somebody played, is not: leagues follow from it. Nothing was
// changed.
type EarlierSeasonError struct {
	SeasonID int64
	Earlier  int64 // the first season that is to be settled
}

func (e *EarlierSeasonError) Error() string {
	return fmt.Sprintf("season %d waits for season %d, which is not settled: settle that first, or all with SettleDue",
		e.SeasonID, e.Earlier)
}

// Settle ends a season: it does what Plan says, once, however often and from
// however many processes it is called (N3). A season that is settled already is
// left as it is, and its result returned, Repeated.
//
// The plan is frozen in one transaction, which writes everybody's result. From
// that moment the season counts as settled for late XP, as do all weeks before
// it: XP that arrives later goes to the present season and does not change the
// plan. The same transaction begins to apply it; a large season is applied in
// further ones, of Config.SettleBatch users each, with other writers in
// between, and Season.SettledAt is set by the last. A settlement that was
// stopped anywhere is resumed by the next call of any process.
//
// Users who move also move on the boards of later seasons that they played in
// before this one was settled, with the XP that they have there. So a late
// settlement leads to the same leagues as one at the bell.
//
// It returns a *SeasonOpenError before the season's end, an
// *EarlierSeasonError while an earlier one is not settled, and ErrNotFound
// when nobody played in it: then there is nothing to settle.
func (s *Leagues) Settle(ctx context.Context, seasonID int64) (result SettleResult, err error) {
	ctx = Fresh(ctx)
	err = s.engine.read(ctx, func(u *unit) error { // most are settled: no need to wait for the writer
		result.Season, err = u.storedSeason(seasonID)
		return err
	})
	if err != nil {
		return SettleResult{}, err
	}
	step := settleStep{season: result.Season, done: result.Season.SettledAt != nil, repeated: true}
	for !step.done {
		next := settleStep{}
		err = s.engine.write(ctx, func(u *unit) error {
			next, err = u.settle(seasonID, step.after)
			return err
		})
		if err != nil {
			return SettleResult{}, err
		}
		step = next
	}
	result.Season, result.Repeated = step.season, step.repeated
	err = s.engine.read(ctx, func(u *unit) error { return u.countResults(&result) })
	return result, err
}

// SettleDue settles all seasons that have ended, one by one, the earliest
// first, and returns the results of those that it settled itself. It is meant
// to be called at each bell (see Schedule) and at start-up, by any number of
// processes: if nothing is due it costs one short query and waits for nobody.
//
// A week in which nobody played, or whose players were all erased, needs no
// settlement: nobody moves for it, and whoever did not play in a season keeps
// their league. After an error the seasons settled so far stay settled, and the
// next call goes on.
func (s *Leagues) SettleDue(ctx context.Context) (results []SettleResult, err error) {
	for {
		due, err := s.firstDue(ctx)
		if err != nil || due == 0 {
			return results, err
		}
		result, err := s.Settle(ctx, due)
		if earlier := (*EarlierSeasonError)(nil); errors.As(err, &earlier) {
			continue // late XP has just come to a week before
		}
		if err != nil {
			return results, err
		}
		if !result.Repeated {
			results = append(results, result)
		}
	}
}

// firstDue returns the first season that has ended and is not settled, or 0.
func (s *Leagues) firstDue(ctx context.Context) (id int64, err error) {
	err = s.engine.read(Fresh(ctx), func(u *unit) error {
		return u.raw(dueSeason, seasonOf(u.now, u.zone).ID, u.now.UnixMilli()).Scan(&id).Error
	})
	return id, err
}

// There is a season a week: at most these look at all of them, which are few.
// One in which nobody played may be stored: on PostgreSQL a season is made when
// it is locked, before it is known whether XP comes to it. It stays open, for
// those who come late.
var (
	dueSeason = declare(`
SELECT s.id FROM {seasons} AS s
WHERE s.id <= CAST(? AS BIGINT) AND s.ends_at <= CAST(? AS BIGINT) AND s.settled_at IS NULL
  AND EXISTS (SELECT 1 FROM {league_participants} AS p WHERE p.season_id = s.id)
ORDER BY s.id LIMIT 1`,
		"SEARCH s USING INTEGER PRIMARY KEY (rowid<?)",
		"SEARCH p EXISTS USING COVERING INDEX idx_league_participants_leaderboard (season_id=?)")
	earlierSeason = declare(`
SELECT s.id FROM {seasons} AS s
WHERE s.id < CAST(? AS BIGINT) AND s.settled_at IS NULL
  AND EXISTS (SELECT 1 FROM {league_participants} AS p WHERE p.season_id = s.id)
ORDER BY s.id LIMIT 1`,
		"SEARCH s USING INTEGER PRIMARY KEY (rowid<?)",
		"SEARCH p EXISTS USING COVERING INDEX idx_league_participants_leaderboard (season_id=?)")
	resultSums = declare(`
SELECT count(*),
  CAST(coalesce(sum(CASE WHEN next.tier > own.tier THEN 1 ELSE 0 END), 0) AS BIGINT),
  CAST(coalesce(sum(CASE WHEN next.tier < own.tier THEN 1 ELSE 0 END), 0) AS BIGINT),
  CAST(coalesce(sum(CASE WHEN r.prize > 0 THEN 1 ELSE 0 END), 0) AS BIGINT),
  CAST(coalesce(sum(r.prize), 0) AS BIGINT)
FROM {season_results} AS r
JOIN {leagues} AS own ON own.id = r.league_id
JOIN {leagues} AS next ON next.id = r.moved_to
WHERE r.season_id = CAST(? AS BIGINT)`,
		"SEARCH r USING PRIMARY KEY (season_id=?)",
		"SEARCH own USING INTEGER PRIMARY KEY (rowid=?)",
		"SEARCH next USING INTEGER PRIMARY KEY (rowid=?)")
)

// settleStep is what one transaction of a settlement has done.
type settleStep struct {
	season   models.Season
	after    int64 // the last user whose result is applied
	done     bool  // the season is settled
	repeated bool  // and was so before
}

// settle does one transaction's part of a settlement: it freezes the plan, if
// that is not done yet, and applies the results of users with ids above after.
func (u *unit) settle(seasonID, after int64) (step settleStep, err error) {
	if step.season, err = u.lockToSettle(seasonID); err != nil {
		return step, err
	}
	if step.season.SettledAt != nil {
		step.done, step.repeated = true, true
		return step, nil
	}
	if err := u.checkDue(step.season); err != nil {
		return step, err
	}
	if err := u.freeze(step.season); err != nil {
		return step, err
	}
	if step.after, step.done, err = u.applyResults(step.season, after); err != nil || !step.done {
		return step, err
	}
	step.season.SettledAt = &u.now
	return step, u.table(models.Season{}).Where("id = ?", seasonID).Update("settled_at", u.now.UnixMilli()).Error
}

// storedSeason returns a season in which somebody played, or ErrNotFound.
func (u *unit) storedSeason(id int64) (models.Season, error) {
	season, err := first[models.Season](u.raw(seasonByID, id))
	return seasonFound(id, season, err)
}

// lockToSettle is storedSeason for a season that gets no XP until the
// transaction's end.
func (u *unit) lockToSettle(id int64) (models.Season, error) {
	season, err := first[models.Season](u.rawLocking(seasonByID, "FOR UPDATE", id))
	return seasonFound(id, season, err)
}

func seasonFound(id int64, season *models.Season, err error) (models.Season, error) {
	if err == nil && season == nil {
		err = fmt.Errorf("season %d, in which nobody has played: %w", id, ErrNotFound)
	}
	return deref(season), err
}

// checkDue returns why a season cannot be settled now.
func (u *unit) checkDue(season models.Season) error {
	if u.now.Before(season.EndsAt) {
		return &SeasonOpenError{SeasonID: season.ID, EndsAt: season.EndsAt}
	}
	earlier, err := u.earlierSeason(season.ID)
	if err == nil && earlier != 0 {
		err = &EarlierSeasonError{SeasonID: season.ID, Earlier: earlier}
	}
	return err
}

// earlierSeason returns the first season before one that is to be settled
// first, or 0.
func (u *unit) earlierSeason(id int64) (earlier int64, err error) {
	err = u.raw(earlierSeason, id).Scan(&earlier).Error
	return earlier, err
}

// countResults fills in the sums of a season's results.
func (u *unit) countResults(result *SettleResult) error {
	rows, err := scanRows(u.raw(resultSums, result.Season.ID), 1, func(rows *sql.Rows, r *SettleResult) error {
		return rows.Scan(&r.Participants, &r.Promoted, &r.Demoted, &r.Paid, &r.Coins)
	})
	if err != nil {
		return err
	}
	rows[0].Season, rows[0].Repeated = result.Season, result.Repeated
	*result = rows[0]
	return nil
}
