package storage

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Dashboard is what a user's first page shows, all of it of one moment.
type Dashboard struct {
	At   time.Time   `json:"at"`   // the moment, by the store's clock
	User models.User `json:"user"` // Coins is the balance

	Today Practice `json:"today"` // from midnight to midnight in the rules' zone
	Week  Practice `json:"week"`  // from bell to bell

	Recent     []models.Session     `json:"recent"`     // up to 10, the latest first
	Weakest    []models.MasteryStat `json:"weakest"`    // up to 10 facts of all operations, as Mastery.Weakest has them
	Operations []OperationMastery   `json:"operations"` // those that were practised, by name

	Season   models.Season `json:"season"`   // the present one
	Standing *Standing     `json:"standing"` // in it; nil: no session yet

	Worn []models.ShopItem `json:"worn"` // the loadout, by slot
}

// Practice sums up the sessions that began in [Since, Until), by the time in
// their ids.
type Practice struct {
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Sessions int64     `json:"sessions"`
	Answers  int64     `json:"answers"`
	Correct  int64     `json:"correct"`
	XP       int64     `json:"xp"`
}

// OperationMastery sums up what a user knows of one operation.
type OperationMastery struct {
	Operation string `json:"operation"`
	Facts     int64  `json:"facts"` // that were answered
	// ByLevel counts them: ByLevel[2] have a level from 2 to less than 3,
	// ByLevel[5] have 5.
	ByLevel       [6]int64     `json:"by_level"`
	AverageLevel  models.Level `json:"average_level"` // to the nearest hundredth
	Attempts      int64        `json:"attempts"`
	Correct       int64        `json:"correct"`
	AvgResponseMS int64        `json:"avg_response_ms"` // to the nearest
}

// The lists of a dashboard have up to this many rows.
const (
	dashboardSessions = 10
	dashboardFacts    = 10
)

// Dashboard returns what a user's first page shows: the user, today's and this
// week's practice, recent sessions, the facts that are known least, a summary
// of each operation, the place in the present season, the balance and what is
// worn. It is one snapshot in nine statements, whatever the history is: none
// reads the log, and none more than the user's facts, their sessions of this
// week, or a few thousand places of their league; on PostgreSQL all that are
// ahead of them. It returns ErrNotFound when there is no such user.
func (s *Users) Dashboard(ctx context.Context, userID int64) (dashboard Dashboard, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		user, err := u.user(userByID, userID)
		if err != nil {
			return err
		}
		dashboard = Dashboard{At: u.now, User: user}
		return firstError(
			func() error { return u.dashboardSeason(&dashboard) },
			func() error { return u.dashboardPractice(&dashboard) },
			func() error { return u.dashboardMastery(&dashboard) },
			func() error { return u.raw(wornItems, userID).Scan(&dashboard.Worn).Error },
		)
	})
	if err != nil {
		return Dashboard{}, err
	}
	return dashboard, nil
}

