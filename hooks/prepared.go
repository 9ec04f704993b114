package hooks

import (
	"errors"

	"gorm.io/gorm"
)

// takeOffPreparedStatements makes PrepareStmt harmless, in the config and in a
// session. GORM's store of prepared statements waits for itself where a pool
// has one connection (T7, go-gorm/gorm#7350); the driver's own cache of
// statements does the work instead.
func takeOffPreparedStatements(db *gorm.DB, opened *pool) error {
	if wrapped, ok := db.ConnPool.(*gorm.PreparedStmtDB); ok {
		wrapped.Close()
		wrapped.ConnPool = opened // sessions inside of a transaction ask it for db.DB()
	}
	db.PrepareStmt = false
	calls := db.Callback()
	return errors.Join(
		calls.Create().Before("*").Register("flashstore:prepared_statements", unwrap),
		calls.Query().Before("*").Register("flashstore:prepared_statements", unwrap),
		calls.Update().Before("*").Register("flashstore:prepared_statements", unwrap),
		calls.Delete().Before("*").Register("flashstore:prepared_statements", unwrap),
		calls.Row().Before("*").Register("flashstore:prepared_statements", unwrap),
		calls.Raw().Before("*").Register("flashstore:prepared_statements", unwrap),
	)
}

// unwrap takes GORM's wrapper off the statement's connection.
func unwrap(db *gorm.DB) {
	switch wrapped := db.Statement.ConnPool.(type) {
	case *gorm.PreparedStmtDB:
		db.Statement.ConnPool = wrapped.ConnPool
	case *gorm.PreparedStmtTX:
		db.Statement.ConnPool = wrapped.Tx
	}
}
