package writequeue_test

import (
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/writequeue"
)

// openPlain opens a new file with one connection, for which calls wait, and
// without package hooks.
func openPlain(t *testing.T) *gorm.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := gorm.Open(sqlite.Open(path+"?_journal_mode=WAL&_txlock=immediate"), &gorm.Config{Logger: logger.Discard})
	must(t, err)
	pool, err := db.DB()
	must(t, err)
	t.Cleanup(func() { must(t, pool.Close()) })
	pool.SetMaxOpenConns(1)
	must(t, db.Exec(createRows).Error)
	return db
}

// The queue works without package hooks, too.
func TestWithoutHooks(t *testing.T) {
	db := openPlain(t)
	q := writequeue.New(db, writequeue.Config{})
	must(t, q.Do(t.Context(), adds(0, 0)))
	l := newLine(t, q, db)
	l.do(t.Context(), adds(1, 0))
	l.do(t.Context(), then(2, fails))
	l.do(t.Context(), then(3, panics))
	l.do(t.Context(), adds(4, 0))
	l.mustEnd(nil, errNo, panicked{"poison"}, nil)
	must(t, q.Do(t.Context(), adds(5, 0)))
	must(t, q.Close())
	mustBeStored(t, db, 0, 1, 4, 5)
	if s := q.Stats(); s.Group.TotalCount() != 3 || s.Group.Max() != 4 {
		t.Errorf("%d transactions, the largest of %d calls; want 3, of 4 at the most", s.Group.TotalCount(), s.Group.Max())
	}
}
