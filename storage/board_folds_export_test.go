package storage

import "context"

// LargeRange is largeRange.
const LargeRange = largeRange

// Cut cuts a board into ranges anew.
func (s *Leagues) Cut(ctx context.Context, seasonID, leagueID int64) error {
	return s.engine.cut(ctx, board{seasonID, leagueID})
}

// AwaitFold waits for the fold that is under way.
func (s *Store) AwaitFold() { s.engine.folds.all.Wait() }
