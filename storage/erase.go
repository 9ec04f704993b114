package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
)

// EraseReceipt says what was removed, and nothing about who it was.
type EraseReceipt struct {
	UserID int64            `json:"user_id"`
	Rows   map[string]int64 `json:"rows"` // that were removed, by table, without prefix
}

// Erase removes everything that is stored about a user in one transaction and
// returns how many rows of which table (P12, N15). Boards and searches no
// longer show them; what belongs to others stays as it is, including ranks of
// settled seasons. The id is never given to anybody else; the uid and the
// e-mail are free again.
//
// Archived answers go too: on PostgreSQL in the same transaction, on SQLite from
// the archive's file, once that transaction is committed and on the disk. If
// the file cannot be opened, Erase returns an *ArchiveError and removes
// nothing. An error after the commit says so; what is left in the file then is
// in no export, log or level any more, and is removed by the next Archive, or
// by Erase called again.
//
// It is not repeatable: if there is no such user, or no longer, it returns
// ErrNotFound. What Touch keeps in memory for the user is never written.
// Removed rows may be in the free pages of the file, in the write-ahead log and
// in backups for a while. The words of the name leave the index of Search in
// the same transaction; if a program without FTS5 erases a user in a file that
// has such an index, the words and the name stay in it, found by nobody, until
// the next Search or start of a store with FTS5. On PostgreSQL the places that
// the user had are still noted (board_moves) until a fold adds them up, which
// Erase begins when it is done; if a range of a board begins at such a place
// (board_ranges), the user's id may stay there as a bound until the board is
// cut again.
func (s *Users) Erase(ctx context.Context, userID int64) (receipt EraseReceipt, err error) {
	var afterCommit error
	err = s.engine.write(ctx, func(u *unit) error {
		var inFile bool
		if receipt, inFile, err = u.erase(userID); err != nil || !inFile {
			return err
		}
		main := u.moved.main
		return hooks.AfterCommit(u.tx, func() {
			_, afterCommit = main.forget(context.WithoutCancel(ctx), []int64{userID})
		})
	})
	switch {
	case err == nil && afterCommit != nil:
		err = fmt.Errorf("user %d is erased, except for archived answers, which the next Archive removes: %w", userID, afterCommit)
	case errors.Is(err, ErrNotFound):
		err = errors.Join(err, s.engine.forgetLeft(context.WithoutCancel(ctx), userID))
	case err == nil && s.engine.locksRows:
		s.engine.folds.begin() // adds up the places that the user had
	}
	return receipt, err
}

// personal are the tables with rows of users, those that refer to others
// first.
var personal = []schema.Tabler{
	models.Loadout{}, models.InventoryItem{}, models.CoinEntry{},
	models.SeasonResult{}, models.LeagueParticipant{},
	models.RollupTask{}, models.MasteryRollup{}, models.MasteryStat{},
	models.SetAsideAnswer{}, models.AnswerEvent{}, models.ArchiveHorizon{}, models.Session{},
}

// erase removes a user table by table: the foreign keys would do it too, but
// do not count. inFile says that answers of theirs are in the archive's file.
func (u *unit) erase(userID int64) (_ EraseReceipt, inFile bool, err error) {
	if _, err := u.lockUser(userID); err != nil {
		return EraseReceipt{}, false, err
	}
	horizon, err := u.horizon(userID)
	if err == nil && !u.locksRows {
		inFile, err = u.inFile(userID, horizon)
	}
	if err != nil {
		return EraseReceipt{}, false, err
	}
	receipt := EraseReceipt{UserID: userID, Rows: make(map[string]int64, len(personal)+1)}
	remove := func(table schema.Tabler, key string) error {
		result := u.tx.Exec("DELETE FROM "+u.name(table)+" WHERE "+key+" = CAST(? AS BIGINT)", userID)
		receipt.Rows[table.TableName()] = result.RowsAffected
		return result.Error
	}
	tables := personal
	if u.locksRows {
		tables = append([]schema.Tabler{models.ArchivedAnswer{}}, personal...)
	} else if horizon != nil {
		receipt.Rows[models.ArchivedAnswer{}.TableName()] = horizon.Answers
	}
	for _, table := range tables {
		if err := remove(table, "user_id"); err != nil {
			return EraseReceipt{}, false, err
		}
	}
	if err := remove(models.User{}, "id"); err != nil {
		return EraseReceipt{}, false, err
	}
	return receipt, inFile, u.forgetWords(userID)
}
