package storage

import (
	"context"

	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// EraseReceipt says what was removed, and nothing about who it was.
type EraseReceipt struct {
	UserID int64            `json:"user_id"`
	Rows   map[string]int64 `json:"rows"` // that were removed, by table, without prefix
}

// Erase removes everything that is stored about a user in one transaction and
// returns how many rows of which table (P12, N15). Boards and searches do not
// have them any more; what is of others stays as it is, ranks of settled
// seasons among it. The id is not given to anybody else; the uid and the e-mail
// are free.
//
// It is not repeatable: where there is no such user, not any more among them,
// it returns ErrNotFound. What Touch keeps in memory for the user is never
// written. Removed rows may be in the free pages of the file, in the
// write-ahead log and in backups for a while.
func (s *Users) Erase(ctx context.Context, userID int64) (receipt EraseReceipt, err error) {
	err = s.engine.write(ctx, func(u *unit) error {
		receipt, err = u.erase(userID)
		return err
	})
	return receipt, err
}

// personal are the tables with rows of users, those that refer to others
// first.
var personal = []schema.Tabler{
	models.Loadout{}, models.InventoryItem{}, models.CoinEntry{},
	models.SeasonResult{}, models.LeagueParticipant{},
	models.RollupTask{}, models.MasteryRollup{}, models.MasteryStat{},
	models.AnswerEvent{}, models.Session{},
}

// erase removes a user table by table: the foreign keys would do it too, but
// do not count.
func (u *unit) erase(userID int64) (EraseReceipt, error) {
	if _, err := u.lockUser(userID); err != nil {
		return EraseReceipt{}, err
	}
	receipt := EraseReceipt{UserID: userID, Rows: make(map[string]int64, len(personal)+1)}
	remove := func(table schema.Tabler, key string) error {
		result := u.tx.Exec("DELETE FROM "+u.name(table)+" WHERE "+key+" = CAST(? AS BIGINT)", userID)
		receipt.Rows[table.TableName()] = result.RowsAffected
		return result.Error
	}
	for _, table := range personal {
		if err := remove(table, "user_id"); err != nil {
			return EraseReceipt{}, err
		}
	}
	if err := remove(models.User{}, "id"); err != nil {
		return EraseReceipt{}, err
	}
	return receipt, nil
}
