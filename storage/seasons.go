package storage

import (
	"context"
	"time"

	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// Season returns the season that a moment falls in: Sunday 00:00 to Sunday
// 00:00 in the rules' zone. It is as stored where it is stored, and otherwise
// as it will be.
func (s *Leagues) Season(ctx context.Context, at time.Time) (season models.Season, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		season, err = u.season(at)
		return err
	})
	return season, err
}

var seasonByID = declare(`SELECT * FROM {seasons} WHERE id = ?`,
	"SEARCH seasons USING INTEGER PRIMARY KEY (rowid=?)")

// season returns the season of a moment, as stored where it is.
func (u *unit) season(at time.Time) (models.Season, error) {
	season := seasonOf(at, u.zone)
	found, err := first[models.Season](u.raw(seasonByID, season.ID))
	if err == nil && found != nil {
		season = *found
	}
	return season, err
}

// openSeason returns the season that XP of a moment goes to: its own, or the
// present one if its own is closed, or the first that is not closed if the
// present one is too, because another process's clock is ahead.
func (u *unit) openSeason(at time.Time) (models.Season, error) {
	season, err := u.lockSeason(at)
	for err == nil && (season.SettledAt != nil || !u.now.Before(season.EndsAt.Add(-bellMargin))) {
		var closed *models.Season
		if closed, err = u.lastClosed(season.ID); err != nil || closed == nil {
			break
		}
		season, err = u.lockSeason(later(u.now, closed.EndsAt))
	}
	return season, err
}

// bellMargin is how long before a season's end it is looked at whether a
// process whose clock is ahead has closed it.
const bellMargin = time.Hour

// A season is closed from the moment that its plan, or that of a later one, is
// frozen: what comes to it then would never be settled, or out of its order.
//
// The result that is looked for is the first one: of any, or of EXISTS,
// PostgreSQL expects that it is met soon, and reads all results of all seasons
// where a season has none.
var lastClosed = declare(`
SELECT s.* FROM {seasons} AS s
WHERE s.id >= CAST(? AS BIGINT)
  AND (s.settled_at IS NOT NULL
    OR (SELECT r.user_id FROM {season_results} AS r WHERE r.season_id = s.id ORDER BY r.user_id LIMIT 1) IS NOT NULL)
ORDER BY s.id DESC LIMIT 1`,
	"SEARCH s USING INTEGER PRIMARY KEY (rowid>?)",
	"CORRELATED SCALAR SUBQUERY 1",
	"SEARCH r USING PRIMARY KEY (season_id=?)")

// lastClosed returns the last closed season from one on, or nil. None that is
// open now is closed until the transaction's end.
func (u *unit) lastClosed(id int64) (*models.Season, error) {
	if u.locksRows {
		var open []int64
		if err := u.rawLocking(laterSeasons, "FOR SHARE", id).Scan(&open).Error; err != nil {
			return nil, err
		}
	}
	return first[models.Season](u.raw(lastClosed, id))
}

// later returns the later of two moments.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// seasonColumns is the number of columns of seasons.
const seasonColumns = 5

// keepSeasons stores seasons that are not there yet, past ones as well.
func (u *unit) keepSeasons(seasons []models.Season) error {
	return insert(u.table(models.Season{}).Clauses(clause.OnConflict{DoNothing: true}), seasons, seasonColumns)
}

// seasonOf computes the season of a moment. Its id is its first day, so that
// it does not depend on which season was made first.
func seasonOf(at time.Time, zone *time.Location) models.Season {
	local := at.In(zone)
	year, month, day := local.Date()
	day -= int(local.Weekday())
	first := time.Date(year, month, day, 12, 0, 0, 0, time.UTC)
	return models.Season{
		ID:       int64(first.Year()*10000 + int(first.Month())*100 + first.Day()),
		StartsAt: startOfDay(year, month, day, zone).UTC(),
		EndsAt:   startOfDay(year, month, day+7, zone).UTC(),
		Zone:     zone.String(),
	}
}

// startOfDay returns the first moment of a day. Where the clocks go forward at
// midnight that is 01:00; where they go back over it, the earlier midnight.
func startOfDay(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	year, month, day = noon.Date()
	t := time.Date(year, month, day, 0, 0, 0, 0, zone)
	if t.Day() != day {
		// There is no midnight: the day begins when the clocks change.
		_, t = t.ZoneBounds()
		return t
	}
	changed, _ := t.ZoneBounds()
	if changed.IsZero() {
		return t
	}
	if earlier := changed.Add(-time.Nanosecond); earlier.Day() == day && earlier.After(t.Add(-2*time.Hour)) {
		// The day had begun before the clocks went back.
		_, before := changed.Add(-time.Nanosecond).Zone()
		return time.Date(year, month, day, 0, 0, 0, 0, time.FixedZone("", before)).In(zone)
	}
	return t
}
