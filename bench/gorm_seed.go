package main

import (
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// openGormSeed opens a database with what the seed asks for, as far as a DSN
// of plain GORM can carry it.
func openGormSeed(path string, sync Sync) (Candidate, error) {
	dsn := path + "?_journal_mode=WAL&_synchronous=" + string(sync) + "&_busy_timeout=5000&_foreign_keys=on&_cache_size=-64000"
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	return &gormRival{db}, nil
}
