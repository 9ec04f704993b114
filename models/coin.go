package models

import "time"

// CoinEntry is one change of a user's coins. The entries of a user are
// numbered without gap, and each says the balance that it left.
type CoinEntry struct {
	UserID       int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	Seq          int64     `gorm:"column:seq;primaryKey;autoIncrement:false" json:"seq"` // from 1
	EntryID      ID        `gorm:"column:entry_id" json:"entry_id"`                      // unique for the user: a change is booked once
	Delta        int64     `gorm:"column:delta" json:"delta"`                            // coins; 0 for an item that costs nothing
	BalanceAfter int64     `gorm:"column:balance_after" json:"balance_after"`
	Reason       string    `gorm:"column:reason" json:"reason"`       // such as welcome, session, purchase
	Reference    string    `gorm:"column:reference" json:"reference"` // what it was for: a session's id, an item's slug
	CreatedAt    time.Time `gorm:"column:created_at;serializer:flashstore_millis;autoCreateTime:false" json:"created_at"`
}

// TableName returns the table's name without prefix.
func (CoinEntry) TableName() string { return "coin_ledger" }
