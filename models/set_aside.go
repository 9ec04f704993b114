package models

import "time"

// SetAsideAnswer is an implausible answer: kept, but not a part of the log.
type SetAsideAnswer struct {
	AnswerEvent
	Reason      string    `gorm:"column:reason" json:"reason"`
	SetAsideAt  time.Time `gorm:"column:set_aside_at;serializer:flashstore_millis" json:"set_aside_at"` // by the store's clock
	PayloadHash []byte    `gorm:"column:payload_hash" json:"-"`                                         // of its session, of which nothing was booked; the first answer has it
}

// TableName returns the table's name without prefix.
func (SetAsideAnswer) TableName() string { return "answers_set_aside" }
