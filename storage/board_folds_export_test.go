package storage

import "context"

// LargeRange is largeRange.
const LargeRange = largeRange

// CutBoard cuts a board into ranges anew.
func CutBoard(ctx context.Context, s *Store, seasonID, leagueID int64) error {
	return s.engine.cut(ctx, board{seasonID, leagueID})
}

// AwaitFold waits for the fold that is under way.
func AwaitFold(s *Store) { s.engine.folds.all.Wait() }
