package storagetest

import (
	"errors"
	"testing"

	"github.com/flashstore/flashstore/storage"
)

// versions: a change that is decided on what somebody else has changed since is
// refused, and says so.
func versions(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 50)
	equal(t, "version of a new user", ada.Version, 1)
	name, other := "Countess", "Lovelace"
	renamed, err := k.Users.Update(t.Context(), ada.ID, storage.UserUpdate{Name: &name, IfVersion: &ada.Version})
	must(t, err)
	equal(t, "name and version", []any{renamed.Name, renamed.Version}, []any{name, int64(2)})

	k.submit(t, session(ada.ID, 0, answer(1, "8+7", true, 100)))
	_, err = k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
	must(t, err)
	must(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID, storage.IfVersion(2))) // XP and coins are no change of hers
	k.stays(t, func() {
		_, updated := k.Users.Update(t.Context(), ada.ID, storage.UserUpdate{Name: &other, IfVersion: &renamed.Version})
		for _, err := range []error{
			updated,
			k.Shop.Equip(t.Context(), ada.ID, hat.ID, storage.IfVersion(2)),
			k.Shop.Unequip(t.Context(), ada.ID, "head", storage.IfVersion(2)),
		} {
			mustBe(t, err, storage.ErrVersion)
			var got *storage.VersionError
			if !errors.As(err, &got) || *got != (storage.VersionError{UserID: ada.ID, Have: 3, Want: 2}) {
				t.Fatalf("got error %v, want that the version is 3 and not 2", err)
			}
		}
	})

	const writers = 8
	changed := 0
	for _, err := range atOnce(writers, func(int) error {
		return k.Shop.Unequip(t.Context(), ada.ID, "head", storage.IfVersion(3))
	}) {
		if err == nil {
			changed++
		} else {
			mustBe(t, err, storage.ErrVersion)
		}
	}
	equal(t, "changes of one version", changed, 1)
	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "version", stored.Version, 4)
}
