package storage

import (
	"context"
	"database/sql"
	"fmt"
	"math"

	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// LoadoutFault says what is wrong with something that is worn.
type LoadoutFault string

const (
	// WornNotOwned: the user does not own the item.
	WornNotOwned LoadoutFault = "not owned"
	// WornElsewhere: the item is worn in a slot that is not its own.
	WornElsewhere LoadoutFault = "in another slot"
	// WornUnknown: there is no such item.
	WornUnknown LoadoutFault = "not in the shop"
)

// LoadoutFinding is an item that is worn and should not be, or in the wrong
// slot.
type LoadoutFinding struct {
	UserID  int64        `json:"user_id"`
	Slot    string       `json:"slot"` // where it is worn
	ItemID  int64        `json:"item_id"`
	OwnSlot string       `json:"own_slot"` // the item's; "": there is no such item
	Fault   LoadoutFault `json:"fault"`
}

func (f LoadoutFinding) String() string {
	return fmt.Sprintf("user %d, slot %q: item %d of slot %q is %s", f.UserID, f.Slot, f.ItemID, f.OwnSlot, f.Fault)
}

// LoadoutRepair is what became of a finding.
type LoadoutRepair struct {
	LoadoutFinding
	// MovedTo is the slot that the item is worn in now: its own, where that
	// was empty. "": it was taken off.
	MovedTo string `json:"moved_to"`
}

// CheckLoadouts checks whether everything that is worn is owned and in its own
// slot, and returns what is not, by user and slot (N14). The store's own
// methods and the database's foreign keys keep it so; other programs may write
// rows that break it. It reads all that is worn, at one moment, and keeps
// nobody waiting.
func (s *Shop) CheckLoadouts(ctx context.Context) (findings []LoadoutFinding, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		findings, err = u.wornWrongly(math.MinInt64, math.MaxInt64)
		return err
	})
	return findings, err
}

// RepairLoadouts repairs what CheckLoadouts finds, each user in a transaction
// of their own: what is owned moves to its own slot if that is empty; all else
// is taken off. Each user who was repaired gets the next version. It returns
// what it did, and may be called again at any time: if there is nothing to
// repair, it writes nothing.
func (s *Shop) RepairLoadouts(ctx context.Context) (repairs []LoadoutRepair, err error) {
	findings, err := s.CheckLoadouts(ctx)
	if err != nil {
		return nil, err
	}
	for i, finding := range findings {
		if i > 0 && finding.UserID == findings[i-1].UserID {
			continue
		}
		var done []LoadoutRepair
		err := s.engine.write(ctx, func(u *unit) (err error) {
			done, err = u.repairLoadout(finding.UserID)
			return err
		})
		if err != nil {
			return repairs, err
		}
		repairs = append(repairs, done...)
	}
	return repairs, nil
}

var wornWrongly = declare(`
SELECT worn.user_id, worn.slot, worn.item_id, coalesce(items.slot, ''), owned.item_id IS NOT NULL
FROM {loadouts} AS worn
LEFT JOIN {shop_items} AS items ON items.id = worn.item_id
LEFT JOIN {inventory} AS owned ON owned.user_id = worn.user_id AND owned.item_id = worn.item_id
WHERE worn.user_id >= CAST(? AS BIGINT) AND worn.user_id <= CAST(? AS BIGINT)
  AND (owned.item_id IS NULL OR items.slot IS NULL OR items.slot <> worn.slot)
ORDER BY worn.user_id, worn.slot`,
	"SEARCH worn USING PRIMARY KEY (user_id>? AND user_id<?)",
	"SEARCH items USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN",
	"SEARCH owned USING PRIMARY KEY (user_id=? AND item_id=?) LEFT-JOIN")

// wornWrongly finds what users with ids from one to another wear wrongly.
func (u *unit) wornWrongly(from, to int64) ([]LoadoutFinding, error) {
	return scanRows(u.raw(wornWrongly, from, to), 0, scanLoadoutFinding)
}

// scanLoadoutFinding reads what wornWrongly returns.
func scanLoadoutFinding(rows *sql.Rows, f *LoadoutFinding) error {
	var owned bool
	err := rows.Scan(&f.UserID, &f.Slot, &f.ItemID, &f.OwnSlot, &owned)
	switch {
	case !owned:
		f.Fault = WornNotOwned
	case f.OwnSlot == "":
		f.Fault = WornUnknown
	default:
		f.Fault = WornElsewhere
	}
	return err
}

// repairLoadout repairs what a user wears. All of it is taken off before
// anything is put on, so that two items in each other's slots change places.
func (u *unit) repairLoadout(userID int64) (repairs []LoadoutRepair, err error) {
	users, err := u.lockUsers([]int64{userID}) // who may be gone
	if err != nil {
		return nil, err
	}
	findings, err := u.wornWrongly(userID, userID)
	if err != nil {
		return nil, err
	}
	if len(findings) > 0 && len(users) > 0 {
		if err := u.saveChange(&users[0]); err != nil {
			return nil, err
		}
	}
	for _, f := range findings {
		err := u.table(models.Loadout{}).Where("user_id = CAST(? AS BIGINT) AND slot = ?", userID, f.Slot).
			Delete(&models.Loadout{}).Error
		if err != nil {
			return nil, err
		}
	}
	for _, f := range findings {
		repair := LoadoutRepair{LoadoutFinding: f}
		if repair.MovedTo, err = u.wearInOwnSlot(f); err != nil {
			return nil, err
		}
		repairs = append(repairs, repair)
	}
	return repairs, nil
}

// wearInOwnSlot puts an item that is owned into its slot if that is empty, and
// returns the slot if it did.
func (u *unit) wearInOwnSlot(f LoadoutFinding) (string, error) {
	if f.Fault != WornElsewhere {
		return "", nil
	}
	row := models.Loadout{UserID: f.UserID, Slot: f.OwnSlot, ItemID: f.ItemID}
	result := u.table(row).Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if result.Error != nil || result.RowsAffected == 0 {
		return "", result.Error
	}
	return f.OwnSlot, nil
}
