package hooks

import (
	"log/slog"
	"runtime"
	"sync"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// lockWarner says where FOR UPDATE is asked for and locks nothing. SQLite has
// no locks on rows: a transaction that writes holds the whole database from its
// start, and there the clause holds without being sent. Anywhere else GORM
// drops it, and a row that was read "for update" may change before it is
// written. It is safe for concurrent use.
type lockWarner struct {
	logger *slog.Logger
	said   sync.Map // call sites that were spoken of
}

// watchLocking puts the warner before what builds FOR UPDATE now.
func watchLocking(db *gorm.DB, logger *slog.Logger) {
	warner := &lockWarner{logger: logger}
	build := db.ClauseBuilders["FOR"]
	db.ClauseBuilders["FOR"] = func(c clause.Clause, builder clause.Builder) {
		warner.look(c, builder)
		build(c, builder)
	}
}

// look warns, once for each call site, if c is a lock that does not hold.
func (w *lockWarner) look(c clause.Clause, builder clause.Builder) {
	locking, ok := c.Expression.(clause.Locking)
	if !ok {
		return
	}
	stmt, ok := builder.(*gorm.Statement)
	if !ok || stmt.DryRun || holdsWriteLock(stmt) {
		return
	}
	site := callSite()
	if _, said := w.said.LoadOrStore(site, true); said {
		return
	}
	w.logger.WarnContext(stmt.Context, "FOR "+locking.Strength+" locks nothing outside a writing transaction: "+
		"read and write in one function of db.Transaction or hooks.Transaction, which hold the write lock from their start",
		"at", site, "table", stmt.Table)
}

// holdsWriteLock reports whether stmt runs in a transaction that may write.
func holdsWriteLock(stmt *gorm.Statement) bool {
	if !InTransaction(stmt.DB) {
		return false
	}
	var readOnly bool
	err := stmt.ConnPool.QueryRowContext(stmt.Context, "PRAGMA query_only").Scan(&readOnly)
	return err != nil || !readOnly // with an error there is worse to be heard of
}

// insides are the functions that stand between a query and who asked for it.
var insides = []string{"gorm.io/", "github.com/flashstore/flashstore/hooks."}

// callSite returns the file and line of the caller outside GORM and hooks.
func callSite() string {
	callers := make([]uintptr, 64)
	return firstOutside(callers[:runtime.Callers(2, callers)], insides)
}
