package models

import "time"

// AnswerEvent is one answer in the append-only log that levels are a fold of.
type AnswerEvent struct {
	UserID         int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	ID             ID        `gorm:"column:id;primaryKey" json:"id"`
	SessionID      ID        `gorm:"column:session_id" json:"session_id"` // zero: given outside of a session
	Operation      string    `gorm:"column:operation" json:"operation"`
	Fact           string    `gorm:"column:fact" json:"fact"` // in its one spelling
	Correct        bool      `gorm:"column:correct" json:"correct"`
	ResponseTimeMS int64     `gorm:"column:response_time_ms" json:"response_time_ms"`
	CreatedAt      time.Time `gorm:"column:created_at;serializer:flashstore_millis;autoCreateTime:false" json:"created_at"` // when it was given
}

// TableName returns the table's name without prefix.
func (AnswerEvent) TableName() string { return "answer_events" }
