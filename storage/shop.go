package storage

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/models"
)

// Shop is where coins become items.
type Shop struct{ engine *engine }

// PurchaseReceipt says what was bought.
type PurchaseReceipt struct {
	Item      models.ShopItem `json:"item"`
	PricePaid int64           `json:"price_paid"` // coins
	Balance   int64           `json:"balance"`    // coins left right after the purchase
	Repeated  bool            `json:"repeated"`   // bought before under the same id; nothing changed
}

// Owned is an item that a user has.
type Owned struct {
	models.ShopItem
	models.InventoryItem
	Equipped bool `gorm:"column:equipped" json:"equipped"`
}

// Put stores an item under its slug, or changes the one that is there, and
// returns it with its id. An item keeps its slot, and what was bought keeps the
// price that was paid.
func (s *Shop) Put(ctx context.Context, item models.ShopItem) (models.ShopItem, error) {
	item.Slug, item.Slot = strings.TrimSpace(item.Slug), strings.TrimSpace(item.Slot)
	switch {
	case item.Slug == "":
		return item, invalid("slug", "is empty")
	case item.Slot == "":
		return item, invalid("slot", "is empty")
	case item.Price < 0:
		return item, invalid("price", "is %d: give coins, 0 or more", item.Price)
	}
	err := cmp.Or(checkText("slug", item.Slug), checkText("name", item.Name), checkText("description", item.Description),
		checkText("slot", item.Slot), checkText("rarity", item.Rarity), checkText("asset_value", item.AssetValue))
	if err != nil {
		return item, err
	}
	err = s.engine.write(ctx, func(u *unit) error {
		found, err := u.putNew(&item)
		if err != nil || found == nil {
			return err
		}
		item.ID = found.ID
		if item.Slot != found.Slot {
			return invalid("slot", "of item %q is %q and cannot change, because it may be worn there: put a new item", item.Slug, found.Slot)
		}
		return u.table(item).Model(&item).
			Select("name", "description", "rarity", "price", "asset_value", "active").Updates(&item).Error
	})
	return item, err
}

// Catalogue returns what is for sale, by slot and price.
func (s *Shop) Catalogue(ctx context.Context) (items []models.ShopItem, err error) {
	err = s.engine.read(ctx, func(u *unit) error { return u.raw(catalogue, true).Scan(&items).Error })
	return items, err
}

// Item returns the item of that slug, for sale or not, or ErrNotFound.
func (s *Shop) Item(ctx context.Context, slug string) (item models.ShopItem, err error) {
	err = s.engine.read(ctx, func(u *unit) error {
		found, err := first[models.ShopItem](u.raw(itemBySlug, strings.TrimSpace(slug)))
		if err == nil && found == nil {
			err = fmt.Errorf("item %q: %w", slug, ErrNotFound)
		}
		item = deref(found)
		return err
	})
	return item, err
}

// Purchase buys an item at the shop's price, in one transaction that holds
// the user's row from its start (S32, S33). purchaseID is made by the client,
// version 7: the same purchase again returns what was paid first, Repeated, and
// costs nothing; the same id for another item is ErrConflict. It returns
// ErrNotFound, ErrNotForSale, ErrAlreadyOwned or an *InsufficientFundsError;
// then nothing has changed.
func (s *Shop) Purchase(ctx context.Context, userID, itemID int64, purchaseID models.ID) (receipt PurchaseReceipt, err error) {
	err = s.engine.write(ctx, func(u *unit) error {
		if err := u.checkID("purchase_id", purchaseID); err != nil {
			return err
		}
		receipt, err = u.purchase(userID, itemID, purchaseID)
		return err
	})
	return receipt, err
}

// Equip puts an item that the user owns into its slot, replacing what is there,
// and gives the user the next version. If it is worn already, nothing changes.
// It returns ErrNotFound, ErrNotOwned, or a *VersionError if the user does not
// meet one of the conditions, if any are given: IfVersion makes one.
//
// Without conditions it is repeatable, as Users.Update is.
func (s *Shop) Equip(ctx context.Context, userID, itemID int64, only ...Condition) error {
	return s.engine.write(ctx, func(u *unit) error { return u.equip(userID, itemID, only) })
}

