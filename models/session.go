package models

import "time"

// Session is one practice session as it was booked.
type Session struct {
	UserID        int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	ID            ID        `gorm:"column:id;primaryKey" json:"id"`
	Operation     string    `gorm:"column:operation" json:"operation"` // lower-case word
	StartedAt     time.Time `gorm:"column:started_at;serializer:flashstore_millis" json:"started_at"`
	EndedAt       time.Time `gorm:"column:ended_at;serializer:flashstore_millis" json:"ended_at"`
	TotalCount    int64     `gorm:"column:total_count" json:"total_count"`         // answers
	CorrectCount  int64     `gorm:"column:correct_count" json:"correct_count"`     // right ones
	AvgResponseMS int64     `gorm:"column:avg_response_ms" json:"avg_response_ms"` // rounded to the nearest
	XPEarned      int64     `gorm:"column:xp_earned" json:"xp_earned"`
	CoinsEarned   int64     `gorm:"column:coins_earned" json:"coins_earned"`
	SeasonID      int64     `gorm:"column:season_id" json:"season_id"` // the season its XP went to
	PayloadHash   []byte    `gorm:"column:payload_hash" json:"-"`      // SHA-256 of what was submitted
	// CreatedAt is the time in the id, so that it does not depend on when
	// the session arrived.
	CreatedAt time.Time `gorm:"column:created_at;serializer:flashstore_millis;autoCreateTime:false" json:"created_at"`
}

// TableName returns the table's name without prefix.
func (Session) TableName() string { return "sessions" }
