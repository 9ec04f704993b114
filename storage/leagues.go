package storage

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Leagues are the weekly competition. One rule orders a page, a rank and a
// window (N19): more XP first, then who reached it first, then the smaller
// user id.
type Leagues struct{ engine *engine }

// lowestLeague is the id of the league that new users play in; the first
// migration makes it.
const lowestLeague = 1

// maxXP bounds what is booked at once, so that no sum overflows.
const maxXP = 1 << 40

// Standing is a user's place on a board.
type Standing struct {
	Rank      int64     `gorm:"-" json:"rank"` // from 1
	UserID    int64     `gorm:"column:user_id" json:"user_id"`
	UID       string    `gorm:"column:uid" json:"uid"`
	Name      string    `gorm:"column:name" json:"name"`
	LeagueID  int64     `gorm:"column:league_id" json:"league_id"`
	WeeklyXP  int64     `gorm:"column:weekly_xp" json:"weekly_xp"`
	ReachedAt time.Time `gorm:"column:reached_at;serializer:flashstore_millis" json:"reached_at"`
}

// BoardPage is a part of a board.
type BoardPage struct {
	Standings []Standing `json:"standings"`
	Next      Cursor     `json:"next"` // of the page that follows; "": this is the last
}

// All returns the leagues from the lowest tier to the highest.
func (s *Leagues) All(ctx context.Context) (leagues []models.League, err error) {
	err = s.engine.read(ctx, func(u *unit) error { return u.raw(allLeagues).Scan(&leagues).Error })
	return leagues, err
}

// BookXP adds XP to a user's standing in the season that a moment falls in, or
// in the present one if that is settled (see Settle), and returns the season.
// Submit does it for sessions; this is for XP of other kinds. It is not
// repeatable by itself: call it inside the transaction that records what it is
// for, with store.In(tx).
func (s *Leagues) BookXP(ctx context.Context, userID, xp int64, at time.Time) (season models.Season, err error) {
	if xp < 0 || xp > maxXP {
		return season, invalid("xp", "is %d: give 0 to %d", xp, maxXP)
	}
	if at, err = checkTime("at", at); err != nil {
		return season, err
	}
	out, err := s.engine.book(ctx, booking{userID: userID, league: &leagueXP{xp, at}})
	return out.season, err
}

// Board returns up to limit places of a league's board in a season, from the
// top or after a cursor (S11, S17). A cursor of another board or season is
// refused with ErrCursor. A limit of 0 means 50; the most is 1000.
func (s *Leagues) Board(ctx context.Context, seasonID, leagueID int64, after Cursor, limit int) (page BoardPage, err error) {
	if limit, err = pageSize("limit", limit); err != nil {
		return page, err
	}
	if after == "" {
		page.Standings, err = s.top(ctx, seasonID, leagueID, limit+1)
	} else {
		page.Standings, err = s.behind(ctx, seasonID, leagueID, after, limit+1)
	}
	if len(page.Standings) > limit {
		page.Standings = page.Standings[:limit]
		page.Next = cursorAt(placeOf(seasonID, page.Standings[limit-1]))
	}
	return page, err
}

// top returns up to limit places from the top, ranked. They are counted as
// they come, so that one query is all of it.
func (s *Leagues) top(ctx context.Context, seasonID, leagueID int64, limit int) (list []Standing, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		list, err = scanRows(u.raw(boardTop, seasonID, leagueID, limit), expectedRows(limit), scanStanding)
		number(list, 1)
		return err
	})
	return list, err
}

// behind returns up to limit places after a cursor, ranked by what is ahead of
// the first at the same moment.
func (s *Leagues) behind(ctx context.Context, seasonID, leagueID int64, after Cursor, limit int) (list []Standing, err error) {
	from, err := after.place(seasonID, leagueID)
	if err != nil {
		return nil, err
	}
	err = s.engine.snapshot(ctx, func(u *unit) error {
		list, err = u.behind(from, limit)
		if err != nil || len(list) == 0 {
			return err
		}
		first, err := u.standing(seasonID, list[0].UserID)
		number(list, first.Rank)
		return err
	})
	return list, err
}