// Unequip empties a slot and gives the user the next version. If the slot is
// empty, nothing changes. It returns ErrNotFound when there is no such user,
// and a *VersionError as Equip does.
func (s *Shop) Unequip(ctx context.Context, userID int64, slot string, only ...Condition) error {
	return s.engine.write(ctx, func(u *unit) error { return u.unequip(userID, strings.TrimSpace(slot), only) })
}

// Inventory returns what a user owns, by item id, and which of it they wear
// (S12).
func (s *Shop) Inventory(ctx context.Context, userID int64) (owned []Owned, err error) {
	err = s.engine.read(ctx, func(u *unit) error { return u.raw(inventoryOfUser, userID).Scan(&owned).Error })
	return owned, err
}

var (
	catalogue = declare(`SELECT * FROM {shop_items} WHERE active = ? ORDER BY slot, price, id`,
		"SEARCH shop_items USING INDEX idx_shop_items_catalogue (active=?)")
	itemByID = declare(`SELECT * FROM {shop_items} WHERE id = ?`,
		"SEARCH shop_items USING INTEGER PRIMARY KEY (rowid=?)")
	itemBySlug = declare(`SELECT * FROM {shop_items} WHERE slug = ?`,
		"SEARCH shop_items USING INDEX idx_shop_items_slug (slug=?)")
	ownedItem = declare(`SELECT * FROM {inventory} WHERE user_id = CAST(? AS BIGINT) AND item_id = ?`,
		"SEARCH inventory USING PRIMARY KEY (user_id=? AND item_id=?)")
	wornInSlot = declare(`SELECT * FROM {loadouts} WHERE user_id = CAST(? AS BIGINT) AND slot = CAST(? AS TEXT)`,
		"SEARCH loadouts USING PRIMARY KEY (user_id=? AND slot=?)")
	purchaseByID = declare(`SELECT * FROM {inventory} WHERE user_id = CAST(? AS BIGINT) AND purchase_id = ?`,
		"SEARCH inventory USING INDEX idx_inventory_purchase (user_id=? AND purchase_id=?)")
	inventoryOfUser = declare(`
SELECT i.*, items.*, worn.item_id IS NOT NULL AS equipped
FROM {inventory} AS i
JOIN {shop_items} AS items ON items.id = i.item_id
LEFT JOIN {loadouts} AS worn
  ON worn.user_id = i.user_id AND worn.slot = items.slot AND worn.item_id = i.item_id
WHERE i.user_id = CAST(? AS BIGINT)
ORDER BY i.item_id`,
		"SEARCH i USING PRIMARY KEY (user_id=?)",
		"SEARCH items USING INTEGER PRIMARY KEY (rowid=?)",
		"SEARCH worn USING PRIMARY KEY (user_id=? AND slot=?) LEFT-JOIN")
)

// putNew stores an item whose slug is new, or returns the one that has it.
func (u *unit) putNew(item *models.ShopItem) (*models.ShopItem, error) {
	found, err := first[models.ShopItem](u.raw(itemBySlug, item.Slug))
	if err != nil || found != nil {
		return found, err
	}
	item.ID = 0
	created := u.table(item).Clauses(clause.OnConflict{DoNothing: true}).Create(item)
	if created.Error != nil || created.RowsAffected > 0 {
		return nil, created.Error
	}
	found, err = first[models.ShopItem](u.raw(itemBySlug, item.Slug)) // of another process, at this moment
	if err == nil && found == nil {
		err = errLost
	}
	return found, err
}

