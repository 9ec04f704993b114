package storagetest

import (
	"strings"
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// search: users by the beginnings of their uids, e-mails and names, items by
// those of slugs and names, in one order everywhere, as they are now. Where the
// words of names are known as well, they come behind.
func search(t *testing.T, k kit) {
	create := func(uid, email, name string) int64 {
		user, err := k.Users.Create(t.Context(), storage.NewUser{UID: uid, Email: email, Name: name})
		must(t, err)
		return user.ID
	}
	create("ada-2", "", "Countess")
	create("ada-1", "", "Countess")
	create("u3", "ada@example.org", "Countess")
	named := create("u4", "", "ADAM")
	create("u5", "", "Ada Lovelace")
	gone := create("u6", "", "ada")
	find := func(text string, limit int, want ...string) {
		t.Helper()
		users, err := k.Users.Search(t.Context(), text, limit)
		must(t, err)
		var uids []string
		for _, user := range users {
			uids = append(uids, user.UID)
		}
		equal(t, "users found by "+text, uids, want)
	}
	find("ada", 0, "ada-1", "ada-2", "u3", "u6", "u5", "u4")
	find("ada", 4, "ada-1", "ada-2", "u3", "u6")
	find("ADA L", 0, "u5")
	find("Countess", 2, "ada-2", "ada-1")

	name := "Charles"
	_, err := k.Users.Update(t.Context(), named, storage.UserUpdate{Name: &name})
	must(t, err)
	_, err = k.Users.Erase(t.Context(), gone)
	must(t, err)
	find("ada", 0, "ada-1", "ada-2", "u3", "u5")
	find("char", 0, "u4")

	for _, item := range []models.ShopItem{{Slug: "cap-2", Name: "Helmet"}, {Slug: "cap-1", Name: "Helmet"}, {Slug: "c3", Name: "CAP"}} {
		item.Slot = "head"
		_, err := k.Shop.Put(t.Context(), item)
		must(t, err)
	}
	items, err := k.Shop.Search(t.Context(), "cap", 0)
	must(t, err)
	var slugs []string
	for _, item := range items {
		slugs = append(slugs, item.Slug)
	}
	equal(t, "items found by cap", slugs, []string{"cap-1", "cap-2", "c3"})

	k.stays(t, func() {
		for _, text := range []string{"", " ", "\x00", strings.Repeat("a", 201)} {
			_, err := k.Users.Search(t.Context(), text, 0)
			mustBe(t, err, storage.ErrInvalid)
			_, err = k.Shop.Search(t.Context(), text, 0)
			mustBe(t, err, storage.ErrInvalid)
		}
	})
}
