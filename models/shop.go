package models

import "time"

// ShopItem is something that coins buy.
type ShopItem struct {
	ID          int64  `gorm:"column:id;primaryKey" json:"id"`
	Slug        string `gorm:"column:slug" json:"slug"` // unique
	Name        string `gorm:"column:name" json:"name"`
	Description string `gorm:"column:description" json:"description"`
	Slot        string `gorm:"column:slot" json:"slot"`               // where it is worn: one item a slot
	Rarity      string `gorm:"column:rarity" json:"rarity"`           // the application's own word
	Price       int64  `gorm:"column:price" json:"price"`             // coins
	AssetValue  string `gorm:"column:asset_value" json:"asset_value"` // what the client draws
	Active      bool   `gorm:"column:active" json:"active"`           // for sale
}

// TableName returns the table's name without prefix.
func (ShopItem) TableName() string { return "shop_items" }

// InventoryItem is an item that a user owns.
type InventoryItem struct {
	UserID     int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	ItemID     int64     `gorm:"column:item_id;primaryKey;autoIncrement:false" json:"item_id"`
	PricePaid  int64     `gorm:"column:price_paid" json:"price_paid"` // coins
	PurchaseID ID        `gorm:"column:purchase_id" json:"purchase_id"`
	AcquiredAt time.Time `gorm:"column:acquired_at;serializer:flashstore_millis" json:"acquired_at"`
}

// TableName returns the table's name without prefix.
func (InventoryItem) TableName() string { return "inventory" }

// Loadout is the item that a user wears in a slot.
type Loadout struct {
	UserID int64  `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	Slot   string `gorm:"column:slot;primaryKey" json:"slot"`
	ItemID int64  `gorm:"column:item_id" json:"item_id"`
}

// TableName returns the table's name without prefix.
func (Loadout) TableName() string { return "loadouts" }