func (u *unit) purchase(userID, itemID int64, purchaseID models.ID) (PurchaseReceipt, error) {
	user, err := u.lockUser(userID)
	if err != nil {
		return PurchaseReceipt{}, err
	}
	item, err := u.item(itemID)
	if err != nil {
		return PurchaseReceipt{}, err
	}
	before, err := first[models.InventoryItem](u.raw(purchaseByID, userID, purchaseID))
	if err != nil {
		return PurchaseReceipt{}, err
	}
	if before != nil {
		return u.boughtBefore(*before, *item)
	}
	owned, err := first[models.InventoryItem](u.raw(ownedItem, userID, itemID))
	switch {
	case err != nil:
		return PurchaseReceipt{}, err
	case owned != nil:
		return PurchaseReceipt{}, fmt.Errorf("item %q: %w", item.Slug, ErrAlreadyOwned)
	case !item.Active:
		return PurchaseReceipt{}, fmt.Errorf("item %q: %w", item.Slug, ErrNotForSale)
	case user.Coins < item.Price:
		return PurchaseReceipt{}, &InsufficientFundsError{Have: user.Coins, Need: item.Price}
	}
	return u.buy(user, *item, purchaseID)
}

// buy takes the coins and gives the item.
func (u *unit) buy(user *models.User, item models.ShopItem, purchaseID models.ID) (PurchaseReceipt, error) {
	err := u.credit(user, entry{id: purchaseID, delta: -item.Price, reason: ReasonPurchase, reference: item.Slug})
	if err != nil {
		return PurchaseReceipt{}, err
	}
	if err := u.saveUser(user, "coins", "updated_at"); err != nil {
		return PurchaseReceipt{}, err
	}
	row := models.InventoryItem{
		UserID: user.ID, ItemID: item.ID, PricePaid: item.Price, PurchaseID: purchaseID, AcquiredAt: u.now,
	}
	receipt := PurchaseReceipt{Item: item, PricePaid: item.Price, Balance: user.Coins}
	return receipt, u.table(row).Create(&row).Error
}

// boughtBefore returns the first receipt of a purchase.
func (u *unit) boughtBefore(before models.InventoryItem, item models.ShopItem) (PurchaseReceipt, error) {
	if before.ItemID != item.ID {
		return PurchaseReceipt{}, fmt.Errorf("purchase %s: %w", before.PurchaseID, ErrConflict)
	}
	paid, err := first[models.CoinEntry](u.raw(ledgerEntry, before.UserID, before.PurchaseID))
	receipt := PurchaseReceipt{Item: item, PricePaid: before.PricePaid, Balance: deref(paid).BalanceAfter, Repeated: true}
	return receipt, err
}

func (u *unit) equip(userID, itemID int64, only []Condition) error {
	user, err := u.lockUserIf(userID, only)
	if err != nil {
		return err
	}
	item, err := u.item(itemID)
	if err != nil {
		return err
	}
	owned, err := first[models.InventoryItem](u.raw(ownedItem, userID, itemID))
	if err != nil {
		return err
	}
	if owned == nil {
		return fmt.Errorf("item %q: %w", item.Slug, ErrNotOwned)
	}
	before, err := first[models.Loadout](u.raw(wornInSlot, userID, item.Slot))
	if err != nil || before != nil && before.ItemID == itemID {
		return err
	}
	upsert := clause.OnConflict{
		Columns:   []clause.Column{{Name: "user_id"}, {Name: "slot"}},
		DoUpdates: clause.AssignmentColumns([]string{"item_id"}),
	}
	row := models.Loadout{UserID: userID, Slot: item.Slot, ItemID: itemID}
	if err := u.table(row).Clauses(upsert).Create(&row).Error; err != nil {
		return err
	}
	return u.saveChange(user)
}

func (u *unit) unequip(userID int64, slot string, only []Condition) error {
	user, err := u.lockUserIf(userID, only)
	if err != nil {
		return err
	}
	emptied := u.table(models.Loadout{}).Where("user_id = CAST(? AS BIGINT) AND slot = ?", userID, storable(slot)).
		Delete(&models.Loadout{})
	if emptied.Error != nil || emptied.RowsAffected == 0 {
		return emptied.Error
	}
	return u.saveChange(user)
}

// item returns an item, or ErrNotFound.
func (u *unit) item(id int64) (*models.ShopItem, error) {
	item, err := first[models.ShopItem](u.raw(itemByID, id))
	if err == nil && item == nil {
		err = fmt.Errorf("item %d: %w", id, ErrNotFound)
	}
	return item, err
}
