package hooks_test

import (
	"errors"
	"slices"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// errUndo makes a transaction roll back.
var errUndo = errors.New("undo")

// T27: the world is told after the commit, in order, and of nothing that did
// not happen.
func TestT27_AfterCommit(t *testing.T) {
	var told []string
	tell := func(tb testing.TB, tx *gorm.DB, what string) {
		must(tb, hooks.AfterCommit(tx, func() { told = append(told, what) }))
	}
	mustBeTold := func(t *testing.T, want ...string) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Fatalf("told %q, want %q", told, want)
		}
		told = nil
	}
	db, _ := newItems(t)
	t.Run("committed", func(t *testing.T) {
		must(t, db.Transaction(func(tx *gorm.DB) error {
			tell(t, tx, "one")
			tell(t, tx.Session(&gorm.Session{PrepareStmt: true}), "two")
			mustBeTold(t)
			return add(tx)
		}))
		mustBeTold(t, "one", "two")
	})
	t.Run("rolled back", func(t *testing.T) {
		mustBe(t, db.Transaction(func(tx *gorm.DB) error {
			tell(t, tx, "never")
			return errUndo
		}), errUndo)
		mustBeTold(t)
	})
	t.Run("nested", func(t *testing.T) {
		must(t, hooks.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			tell(t, tx, "outer")
			undone := hooks.Transaction(t.Context(), tx, func(tx *gorm.DB) error {
				tell(t, tx, "never")
				return errUndo
			})
			mustBe(t, undone, errUndo)
			return hooks.Transaction(t.Context(), tx, func(tx *gorm.DB) error {
				tell(t, tx, "inner")
				return nil
			})
		}))
		mustBeTold(t, "outer", "inner")
	})
	t.Run("GORM's own nesting and savepoints", func(t *testing.T) {
		must(t, db.Transaction(func(tx *gorm.DB) error {
			tell(t, tx, "outer")
			mustBe(t, tx.Transaction(func(tx *gorm.DB) error {
				tell(t, tx, "never")
				return errUndo
			}), errUndo)
			must(t, tx.SavePoint("here").Error)
			tell(t, tx, "nor this")
			return tx.RollbackTo("here").Error
		}))
		mustBeTold(t, "outer")
	})
	t.Run("no transaction", func(t *testing.T) {
		tell(t, db, "at once")
		mustBeTold(t, "at once")
	})
	t.Run("may use the outer db", func(t *testing.T) {
		must(t, db.Transaction(func(tx *gorm.DB) error {
			return hooks.AfterCommit(tx, func() { must(t, add(db)) })
		}))
	})
	t.Run("without the plugin", func(t *testing.T) {
		plain, _ := newPlainItems(t, "")
		mustBe(t, plain.Transaction(func(tx *gorm.DB) error {
			return hooks.AfterCommit(tx, func() { t.Error("ran") })
		}), hooks.ErrNoAfterCommit)
	})
}
