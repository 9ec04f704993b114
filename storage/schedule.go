package storage

import (
	"context"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Schedule returns the season that a moment falls in and those that follow it,
// weeks of them in all, by the calendar alone: the first one's StartsAt is the
// bell before the moment, its EndsAt the next one (P8). It asks no database, so
// SettledAt is nil. A week has 168 hours, or an hour less or more when the
// clocks change in the rules' zone: wait until EndsAt, not for a week. Weeks of
// 0 means 50; the most is 1000.
func (s *Leagues) Schedule(ctx context.Context, at time.Time, weeks int) (seasons []models.Season, err error) {
	if s.engine.db == nil {
		return nil, ErrNotInUse
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if weeks, err = pageSize("weeks", weeks); err != nil {
		return nil, err
	}
	if at, err = checkTime("at", at); err != nil {
		return nil, err
	}
	for range weeks {
		season := seasonOf(at, s.engine.zone)
		seasons = append(seasons, season)
		at = season.EndsAt
	}
	return seasons, nil
}
