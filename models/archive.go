package models

import "time"

// ArchivedAnswer is an answer that was moved out of the log: a row of the same
// columns, on PostgreSQL in a table beside the log, on SQLite in the archive's
// file.
type ArchivedAnswer AnswerEvent

// TableName returns the table's name without prefix.
func (ArchivedAnswer) TableName() string { return "answer_archive" }

// ArchiveHorizon says how far a user's answers are in the archive: those with
// smaller ids were moved, except for what came late and is still in the log.
type ArchiveHorizon struct {
	UserID   int64     `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	BeforeID ID        `gorm:"column:before_id" json:"before_id"`
	Answers  int64     `gorm:"column:answers" json:"answers"` // that were moved
	MovedAt  time.Time `gorm:"column:moved_at;serializer:flashstore_millis;autoCreateTime:false" json:"moved_at"`
}

// TableName returns the table's name without prefix.
func (ArchiveHorizon) TableName() string { return "archive_horizons" }

// ArchiveFile identifies the file that has the archived answers of a SQLite
// database: the file has the same row. PostgreSQL has no such table.
type ArchiveFile struct {
	ID     ID        `gorm:"column:id;primaryKey" json:"id"`
	MadeAt time.Time `gorm:"column:made_at;serializer:flashstore_millis;autoCreateTime:false" json:"made_at"`
}

// TableName returns the table's name without prefix.
func (ArchiveFile) TableName() string { return "archive_files" }
