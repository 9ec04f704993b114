package storage_test

import (
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// S43: by the beginning of a uid or an e-mail.
func TestUsers_Search(t *testing.T) {
	f := MustOpen(t)
	for _, in := range []storage.NewUser{
		{UID: "ada", Email: "lovelace@example.org", Name: "Countess"},
		{UID: "Ada"},
		{UID: "ada lovelace"},
		{UID: "adb", Email: "ada@example.org"},
		{UID: "ad"},
		{UID: "zoë", Email: "zoe@example.org"},
		{UID: "zoe", Email: "ZOE.B@example.org"},
		{UID: "zo\U0010FFFFa"},
		{UID: "\uD7FFa"},
		{UID: "\uE000a"},
		{UID: "100%", Email: "z_x@example.org"},
		{UID: "100"},
	} {
		_, err := f.Users.Create(ctx, in)
		must(t, err)
	}
	for _, test := range []struct {
		prefix string
		limit  int
		want   []string
	}{
		{"ada", 0, []string{"ada", "ada lovelace", "adb"}}, // the last one by e-mail
		{"\t ada", 0, []string{"ada", "ada lovelace", "adb"}},
		{"ada ", 0, []string{"ada lovelace", "adb"}},
		{"ADA", 0, []string{"adb"}}, // e-mail in any case
		{"Ada", 0, []string{"Ada", "adb"}},
		{"ad", 0, []string{"ad", "ada", "ada lovelace", "adb"}}, // found by both, once
		{"ad", 2, []string{"ad", "ada"}},
		{"ada", 3, []string{"ada", "ada lovelace", "adb"}},
		{"ada", 2, []string{"ada", "ada lovelace"}},
		{"lovelace@example.org", 0, []string{"ada"}},
		{"zoe", 0, []string{"zoe", "zoë"}}, // by e-mail zoe.b and zoe@
		{"zoe", 1, []string{"zoe"}},
		{"zoë", 0, []string{"zoë"}},
		{"zo\U0010FFFF", 0, []string{"zo\U0010FFFFa"}},
		{"\uD7FF", 0, []string{"\uD7FFa"}},
		{"100%", 0, []string{"100%"}},
		{"z_", 0, []string{"100%"}},
		{"%", 0, nil},
		{"Countess", 0, nil}, // names have no index
		{"nobody", 1000, nil},
	} {
		t.Run("OK/"+test.prefix, func(t *testing.T) {
			users, err := f.Users.Search(ctx, test.prefix, test.limit)
			must(t, err)
			var uids []string
			for _, user := range users {
				uids = append(uids, user.UID)
			}
			equal(t, uids, test.want)
		})
	}
	t.Run("OK/Whole", func(t *testing.T) {
		users, err := f.Users.Search(ctx, "lovelace", 0)
		must(t, err)
		equal(t, users, []models.User{MustGet(t, f.Store, 1)})
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, prefix := range []string{"", " \n", "a\x00", "\xff", "\U0010FFFF\U0010FFFF"} {
			_, err := f.Users.Search(ctx, prefix, 0)
			mustBeInvalid(t, err, "prefix")
			_, err = f.Shop.Search(ctx, prefix, 0)
			mustBeInvalid(t, err, "prefix")
		}
		for _, limit := range []int{-1, 1001} {
			_, err := f.Users.Search(ctx, "a", limit)
			mustBeInvalid(t, err, "limit")
			_, err = f.Shop.Search(ctx, "a", limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}

func TestShop_Search(t *testing.T) {
	f := MustOpen(t)
	hat2, hat1 := MustItem(t, f.Store, "hat-2", "head", 1), MustItem(t, f.Store, "hat-1", "head", 2)
	MustItem(t, f.Store, "Hat-3", "head", 3)
	MustItem(t, f.Store, "boots", "feet", 3)
	old, err := f.Shop.Put(ctx, models.ShopItem{Slug: "hat-0", Slot: "head"}) // not for sale
	must(t, err)
	for _, test := range []struct {
		prefix string
		limit  int
		want   []models.ShopItem
	}{
		{"hat", 0, []models.ShopItem{old, hat1, hat2}},
		{" hat-", 2, []models.ShopItem{old, hat1}},
		{"hat-2", 0, []models.ShopItem{hat2}},
		{"ha%", 0, nil},
	} {
		got, err := f.Shop.Search(ctx, test.prefix, test.limit)
		must(t, err)
		equal(t, got, test.want)
	}
}
