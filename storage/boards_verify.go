package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// BoardDifference is a board whose ranges, from which ranks are worked out,
// count more or fewer players than stand there. It names the first such range.
type BoardDifference struct {
	SeasonID int64 `json:"season_id"`
	LeagueID int64 `json:"league_id"`
	// Range is as stored, with what is noted of its places since; with no players
	// where none is.
	Range   models.BoardRange `json:"range"`
	Players int64             `json:"players"`
}

// String says which board it is and what is wrong with it.
func (d BoardDifference) String() string {
	return fmt.Sprintf("season %d, league %d: the range from XP %d counts %d players, %d stand there",
		d.SeasonID, d.LeagueID, -d.Range.FromMinusXP, d.Range.Players, d.Players)
}

// VerifyBoards counts the players of all boards again and compares them with
// the ranges from which ranks are worked out. It returns the boards that
// differ, by season and tier; none if all is well. The database itself keeps
// the ranges, whoever writes; but REPLACE, which deletes rows without firing
// triggers unless PRAGMA recursive_triggers is on, and a program that switches
// triggers off leave them wrong.
//
// It changes nothing, reads each board at a moment of its own, so that no
// snapshot stays open for long, and takes about a second for a million players.
func (s *Leagues) VerifyBoards(ctx context.Context) (differences []BoardDifference, err error) {
	err = s.eachBoard(ctx, func(b board) error {
		return s.engine.snapshot(ctx, func(u *unit) error {
			difference, err := u.verifyRanges(b)
			if difference != nil {
				differences = append(differences, *difference)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return differences, nil
}

// board names one.
type board struct{ season, league int64 }

// There is a season a week and a handful of leagues: these are all boards that
// there can be.
var (
	allBoards = declare(`
SELECT s.id, l.id FROM {seasons} AS s CROSS JOIN {leagues} AS l
WHERE s.id > 0 AND l.tier >= 1 ORDER BY s.id, l.tier`,
		"SEARCH s USING INTEGER PRIMARY KEY (rowid>?)",
		"SEARCH l USING COVERING INDEX idx_leagues_tier (tier>?)")
	rangesOfBoard = declare(`
SELECT season_id, league_id, from_minus_xp, from_reached_at, from_user, players FROM {board_ranges}
WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY from_minus_xp, from_reached_at, from_user`,
		"SEARCH board_ranges USING PRIMARY KEY (season_id=? AND league_id=?)")
	movesOfBoard = declare(`
SELECT minus_xp, reached_at, of_user, CAST(sum(players) AS BIGINT) FROM {board_moves}
WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
GROUP BY minus_xp, reached_at, of_user ORDER BY minus_xp, reached_at, of_user`,
		"SCAN board_moves",
		"USE TEMP B-TREE FOR GROUP BY").because("there are few, and none on SQLite")
	placesOfBoard = declare(`
SELECT -weekly_xp, reached_at, user_id, 1 FROM {league_participants}
WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY weekly_xp DESC, reached_at, user_id`,
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)")
)

// eachBoard calls fn with every board.
func (s *Leagues) eachBoard(ctx context.Context, fn func(board) error) error {
	var boards []board
	err := s.engine.read(Fresh(ctx), func(u *unit) (err error) {
		boards, err = scanRows(u.raw(allBoards), 0, func(rows *sql.Rows, b *board) error {
			return rows.Scan(&b.season, &b.league)
		})
		return err
	})
	for _, b := range boards {
		if err != nil {
			break
		}
		err = fn(b)
	}
	return err
}

// verifyRanges returns the first range of a board that differs from the places
// that stand in it, or nil.
func (u *unit) verifyRanges(b board) (*BoardDifference, error) {
	ranges, err := scanRows(u.raw(rangesOfBoard, b.season, b.league), 0, scanRange)
	if err != nil {
		return nil, err
	}
	ranges = wholeBoard(b, ranges)
	noted, err := countByRange(ranges, u.raw(movesOfBoard, b.season, b.league))
	if err != nil {
		return nil, err
	}
	players, err := countByRange(ranges, u.raw(placesOfBoard, b.season, b.league))
	if err != nil {
		return nil, err
	}
	for i, r := range ranges {
		if r.Players += noted[i]; r.Players != players[i] {
			return &BoardDifference{SeasonID: b.season, LeagueID: b.league, Range: r, Players: players[i]}, nil
		}
	}
	return nil, nil
}

// countByRange returns how many players the places that a query returns are in
// each of a board's ranges. Both are in the order of the board.
func countByRange(ranges []models.BoardRange, places *gorm.DB) ([]int64, error) {
	counted := make([]int64, len(ranges))
	at := 0 // the range of the place
	var place models.BoardRange
	err := eachRow(places, func(rows *sql.Rows) error {
		if err := rows.Scan(&place.FromMinusXP, (*millis)(&place.FromReachedAt), &place.FromUser, &place.Players); err != nil {
			return err
		}
		for at+1 < len(ranges) && !isAhead(place, ranges[at+1]) {
			at++
		}
		counted[at] += place.Players
		return nil
	})
	if err != nil {
		return nil, err // not all places were read
	}
	return counted, nil
}

// wholeBoard returns ranges that begin with the first of the board: with an
// empty one, where that one is missing.
func wholeBoard(b board, ranges []models.BoardRange) []models.BoardRange {
	if len(ranges) > 0 && ranges[0].FromMinusXP == firstMinusXP {
		return ranges
	}
	first := models.BoardRange{
		SeasonID: b.season, LeagueID: b.league, FromMinusXP: firstMinusXP, FromReachedAt: time.UnixMilli(0).UTC(),
	}
	return append([]models.BoardRange{first}, ranges...)
}

// isAhead reports whether a begins ahead of b on their board.
func isAhead(a, b models.BoardRange) bool {
	switch {
	case a.FromMinusXP != b.FromMinusXP:
		return a.FromMinusXP < b.FromMinusXP
	case !a.FromReachedAt.Equal(b.FromReachedAt):
		return a.FromReachedAt.Before(b.FromReachedAt)
	}
	return a.FromUser < b.FromUser
}

func scanRange(rows *sql.Rows, r *models.BoardRange) error {
	return rows.Scan(&r.SeasonID, &r.LeagueID, &r.FromMinusXP, (*millis)(&r.FromReachedAt), &r.FromUser, &r.Players)
}
