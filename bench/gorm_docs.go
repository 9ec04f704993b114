package main

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// openGormDocs opens a database as GORM's documentation does. Only the log is
// silenced, as it is for every candidate with GORM.
func openGormDocs(path string, _ Sync) (Candidate, error) {
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	return &gormRival{db}, nil
}
