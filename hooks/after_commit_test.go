package hooks_test

import (
	"errors"
	"runtime"
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

// One that does not return keeps none of the others from running.
func TestAfterCommitPanics(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("no") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			db, _ := newItems(t)
			var ran []int
			recovered := make(chan any, 1)
			go func() {
				defer func() { recovered <- recover() }()
				_ = db.Transaction(func(tx *gorm.DB) error {
					for i := range 5 {
						must(t, hooks.AfterCommit(tx, func() {
							ran = append(ran, i)
							if i%2 == 1 {
								end()
							}
						}))
					}
					return add(tx)
				})
			}()
			if got := <-recovered; (got != nil) != (name == "panic") {
				t.Errorf("it panics with %v", got)
			}
			if !slices.Equal(ran, []int{0, 1, 2, 3, 4}) {
				t.Errorf("%v ran, want all", ran)
			}
			mustCount(t, db, 1)
			mustBeFree(t, db)
		})
	}
}
