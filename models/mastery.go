package models

import "time"

// MasteryStat is what the log says of one fact of one user.
type MasteryStat struct {
	UserID           int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	Operation        string    `gorm:"column:operation;primaryKey" json:"operation"`
	Fact             string    `gorm:"column:fact;primaryKey" json:"fact"`
	MasteryLevel     Level     `gorm:"column:mastery_level" json:"mastery_level"`
	LastDelta        Level     `gorm:"column:last_delta" json:"last_delta"`         // what the rule gave for the last answer
	LastAnswerID     ID        `gorm:"column:last_answer_id" json:"last_answer_id"` // the greatest id that was folded in
	Attempts         int64     `gorm:"column:attempts" json:"attempts"`
	CorrectCount     int64     `gorm:"column:correct_count" json:"correct_count"`
	TotalResponseMS  int64     `gorm:"column:total_response_ms" json:"total_response_ms"`
	LastResponseTime int64     `gorm:"column:last_response_time" json:"last_response_time"`                                   // ms, of the last answer
	UpdatedAt        time.Time `gorm:"column:updated_at;serializer:flashstore_millis;autoUpdateTime:false" json:"updated_at"` // when the last answer was given
}

// TableName returns the table's name without prefix.
func (MasteryStat) TableName() string { return "mastery_stats" }

// MasteryRollup is the seed's summary of one fact of one user, by accuracy.
type MasteryRollup struct {
	UserID          int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	Operation       string    `gorm:"column:operation;primaryKey" json:"operation"`
	Fact            string    `gorm:"column:fact;primaryKey" json:"fact"`
	TotalAttempts   int64     `gorm:"column:total_attempts" json:"total_attempts"`
	CorrectCount    int64     `gorm:"column:correct_count" json:"correct_count"`
	AvgResponseTime float64   `gorm:"column:avg_response_time" json:"avg_response_time"` // ms
	MasteryLevel    int64     `gorm:"column:mastery_level" json:"mastery_level"`         // 0, 2, 3, 4 or 5
	LastUpdated     time.Time `gorm:"column:last_updated;serializer:flashstore_millis" json:"last_updated"`
}

// TableName returns the table's name without prefix.
func (MasteryRollup) TableName() string { return "mastery_rollups" }

// RollupTask names a user with answers since the last rollup.
type RollupTask struct {
	UserID int64 `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
}

// TableName returns the table's name without prefix.
func (RollupTask) TableName() string { return "rollup_queue" }