var (
	practiceBetween = declare(`
SELECT count(*),
  CAST(coalesce(sum(total_count), 0) AS BIGINT),
  CAST(coalesce(sum(correct_count), 0) AS BIGINT),
  CAST(coalesce(sum(xp_earned), 0) AS BIGINT)
FROM {sessions}
WHERE user_id = CAST(? AS BIGINT) AND created_at >= CAST(? AS BIGINT) AND created_at < CAST(? AS BIGINT)`,
		"SEARCH sessions USING INDEX idx_sessions_user_date (user_id=? AND created_at>? AND created_at<?)")
	masterySummary = declare(`
SELECT operation, count(*), avg(mastery_level),
  CAST(sum(attempts) AS BIGINT), CAST(sum(correct_count) AS BIGINT), CAST(sum(total_response_ms) AS BIGINT),
  sum(CASE WHEN mastery_level < 1 THEN 1 ELSE 0 END),
  sum(CASE WHEN mastery_level < 2 THEN 1 ELSE 0 END),
  sum(CASE WHEN mastery_level < 3 THEN 1 ELSE 0 END),
  sum(CASE WHEN mastery_level < 4 THEN 1 ELSE 0 END),
  sum(CASE WHEN mastery_level < 5 THEN 1 ELSE 0 END)
FROM {mastery_stats} WHERE user_id = CAST(? AS BIGINT) GROUP BY operation ORDER BY operation`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=?)")
	weakestFacts = declare(selectMastery+`
WHERE user_id = CAST(? AS BIGINT)
ORDER BY mastery_level,
  CAST(correct_count AS DOUBLE PRECISION) / attempts,
  CAST(total_response_ms AS DOUBLE PRECISION) / attempts DESC,
  operation, fact
LIMIT CAST(? AS BIGINT)`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=?)",
		"USE TEMP B-TREE FOR ORDER BY").
		because("a user has hundreds of facts, and the few that are kept are sorted as they come")
	wornItems = declare(`
SELECT items.* FROM {loadouts} AS worn
JOIN {shop_items} AS items ON items.id = worn.item_id
WHERE worn.user_id = CAST(? AS BIGINT) ORDER BY worn.slot`,
		"SEARCH worn USING PRIMARY KEY (user_id=?)",
		"SEARCH items USING INTEGER PRIMARY KEY (rowid=?)")
)

// dashboardSeason fills in the season and the place in it.
func (u *unit) dashboardSeason(d *Dashboard) (err error) {
	if d.Season, err = u.season(u.now); err != nil {
		return err
	}
	standing, err := u.standing(d.Season.ID, d.User.ID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		d.Standing = &standing
	}
	return err
}

// dashboardPractice fills in sums and sessions.
func (u *unit) dashboardPractice(d *Dashboard) (err error) {
	year, month, day := u.now.In(u.zone).Date()
	today, tomorrow := startOfDay(year, month, day, u.zone), startOfDay(year, month, day+1, u.zone)
	return firstError(
		func() error { d.Today, err = u.practice(d.User.ID, today, tomorrow); return err },
		func() error { d.Week, err = u.practice(d.User.ID, d.Season.StartsAt, d.Season.EndsAt); return err },
		func() error { return u.raw(recentSessions, d.User.ID, dashboardSessions).Scan(&d.Recent).Error },
	)
}

// practice sums up the sessions of a time.
func (u *unit) practice(userID int64, since, until time.Time) (Practice, error) {
	q := u.raw(practiceBetween, userID, since.UnixMilli(), until.UnixMilli())
	sums, err := scanRows(q, 1, func(rows *sql.Rows, p *Practice) error {
		p.Since, p.Until = since.UTC(), until.UTC()
		return rows.Scan(&p.Sessions, &p.Answers, &p.Correct, &p.XP)
	})
	if err != nil {
		return Practice{}, err
	}
	return sums[0], nil
}

// dashboardMastery fills in the summaries and the weakest facts.
func (u *unit) dashboardMastery(d *Dashboard) (err error) {
	if d.Operations, err = scanRows(u.raw(masterySummary, d.User.ID), 4, scanSummary); err != nil {
		return err
	}
	d.Weakest, err = scanRows(u.raw(weakestFacts, d.User.ID, dashboardFacts), dashboardFacts, scanMastery)
	return err
}

// scanSummary reads what masterySummary returns.
func scanSummary(rows *sql.Rows, s *OperationMastery) error {
	var totalMS int64
	var below [5]int64 // facts below level 1, 2, 3, 4, 5
	err := rows.Scan(&s.Operation, &s.Facts, &s.AverageLevel, &s.Attempts, &s.Correct, &totalMS,
		&below[0], &below[1], &below[2], &below[3], &below[4])
	if err != nil {
		return err
	}
	s.AvgResponseMS = (totalMS + s.Attempts/2) / s.Attempts
	s.ByLevel[0] = below[0]
	for level := 1; level < len(below); level++ {
		s.ByLevel[level] = below[level] - below[level-1]
	}
	s.ByLevel[5] = s.Facts - below[4]
	return nil
}
