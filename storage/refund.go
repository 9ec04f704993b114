package storage

import (
	"context"
	"fmt"

	"github.com/flashstore/flashstore/models"
)

// RefundReceipt says what came back for an item.
type RefundReceipt struct {
	Item     models.ShopItem `json:"item"`
	Refunded int64           `json:"refunded"` // coins: what was paid for it
	Balance  int64           `json:"balance"`  // coins right after the refund
	Repeated bool            `json:"repeated"` // refunded before under the same id; nothing changed
}

// Refund undoes a purchase in one transaction: the item leaves the inventory
// and, if it is worn, its slot (the user then gets the next version), and the
// price that was paid for it comes back, whatever it costs today. The item can
// be bought again, with a purchase id of its own: the one that was refunded
// stays used up (ErrConflict).
//
// refundID is made by the caller, version 7: the same refund again returns the
// first receipt, Repeated, and changes nothing, even where the item was bought
// again since; the same id for something else is ErrConflict. It returns
// ErrNotFound when there is no such user or item, and ErrNotOwned; then nothing
// has changed.
func (s *Shop) Refund(ctx context.Context, userID, itemID int64, refundID models.ID) (receipt RefundReceipt, err error) {
	if err := s.engine.now().checkID("refund_id", refundID); err != nil {
		return receipt, err
	}
	err = s.engine.write(ctx, func(u *unit) error {
		receipt, err = u.refund(userID, itemID, refundID)
		return err
	})
	return receipt, err
}

func (u *unit) refund(userID, itemID int64, refundID models.ID) (RefundReceipt, error) {
	user, err := u.lockUser(userID)
	if err != nil {
		return RefundReceipt{}, err
	}
	item, err := u.item(itemID)
	if err != nil {
		return RefundReceipt{}, err
	}
	before, err := first[models.CoinEntry](u.raw(ledgerEntry, userID, refundID))
	if err != nil {
		return RefundReceipt{}, err
	}
	if before != nil {
		return refundedBefore(*before, *item)
	}
	owned, err := first[models.InventoryItem](u.raw(ownedItem, userID, itemID))
	if err != nil {
		return RefundReceipt{}, err
	}
	if owned == nil {
		return RefundReceipt{}, fmt.Errorf("refund item %q: %w", item.Slug, ErrNotOwned)
	}
	return u.takeBack(user, *item, *owned, refundID)
}

// takeBack takes the item off, takes it, and gives the coins.
func (u *unit) takeBack(user *models.User, item models.ShopItem, owned models.InventoryItem, refundID models.ID) (RefundReceipt, error) {
	paid := entry{id: refundID, delta: owned.PricePaid, reason: ReasonRefund, reference: item.Slug}
	changed := []string{"coins", "updated_at"}
	err := firstError(
		func() error {
			off := u.table(models.Loadout{}).Where("user_id = CAST(? AS BIGINT) AND item_id = CAST(? AS BIGINT)", user.ID, item.ID).
				Delete(&models.Loadout{})
			if off.RowsAffected > 0 {
				user.Version++
				changed = append(changed, "version")
			}
			return off.Error
		},
		func() error {
			return u.table(owned).Where("user_id = CAST(? AS BIGINT) AND item_id = CAST(? AS BIGINT)", user.ID, item.ID).
				Delete(&models.InventoryItem{}).Error
		},
		func() error { _, err := u.creditNew(user, paid); return err },
		func() error { return u.saveUser(user, changed...) },
	)
	if err != nil {
		return RefundReceipt{}, err
	}
	return RefundReceipt{Item: item, Refunded: owned.PricePaid, Balance: user.Coins}, nil
}

// refundedBefore returns the first receipt of a refund. The entry's reference
// is the slug, which an item keeps.
func refundedBefore(before models.CoinEntry, item models.ShopItem) (RefundReceipt, error) {
	if before.Reason != ReasonRefund || before.Reference != item.Slug {
		return RefundReceipt{}, fmt.Errorf("refund %s: %w", before.EntryID, ErrConflict)
	}
	return RefundReceipt{Item: item, Refunded: before.Delta, Balance: before.BalanceAfter, Repeated: true}, nil
}
