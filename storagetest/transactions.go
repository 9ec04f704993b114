package storagetest

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// errStop ends a caller's transaction.
var errStop = errors.New("stop")

// inTransaction: what is written in the caller's transaction commits and rolls
// back with it.
func inTransaction(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 50)
	everything := func(tx *gorm.DB) error {
		inside := k.In(tx)
		_, submitted := inside.Sessions.Submit(t.Context(), session(ada.ID, 0, answer(1, "8+7", true, 100)))
		_, bought := inside.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
		worn := inside.Shop.Equip(t.Context(), ada.ID, hat.ID)
		_, rolled := inside.Rollups.Run(t.Context())
		seen, err := inside.Users.Get(t.Context(), ada.ID)
		if err == nil && seen.Coins != 52 {
			err = fmt.Errorf("the transaction sees %d coins, want its own 52", seen.Coins)
		}
		return errors.Join(submitted, bought, worn, rolled, err)
	}
	k.stays(t, func() {
		mustBe(t, k.db.Transaction(func(tx *gorm.DB) error {
			must(t, everything(tx))
			return errStop
		}), errStop)
	})
	must(t, k.db.Transaction(everything))
	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "coins", stored.Coins, 52)
	k.reconciled(t)
}

// inTransactionInterrupted: a method that fails halfway takes back what it
// has written, and the caller's transaction goes on.
func inTransactionInterrupted(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 50)
	in := session(ada.ID, 0, answer(1, "8+7", true, 100), answer(2, "8+7", true, 100))
	fault := &fault{}
	must(t, fault.install(k.db))
	for _, method := range []func(s *storage.Store) error{
		func(s *storage.Store) error { _, err := s.Sessions.Submit(t.Context(), in); return err },
		func(s *storage.Store) error {
			_, err := s.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
			return err
		},
	} {
		met := true
		for point := 1; met; point++ {
			k.stays(t, func() {
				err := k.db.Transaction(func(tx *gorm.DB) error {
					fault.arm(point)
					err := method(k.In(tx))
					if met, _ = fault.end(); !met {
						must(t, err)
						return errStop
					}
					mustBe(t, err, ErrCrash)
					return nil
				})
				if met {
					must(t, err)
				}
			})
		}
	}
	k.reconciled(t)
}

// inTransactionFailing: a method that fails takes back its own part, and the
// caller's transaction goes on.
func inTransactionFailing(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 900)
	booked := session(ada.ID, 0, answer(1, "8+7", true, 100))
	must(t, k.db.Transaction(func(tx *gorm.DB) error {
		inside := k.In(tx)
		_, err := inside.Sessions.Submit(t.Context(), booked)
		must(t, err)
		_, err = inside.Sessions.Submit(t.Context(), session(ada.ID, 1, answer(2, "8+7", true, 100), answer(1, "8+7", true, 100)))
		mustBe(t, err, storage.ErrConflict)
		_, err = inside.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
		var poor *storage.InsufficientFundsError
		if !errors.As(err, &poor) {
			t.Fatalf("got error %v, want an *InsufficientFundsError", err)
		}
		_, err = inside.Answers.Append(t.Context(), ada.ID+1, single(models.ID{}, answer(3, "8+7", true, 100)))
		mustBe(t, err, storage.ErrNotFound)
		return nil
	}))
	sessions, err := k.Sessions.Recent(t.Context(), ada.ID, 0)
	must(t, err)
	equal(t, "sessions", len(sessions), 1)
	equal(t, "session", sessions[0].ID, booked.ID)
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 100})
	k.reconciled(t)
}
