package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/models"
)

// builtRange is how many players a rebuilt range has: the next thousand find
// room in it.
const builtRange = 1024

// BoardDifference is a board whose ranges, from which ranks are worked out,
// count more or fewer players than stand there. It names the first such range.
type BoardDifference struct {
	SeasonID int64             `json:"season_id"`
	LeagueID int64             `json:"league_id"`
	Range    models.BoardRange `json:"range"` // as stored; with no players where none is
	Players  int64             `json:"players"`
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
// On PostgreSQL there are no ranges, and nothing can differ.
func (s *Leagues) VerifyBoards(ctx context.Context) (differences []BoardDifference, err error) {
	err = s.eachBoard(ctx, func(b board) error {
		return s.engine.snapshot(ctx, func(u *unit) error {
			_, difference, err := u.buildRanges(b)
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

// RebuildBoards rebuilds the ranges of the boards that VerifyBoards finds
// different, each in a transaction of its own, and returns how many boards
// there were: 0 if all was well, and then nothing is written. Ranks are right
// as soon as their board is done. It may be repeated; after an error it returns
// how many boards were done so far.
func (s *Leagues) RebuildBoards(ctx context.Context) (rebuilt int, err error) {
	differences, err := s.VerifyBoards(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range differences {
		err := s.engine.write(ctx, func(u *unit) error { return u.rebuildRanges(board{d.SeasonID, d.LeagueID}) })
		if err != nil {
			return rebuilt, fmt.Errorf("rebuild the board of league %d in season %d: %w", d.LeagueID, d.SeasonID, err)
		}
		rebuilt++
	}
	return rebuilt, nil
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
	placesOfBoard = declare(`
SELECT -weekly_xp, reached_at, user_id FROM {league_participants}
WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
ORDER BY weekly_xp DESC, reached_at, user_id`,
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)")
)

// eachBoard calls fn with every board, where the database keeps ranges.
func (s *Leagues) eachBoard(ctx context.Context, fn func(board) error) error {
	var boards []board
	err := s.engine.read(Fresh(ctx), func(u *unit) (err error) {
		if u.locksRows {
			return context.Cause(ctx)
		}
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

// buildRanges returns the ranges that a board would have if they were rebuilt,
// and the first that differs of those that it has, or nil.
func (u *unit) buildRanges(b board) (built []models.BoardRange, difference *BoardDifference, err error) {
	stored, err := scanRows(u.raw(rangesOfBoard, b.season, b.league), 0, scanRange)
	if err != nil {
		return nil, nil, err
	}
	stored = wholeBoard(b, stored)
	counted := make([]int64, len(stored))
	at := 0 // the stored range of the place
	place := models.BoardRange{SeasonID: b.season, LeagueID: b.league, Players: 1}
	err = eachRow(u.raw(placesOfBoard, b.season, b.league), func(rows *sql.Rows) error {
		if err := rows.Scan(&place.FromMinusXP, (*millis)(&place.FromReachedAt), &place.FromUser); err != nil {
			return err
		}
		for at+1 < len(stored) && !isAhead(place, stored[at+1]) {
			at++
		}
		counted[at]++
		switch last := len(built) - 1; {
		case last < 0:
			built = wholeBoard(b, nil)
			built[0].Players = 1
		case built[last].Players == builtRange:
			built = append(built, place)
		default:
			built[last].Players++
		}
		return nil
	})
	if err != nil {
		return nil, nil, err // not all places were read
	}
	for i, r := range stored {
		if r.Players != counted[i] {
			return built, &BoardDifference{SeasonID: b.season, LeagueID: b.league, Range: r, Players: counted[i]}, nil
		}
	}
	return built, nil, nil
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

// rangeColumns is the number of columns of board_ranges.
const rangeColumns = 6

// rebuildRanges rebuilds the ranges of a board.
func (u *unit) rebuildRanges(b board) error {
	ranges, difference, err := u.buildRanges(b)
	if err != nil || difference == nil {
		return err
	}
	err = u.table(models.BoardRange{}).
		Where("season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)", b.season, b.league).
		Delete(&models.BoardRange{}).Error
	if err != nil || len(ranges) == 0 {
		return err
	}
	return insert(u.table(models.BoardRange{}), ranges, rangeColumns)
}