// Rank returns a user's place in a season, or ErrNotFound when they have not
// played in it.
func (s *Leagues) Rank(ctx context.Context, seasonID, userID int64) (standing Standing, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		standing, err = u.standing(seasonID, userID)
		return err
	})
	return standing, err
}

// Window returns a user's place in a season with up to radius places above
// and below it, from the top. It returns ErrNotFound when they have not
// played in it. A radius of 0 means 50; the most is 1000.
func (s *Leagues) Window(ctx context.Context, seasonID, userID int64, radius int) (window []Standing, err error) {
	if radius, err = pageSize("radius", radius); err != nil {
		return nil, err
	}
	err = s.engine.snapshot(ctx, func(u *unit) error {
		own, err := u.standing(seasonID, userID)
		if err != nil {
			return err
		}
		above, err := u.ahead(placeOf(seasonID, own), radius)
		if err != nil {
			return err
		}
		below, err := u.behind(placeOf(seasonID, own), radius)
		window = slices.Concat(above, []Standing{own}, below)
		number(window, own.Rank-int64(len(above)))
		return err
	})
	return window, err
}

// The inner part of the boards' queries stands on the covering index alone;
// names are looked up for the places that are shown. Those of equal XP, who may
// be most of a board, are found by themselves; with a plus before it, a user id
// is a plain value to SQLite, which then takes both columns of the comparison
// to the index.
var (
	allLeagues = declare(`SELECT * FROM {leagues} WHERE tier >= 1 ORDER BY tier`,
		"SEARCH leagues USING INDEX idx_leagues_tier (tier>?)")
	boardTop = declare(`
SELECT p.user_id, p.league_id, p.weekly_xp, p.reached_at, users.uid, users.name
FROM {league_participants} AS p
JOIN {users} AS users ON users.id = p.user_id
WHERE p.season_id = CAST(? AS BIGINT) AND p.league_id = CAST(? AS BIGINT)
ORDER BY p.weekly_xp DESC, p.reached_at, p.user_id
LIMIT CAST(? AS BIGINT)`,
		"SEARCH p USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)",
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)")
	boardBehind = declare(`
SELECT p.user_id, p.league_id, p.weekly_xp, p.reached_at, users.uid, users.name
FROM (
  SELECT user_id, league_id, weekly_xp, reached_at FROM {league_participants}
  WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT) AND weekly_xp = CAST(? AS BIGINT)
    AND (reached_at, user_id) > (CAST(? AS BIGINT), +CAST(? AS BIGINT))
  UNION ALL
  SELECT user_id, league_id, weekly_xp, reached_at FROM {league_participants}
  WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT) AND weekly_xp < CAST(? AS BIGINT)
  ORDER BY weekly_xp DESC, reached_at, user_id
  LIMIT CAST(? AS BIGINT)) AS p
JOIN {users} AS users ON users.id = p.user_id
ORDER BY p.weekly_xp DESC, p.reached_at, p.user_id`,
		"CO-ROUTINE p",
		"MERGE (UNION ALL)",
		"LEFT",
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp=? AND (reached_at,user_id)>(?,?))",
		"RIGHT",
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp<?)",
		"SCAN p",
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)").because("p is the page, in its order")
	boardAhead = declare(`
SELECT p.user_id, p.league_id, p.weekly_xp, p.reached_at, users.uid, users.name
FROM (
  SELECT user_id, league_id, weekly_xp, reached_at FROM {league_participants}
  WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT) AND weekly_xp = CAST(? AS BIGINT)
    AND (reached_at, user_id) < (CAST(? AS BIGINT), +CAST(? AS BIGINT))
  UNION ALL
  SELECT user_id, league_id, weekly_xp, reached_at FROM {league_participants}
  WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT) AND weekly_xp > CAST(? AS BIGINT)
  ORDER BY weekly_xp, reached_at DESC, user_id DESC
  LIMIT CAST(? AS BIGINT)) AS p
JOIN {users} AS users ON users.id = p.user_id
ORDER BY p.weekly_xp, p.reached_at DESC, p.user_id DESC`,
		"CO-ROUTINE p",
		"MERGE (UNION ALL)",
		"LEFT",
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp=? AND (reached_at,user_id)<(?,?))",
		"RIGHT",
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp>?)",
		"SCAN p",
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)").because("p is the page, in its order")
)

