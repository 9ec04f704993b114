package storage

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
)

// firstMinusXP is where the first range of a board begins: ahead of any XP.
const firstMinusXP = -1<<63 + 1

// RebuildBoards cuts the boards that VerifyBoards finds different into ranges
// anew, each in a transaction of its own, and returns how many boards they were:
// 0 where all was well, and then nothing is written. Ranks are right as soon as
// their board is done. It may be repeated; after an error it returns how many
// boards were done until then.
//
// On PostgreSQL it first adds the changes of places that are noted to their
// ranges, as the store does by itself from time to time.
func (s *Leagues) RebuildBoards(ctx context.Context) (rebuilt int, err error) {
	if s.engine.locksRows {
		if err := s.engine.foldMoves(ctx); err != nil {
			return 0, err
		}
	}
	differences, err := s.VerifyBoards(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range differences {
		if err := s.engine.cut(ctx, board{d.SeasonID, d.LeagueID}); err != nil {
			return rebuilt, err
		}
		rebuilt++
	}
	return rebuilt, nil
}

// cutBoard cuts a board that has no ranges into those of 1,024 players: the next
// thousand find room in each. On PostgreSQL it forgets the moves that are noted,
// in the same statement and so at the same moment: who has moved until then is
// counted, and who moves later is noted.
var cutBoard = declare(`
INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
SELECT CAST(? AS BIGINT), CAST(? AS BIGINT), `+rangesOfPlaces,
	"CO-ROUTINE places",
	"CO-ROUTINE (subquery-3)",
	"CO-ROUTINE (subquery-4)",
	"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)",
	"SCAN (subquery-4)",
	"SCAN (subquery-3)",
	"SCAN places").because("it reads the board, in its order").
	onPostgres(`
WITH forgotten AS (
  DELETE FROM {board_moves} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT))
INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
SELECT season_id, league_id, ` + rangesOfPlaces)

const rangesOfPlaces = `
  CASE ahead WHEN 0 THEN -9223372036854775807 ELSE -weekly_xp END,
  CASE ahead WHEN 0 THEN 0 ELSE reached_at END, CASE ahead WHEN 0 THEN 0 ELSE user_id END,
  CASE WHEN players - ahead < 1024 THEN players - ahead ELSE 1024 END
FROM (
  SELECT season_id, league_id, weekly_xp, reached_at, user_id, count(*) OVER () AS players,
    row_number() OVER (ORDER BY weekly_xp DESC, reached_at, user_id) - 1 AS ahead
  FROM {league_participants} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)) AS places
WHERE ahead % 1024 = 0`

// cut cuts a board anew.
func (e *engine) cut(ctx context.Context, b board) error {
	err := e.writeRanges(ctx, func(u *unit) error {
		err := u.table(models.BoardRange{}).
			Where("season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)", b.season, b.league).
			Delete(&models.BoardRange{}).Error
		if err != nil {
			return err
		}
		return u.tx.Exec(u.texts[cutBoard], b.season, b.league, b.season, b.league).Error
	})
	if err != nil {
		return fmt.Errorf("cut the board of league %d in season %d into ranges: %w", b.league, b.season, err)
	}
	return nil
}

// writeRanges runs fn in a transaction of its own, in which nobody else writes
// ranges. On PostgreSQL, whatever its isolation, it sees what was committed
// before it had the lock: a moment begins with the first statement behind LOCK.
func (e *engine) writeRanges(ctx context.Context, fn func(*unit) error) error {
	if e.db == nil {
		return ErrNotInUse
	}
	return hooks.Transaction(ctx, e.db, func(tx *gorm.DB) error {
		u := e.unit(tx)
		if u.locksRows {
			lock := "LOCK TABLE " + u.name(models.BoardRange{}) + " IN SHARE ROW EXCLUSIVE MODE"
			if err := u.tx.Exec(lock).Error; err != nil {
				return err
			}
		}
		return fn(u)
	})
}
