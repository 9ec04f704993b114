package storagetest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/flashstore/flashstore/storage"
)

// leaving: an export has everything of a user and of nobody else; an erasure
// leaves nothing of them, and all of the others.
func leaving(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 60)
	k.submit(t, session(ada.ID, 0, answer(1, "8+7", true, 100), answer(2, "1+1", true, 100)))
	k.stays(t, func() {
		bob := k.user(t, "bob")
		k.submit(t, session(bob.ID, 1, answer(61, "8+7", true, 100), answer(62, "1+1", true, 100)))
		_, err := k.Shop.Purchase(t.Context(), bob.ID, hat.ID, idAt(noon, 1))
		must(t, err)
		must(t, k.Shop.Equip(t.Context(), bob.ID, hat.ID))

		export, err := k.Users.Export(t.Context(), bob.ID)
		must(t, err)
		bob, err = k.Users.Get(t.Context(), bob.ID)
		must(t, err)
		equal(t, "exported user", export.User, bob)
		equal(t, "exported sessions, answers, levels, standings, items and entries",
			[]int{len(export.Sessions), len(export.Answers), len(export.Mastery), len(export.Played), len(export.Owned), len(export.Worn), len(export.Ledger)},
			[]int{1, 2, 2, 1, 1, 1, 3})
		text, err := json.Marshal(export)
		must(t, err)
		var streamed strings.Builder
		must(t, k.Users.ExportTo(t.Context(), bob.ID, &streamed))
		equal(t, "export, row by row", strings.TrimSpace(streamed.String()), string(text))

		receipt, err := k.Users.Erase(t.Context(), bob.ID)
		must(t, err)
		equal(t, "erased users, answers and entries",
			[]int64{receipt.Rows["users"], receipt.Rows["answer_events"], receipt.Rows["coin_ledger"]}, []int64{1, 2, 3})
		_, err = k.Users.Erase(t.Context(), bob.ID)
		mustBe(t, err, storage.ErrNotFound)
	})
	k.reconciled(t)
}