// scanStanding reads a place of a board, without its rank.
func scanStanding(rows *sql.Rows, s *Standing) error {
	return rows.Scan(&s.UserID, &s.LeagueID, &s.WeeklyXP, (*millis)(&s.ReachedAt), &s.UID, &s.Name)
}

// scanRanked reads what placeOfUser returns: a place and its rank, one more
// than the places ahead of it.
func scanRanked(rows *sql.Rows, s *Standing) error {
	return rows.Scan(&s.UserID, &s.LeagueID, &s.WeeklyXP, (*millis)(&s.ReachedAt), &s.UID, &s.Name, &s.Rank)
}

// standingIn returns what XP makes of a user's standing in a season: of a new
// one, or to be added to the one that is there.
func standingIn(season models.Season, user *models.User, xp leagueXP) models.LeagueParticipant {
	row := models.LeagueParticipant{
		SeasonID: season.ID, LeagueID: user.LeagueID, UserID: user.ID, WeeklyXP: xp.xp, ReachedAt: season.StartsAt,
	}
	if xp.xp > 0 && xp.at.After(season.StartsAt) { // late XP is of a season before
		row.ReachedAt = xp.at
	}
	return row
}

// plus adds one standing to another.
func plus(a, b models.LeagueParticipant) models.LeagueParticipant {
	a.WeeklyXP += b.WeeklyXP
	if b.ReachedAt.After(a.ReachedAt) {
		a.ReachedAt = b.ReachedAt
	}
	return a
}

var insertStandings = declareInsert(`
INSERT INTO {league_participants} AS stored (season_id, league_id, user_id, weekly_xp, reached_at)`,
	"bigint, bigint, bigint, bigint, bigint", `
ON CONFLICT (user_id, season_id) DO UPDATE SET
  weekly_xp = stored.weekly_xp + excluded.weekly_xp,
  reached_at = CASE WHEN excluded.reached_at > stored.reached_at THEN excluded.reached_at ELSE stored.reached_at END`)

// addStandings adds to the standings that are there. Whoever plays in a season
// stays in the league that they began it in, unless an earlier season is
// settled meanwhile and moves them.
func (u *unit) addStandings(rows []models.LeagueParticipant) error {
	args := make([]any, 0, len(rows)*insertStandings.columns)
	for _, r := range rows {
		args = append(args, r.SeasonID, r.LeagueID, r.UserID, r.WeeklyXP, r.ReachedAt.UnixMilli())
	}
	_, err := u.put(insertStandings, args)
	if u.locksRows {
		u.folds.add(len(rows))
	}
	return err
}

// standing returns a user's place with its rank.
func (u *unit) standing(seasonID, userID int64) (Standing, error) {
	found, err := scanRows(u.raw(placeOfUser, userID, seasonID), 1, scanRanked)
	if err != nil {
		return Standing{}, err
	}
	if len(found) == 0 {
		return Standing{}, fmt.Errorf("user %d in season %d: %w", userID, seasonID, ErrNotFound)
	}
	return found[0], nil
}

// behind returns up to limit places behind p, without ranks.
func (u *unit) behind(p place, limit int) ([]Standing, error) {
	return scanRows(u.raw(boardBehind, p.Season, p.League, p.XP, p.Reached, p.User, p.Season, p.League, p.XP, limit),
		expectedRows(limit), scanStanding)
}

// ahead returns up to limit places ahead of p, from the top, without ranks.
func (u *unit) ahead(p place, limit int) ([]Standing, error) {
	list, err := scanRows(u.raw(boardAhead, p.Season, p.League, p.XP, p.Reached, p.User, p.Season, p.League, p.XP, limit),
		expectedRows(limit), scanStanding)
	slices.Reverse(list)
	return list, err
}

// number ranks neighbours from the top, the first of which has that rank.
func number(list []Standing, rank int64) {
	for i := range list {
		list[i].Rank = rank + int64(i)
	}
}
