package storagetest

import (
	"context"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// endedContexts: a call whose context has ended returns the reason, and nothing
// is changed; also inside the caller's transaction, which goes on.
func endedContexts(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 50)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused := func(s *storage.Store) {
		for _, err := range []error{
			second(s.Sessions.Submit(ended, session(ada.ID, 0, answer(1, "8+7", true, 100)))),
			second(s.Answers.Append(ended, ada.ID, single(models.ID{}, answer(2, "8+7", true, 100)))),
			second(s.Shop.Purchase(ended, ada.ID, hat.ID, idAt(noon, 1))),
			second(s.Leagues.BookXP(ended, ada.ID, 1, noon)),
			second(s.Leagues.SettleDue(ended)),
			second(s.Users.Erase(ended, ada.ID)),
			second(s.Users.Get(ended, ada.ID)),
			second(s.Leagues.Board(ended, thisSeason, lowest, "", 0)),
		} {
			mustBe(t, err, context.Canceled)
		}
	}
	k.stays(t, func() {
		refused(k.Store)
		mustBe(t, k.inUndone(t, func(inside *storage.Store) {
			refused(inside)
			user, err := inside.Users.Get(t.Context(), ada.ID)
			must(t, err)
			equal(t, "user", user, ada)
		}), errStop)
	})
	must(t, k.db.Transaction(func(tx *gorm.DB) error {
		refused(k.In(tx))
		return second(k.In(tx).Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1)))
	}))
	k.reconciled(t)
}

// inUndone runs fn in a transaction that is rolled back.
func (k kit) inUndone(t *testing.T, fn func(inside *storage.Store)) error {
	t.Helper()
	return k.db.Transaction(func(tx *gorm.DB) error {
		fn(k.In(tx))
		return errStop
	})
}

func second[T any](_ T, err error) error { return err }
