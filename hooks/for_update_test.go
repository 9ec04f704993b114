package hooks_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/hooks"
)

var forUpdate = clause.Locking{Strength: clause.LockingStrengthUpdate}

// findings is a logger's output that many goroutines may write.
type findings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (f *findings) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

// locks returns the warnings about FOR UPDATE.
func (f *findings) locks() (warnings []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for line := range strings.Lines(f.text.String()) {
		if strings.Contains(line, "locks nothing") {
			warnings = append(warnings, line)
		}
	}
	return warnings
}

func newLocked(tb testing.TB, dsn string) (*gorm.DB, *findings) {
	tb.Helper()
	found := &findings{}
	db := openHooks(tb, dsn, hooks.Config{Logger: slog.New(slog.NewTextHandler(found, nil))}, quiet())
	must(tb, db.Exec(createItems).Error)
	must(tb, add(db))
	return db, found
}

func mustWarn(tb testing.TB, found *findings, want int) {
	tb.Helper()
	if got := found.locks(); len(got) != want {
		tb.Fatalf("there are %d warnings, want %d:\n%s", len(got), want, strings.Join(got, ""))
	}
}

func TestT9_ForUpdate(t *testing.T) {
	readOnly := &sql.TxOptions{ReadOnly: true}

	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, sitOut)
		must(t, add(db))
		var one item
		must(t, db.Clauses(forUpdate).First(&one).Error)
		must(t, db.Exec("UPDATE items SET n = 5").Error) // nothing holds it back
	})
	t.Run("hooks/once for each call site", func(t *testing.T) {
		db, found := newLocked(t, newPath(t))
		must(t, atOnce(8, func(int) error {
			for range 10 {
				if err := db.Clauses(forUpdate).First(&item{}).Error; err != nil {
					return err
				}
			}
			return nil
		}))
		mustWarn(t, found, 1)
		must(t, db.Clauses(clause.Locking{Strength: "SHARE"}).Find(&[]item{}).Error)
		mustWarn(t, found, 2)
		for _, line := range found.locks() {
			if !strings.Contains(line, "for_update_test.go:") || !strings.Contains(line, "Transaction") || !strings.Contains(line, "level=WARN") {
				t.Fatalf("it says %s", line)
			}
		}
	})
	t.Run("hooks/in a transaction", func(t *testing.T) {
		db, found := newLocked(t, newPath(t))
		must(t, db.Transaction(func(tx *gorm.DB) error { return tx.Clauses(forUpdate).First(&item{}).Error }))
		must(t, hooks.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			return tx.Session(&gorm.Session{PrepareStmt: true}).Clauses(forUpdate).First(&item{}).Error
		}))
		mustWarn(t, found, 0)
	})
	t.Run("hooks/in a read-only transaction", func(t *testing.T) {
		for _, dsn := range []string{newPath(t), ":memory:"} {
			db, found := newLocked(t, dsn)
			must(t, hooks.Transaction(t.Context(), db, func(tx *gorm.DB) error {
				return tx.Clauses(forUpdate).First(&item{}).Error
			}, readOnly))
			mustWarn(t, found, 1)
		}
	})
	t.Run("hooks/only text", func(t *testing.T) {
		db, found := newLocked(t, newPath(t))
		db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Clauses(forUpdate).First(&item{}) })
		mustWarn(t, found, 0)
	})
	t.Run("hooks/generics", func(t *testing.T) {
		db, found := newLocked(t, newPath(t))
		_, err := gorm.G[item](db, forUpdate).First(t.Context())
		must(t, err)
		mustWarn(t, found, 1)
		if line := found.locks()[0]; !strings.Contains(line, "for_update_test.go:") {
			t.Fatalf("it says %s", line)
		}
	})
}
