package models

import "time"

// User is a learner. Service code holds ID; UID and Email are for the edge.
type User struct {
	ID           int64     `gorm:"column:id;primaryKey" json:"id"`
	UID          string    `gorm:"column:uid" json:"uid"`                                    // opaque text of the application's, unique
	Email        string    `gorm:"column:email;serializer:flashstore_nullable" json:"email"` // lower case, unique; "" is none
	Name         string    `gorm:"column:name" json:"name"`                                  // as shown to others
	Level        int64     `gorm:"column:level" json:"level"`                                // from 1, by TotalXP
	TotalXP      int64     `gorm:"column:total_xp" json:"total_xp"`                          // of all sessions
	Coins        int64     `gorm:"column:coins" json:"coins"`                                // the balance that coin_ledger proves
	LeagueID     int64     `gorm:"column:league_id" json:"league_id"`                        // where the next season is played
	CreatedAt    time.Time `gorm:"column:created_at;serializer:flashstore_millis;autoCreateTime:false" json:"created_at"`
	Version      int64     `gorm:"column:version" json:"version"` // from 1, of e-mail, name and what is worn
	UpdatedAt    time.Time `gorm:"column:updated_at;serializer:flashstore_millis;autoUpdateTime:false" json:"updated_at"`
	LastActiveAt time.Time `gorm:"column:last_active_at;serializer:flashstore_millis" json:"last_active_at"` // end of the latest session or last touch, not before CreatedAt
}

// TableName returns the table's name without prefix.
func (User) TableName() string { return "users" }
