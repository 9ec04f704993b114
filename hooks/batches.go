package hooks

import (
	"errors"
	"reflect"

	"gorm.io/gorm"
)

// maxVariables is the most that SQLite binds to one statement. A few are left
// for what follows the values.
const maxVariables = 32766 - 66

// cutBatches puts itself around GORM's create step: a slice with more values
// than one statement can bind is written by several, in one transaction (T26).
func cutBatches(db *gorm.DB) error {
	create := db.Callback().Create()
	step := create.Get("gorm:create")
	if step == nil {
		return errors.New("hooks needs GORM's create step: use the plugin before those that take it away")
	}
	return create.Replace("gorm:create", func(db *gorm.DB) {
		size := batchSize(db)
		if size == 0 || db.Statement.ReflectValue.Len() <= size {
			step(db)
			return
		}
		inOneTransaction(db, func() { createInBatches(db, size, step) })
	})
}

// batchSize returns how many rows one statement can bind, or 0 where there is
// nothing to cut.
func batchSize(db *gorm.DB) int {
	s := db.Statement
	if db.Error != nil || s.Schema == nil || len(s.Schema.DBNames) == 0 || s.SQL.Len() > 0 {
		return 0
	}
	if kind := s.ReflectValue.Kind(); kind != reflect.Slice {
		return 0
	}
	if _, isMaps := s.Dest.([]map[string]any); isMaps {
		return 0
	}
	return max(maxVariables/len(s.Schema.DBNames), 1)
}

// createInBatches runs GORM's step for one part of the rows after the other.
func createInBatches(db *gorm.DB, size int, step func(*gorm.DB)) {
	s := db.Statement
	all, written := s.ReflectValue, int64(0)
	defer func() {
		s.ReflectValue, db.RowsAffected = all, written
		if s.Result != nil { // of gorm.WithResult, as GORM's step sets it
			s.Result.RowsAffected = written
		}
	}()
	for from := 0; from < all.Len() && db.Error == nil; from += size {
		s.SQL.Reset()
		s.Vars = nil
		delete(s.Clauses, "VALUES")
		s.ReflectValue = all.Slice(from, min(from+size, all.Len()))
		db.RowsAffected = 0
		step(db)
		written += db.RowsAffected
	}
}

// inOneTransaction runs fn in the transaction that db is in, or in one of its
// own where the application has switched GORM's off.
func inOneTransaction(db *gorm.DB, fn func()) {
	if InTransaction(db) || db.DryRun {
		fn()
		return
	}
	outside := db.Statement.ConnPool
	tx := db.Session(&gorm.Session{NewDB: true}).Begin()
	if db.AddError(tx.Error) != nil {
		return
	}
	db.Statement.ConnPool = tx.Statement.ConnPool
	returned := false
	defer func() {
		db.Statement.ConnPool = outside
		if db.Error != nil || !returned {
			tx.Rollback()
			return
		}
		_ = db.AddError(tx.Commit().Error)
	}()
	fn()
	returned = true
}
