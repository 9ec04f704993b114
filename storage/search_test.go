package storage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

const onlyWithWords = "SQLite has no FTS5 here: go test -tags sqlite_fts5"

// wordsKnown reports whether stores of these tests find names by their words.
func wordsKnown() bool { return onPostgres || hasFTS5 }

// MustFindUsers returns the uids of the users that text finds.
func MustFindUsers(tb testing.TB, s *storage.Store, text string, limit int) (uids []string) {
	tb.Helper()
	users, err := s.Users.Search(ctx, text, limit)
	must(tb, err)
	for _, user := range users {
		uids = append(uids, user.UID)
	}
	return uids
}

// MustFindItems returns the slugs of the items that text finds.
func MustFindItems(tb testing.TB, s *storage.Store, text string) (slugs []string) {
	tb.Helper()
	items, err := s.Shop.Search(ctx, text, 0)
	must(tb, err)
	for _, item := range items {
		slugs = append(slugs, item.Slug)
	}
	return slugs
}

// MustBeNamed creates users of these names, whose uids are u1, u2 and so on.
func MustBeNamed(tb testing.TB, s *storage.Store, names ...string) {
	tb.Helper()
	for i, name := range names {
		_, err := s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("u", i+1), Name: name})
		must(tb, err)
	}
}

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
		{"countess", 0, []string{"ada"}},
		{"nobody", 1000, nil},
	} {
		t.Run("OK/"+test.prefix, func(t *testing.T) {
			equal(t, MustFindUsers(t, f.Store, test.prefix, test.limit), test.want)
		})
	}
	t.Run("OK/Whole", func(t *testing.T) {
		users, err := f.Users.Search(ctx, "lovelace", 0)
		must(t, err)
		equal(t, users, []models.User{MustGet(t, f.Store, 1)})
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, text := range []string{"", " \n", "a\x00", "\xff", "\U0010FFFF\U0010FFFF", strings.Repeat("ä", 201)} {
			_, err := f.Users.Search(ctx, text, 0)
			mustBeInvalid(t, err, "text")
			_, err = f.Shop.Search(ctx, text, 0)
			mustBeInvalid(t, err, "text")
		}
		for _, limit := range []int{-1, 1001} {
			_, err := f.Users.Search(ctx, "a", limit)
			mustBeInvalid(t, err, "limit")
			_, err = f.Shop.Search(ctx, "a", limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}

// By the beginning of a name, in any case of A to Z: the same everywhere.
func TestUsers_Search_Names(t *testing.T) {
	long := strings.Repeat("ö", 200)
	f := MustOpen(t, withoutWords)
	MustBeNamed(t, f.Store, "Bob", "alice", "ALICE", "Álice", "álice", "Alice B.", "100% Bob", "_", long, long+"A", "Ünal")
	for _, test := range []struct {
		text  string
		limit int
		want  []string
	}{
		{"alice", 0, []string{"u2", "u3", "u6"}}, // of the same name in the order of their ids
		{"ALICE", 0, []string{"u2", "u3", "u6"}},
		{"alice ", 0, []string{"u6"}},
		{"alice", 2, []string{"u2", "u3"}},
		{"Álice", 0, []string{"u4"}}, // other letters as they are
		{"b", 0, []string{"u1"}},
		{"100%", 0, []string{"u7"}},
		{"%", 0, nil},
		{"_", 0, []string{"u8"}},
		{long, 0, []string{"u9", "u10"}}, // nothing longer is searched for
		{"u", 3, []string{"u1", "u10", "u11"}},
	} {
		equal(t, MustFindUsers(t, f.Store, test.text, test.limit), test.want)
	}
	name := "Carol"
	_, err := f.Users.Update(ctx, 1, storage.UserUpdate{Name: &name})
	must(t, err)
	equal(t, MustFindUsers(t, f.Store, "bob", 0), nil)
	equal(t, MustFindUsers(t, f.Store, "caro", 0), []string{"u1"})
}

// withoutWords opens a store as a program without FTS5 does, on SQLite.
func withoutWords(s *setup) { s.withoutWords = true }

// What else a name is, its words are found, however they are spelled.
func TestUsers_Search_Words(t *testing.T) {
	if !wordsKnown() {
		t.Skip(onlyWithWords)
	}
	f := MustOpen(t)
	MustBeNamed(t, f.Store, "Dr. Zoë Álvarez-Núñez", "Ada Lovelace", "Countess ADA", "O'Brien", "ada.lovelace@example.org",
		"Љубав", "李小龙 (Bruce)", "Zoe\u0308", "x AND y", "C-3PO 007 1e5")
	for _, test := range []struct {
		text string
		want []string
	}{
		{"ada", []string{"u2", "u5", "u3"}}, // the beginnings first
		{"ada c", []string{"u3"}},
		{"LOVELACE ada", []string{"u2", "u5"}},
		{"ada lov", []string{"u2", "u5"}},
		{"lovel", []string{"u2", "u5"}},
		{"ad love", nil}, // the last word only is a beginning
		{"love ada", nil},
		{"zoe", []string{"u8", "u1"}},
		{"ZOË", []string{"u8", "u1"}},
		{"zoe\u0308", []string{"u8", "u1"}},
		{"nunez alvarez", []string{"u1"}},
		{"núñ", []string{"u1"}},
		{"brien", []string{"u4"}},
		{"o'b", []string{"u4"}},
		{"o’brien", []string{"u4"}},
		{"bruce", []string{"u7"}},
		{"李小", []string{"u7"}},
		{"example org", []string{"u5"}},
		{"3po", []string{"u10"}},
		{"00", []string{"u10"}},
		{"1e", []string{"u10"}},
		{"5", nil},

		// Nothing is a sign.
		{`"`, nil}, {`""`, nil}, {`*`, nil}, {`a*`, []string{"u5", "u2", "u3", "u9", "u1"}}, {`^ada`, []string{"u2", "u5", "u3"}},
		{`ada"`, []string{"u2", "u5", "u3"}}, {"(ada", []string{"u2", "u5", "u3"}}, {"ada)", []string{"u2", "u5", "u3"}},
		{"ada OR zoe", nil}, {"NOT ada", nil}, {"x AND y", []string{"u9"}}, {"and x", []string{"u9"}},
		{"NEAR(ada lovelace)", nil}, {"name:ada", nil}, {"name : ada", nil}, {"-name : ada", nil}, {"{name} : ada", nil}, {"ada + lovelace", []string{"u2", "u5"}},
		{"ada & lovelace", []string{"u2", "u5"}}, {"!ada", []string{"u2", "u5", "u3"}}, {"ada:*", []string{"u2", "u5", "u3"}},
		{`'ada' \`, []string{"u2", "u5", "u3"}}, {"ada <-> lovelace", []string{"u2", "u5"}}, {"ada | lovelace", []string{"u2", "u5"}},
		{"\u0308", nil}, {"ada \u0308", []string{"u2", "u3", "u5"}}, {"½", nil}, {"\U0001E900", nil}, {"🙂", nil}, {"\U0010FFFE\uE000", nil},
		{strings.Repeat("a ", 100), nil},
	} {
		t.Run(test.text, func(t *testing.T) {
			equal(t, slices.Sorted(slices.Values(MustFindUsers(t, f.Store, test.text, 0))), slices.Sorted(slices.Values(test.want)))
		})
	}

	// The beginnings first, in their order; then the words, on PostgreSQL by
	// the id, with FTS5 the name that has the fewest others.
	equal(t, MustFindUsers(t, f.Store, "ada", 0), []string{"u2", "u5", "u3"})
	equal(t, MustFindUsers(t, f.Store, "ada", 2), []string{"u2", "u5"})
	byWords := []string{"u2", "u3", "u5"}
	equal(t, MustFindUsers(t, f.Store, "ada!", 0), byWords)
	equal(t, MustFindUsers(t, f.Store, "ada!", 2), byWords[:2])
	equal(t, MustFindUsers(t, another(t, f).Store, "ada!", 0), byWords)
}

// What is changed is found as it is from the moment when that is done.
func TestUsers_Search_Changed(t *testing.T) {
	if !wordsKnown() {
		t.Skip(onlyWithWords)
	}
	f := MustOpen(t)
	MustBeNamed(t, f.Store, "Miss Byron", "Charles Babbage")
	equal(t, MustFindUsers(t, f.Store, "byron", 0), []string{"u1"})
	name := "Ada Lovelace"
	_, err := f.Users.Update(ctx, 1, storage.UserUpdate{Name: &name})
	must(t, err)
	equal(t, MustFindUsers(t, f.Store, "byron", 0), nil)
	equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u1"})
	MustExec(t, f.db, "UPDATE users SET name = 'Ada King' WHERE id = 1") // the application's own
	equal(t, MustFindUsers(t, f.Store, "lovelace", 0), nil)
	equal(t, MustFindUsers(t, f.Store, "king", 0), []string{"u1"})
	_, err = f.Users.Erase(ctx, 1)
	must(t, err)
	equal(t, MustFindUsers(t, f.Store, "king", 0), nil)

	// In a transaction of the caller's, until it is taken back.
	mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
		name := "The Father of Computing"
		_, err := f.In(tx).Users.Update(ctx, 2, storage.UserUpdate{Name: &name})
		must(t, err)
		equal(t, MustFindUsers(t, f.In(tx), "babbage", 0), nil)
		equal(t, MustFindUsers(t, f.In(tx), "computing", 0), []string{"u2"})
		return context.Canceled
	}), context.Canceled)
	equal(t, MustFindUsers(t, f.Store, "computing", 0), nil)
	equal(t, MustFindUsers(t, f.Store, "babbage", 0), []string{"u2"})
}

func TestShop_Search(t *testing.T) {
	f := MustOpen(t, withoutWords)
	hat2, hat1 := MustItem(t, f.Store, "hat-2", "head", 1), MustItem(t, f.Store, "hat-1", "head", 2)
	MustItem(t, f.Store, "Hat-3", "head", 3) // a slug is compared as it is
	boots := MustItem(t, f.Store, "boots", "feet", 3)
	old, err := f.Shop.Put(ctx, models.ShopItem{Slug: "hat-0", Slot: "head"}) // not for sale
	must(t, err)
	visor, err := f.Shop.Put(ctx, models.ShopItem{Slug: "cap", Name: "Hat with a visor", Slot: "head"})
	must(t, err)
	for _, test := range []struct {
		prefix string
		limit  int
		want   []models.ShopItem
	}{
		{"hat", 0, []models.ShopItem{old, hat1, hat2, visor}},
		{" hat-", 2, []models.ShopItem{old, hat1}},
		{"hat-2", 0, []models.ShopItem{hat2}},
		{"name of b", 0, []models.ShopItem{boots}},
		{"ha%", 0, nil},
	} {
		got, err := f.Shop.Search(ctx, test.prefix, test.limit)
		must(t, err)
		equal(t, got, test.want)
	}
}

// Items are found by the words of their names and descriptions.
func TestShop_Search_Words(t *testing.T) {
	if !wordsKnown() {
		t.Skip(onlyWithWords)
	}
	f := MustOpen(t)
	put := func(slug, name, description string) {
		_, err := f.Shop.Put(ctx, models.ShopItem{Slug: slug, Name: name, Description: description, Slot: "head"})
		must(t, err)
	}
	put("a", "Crown", "Of gold, for the one who wins the dragon")
	put("b", "The golden dragon", "It breathes fire")
	put("c", "Dragon", "Small, green, and shy")
	put("d", "Cap", "Green")
	equal(t, MustFindItems(t, f.Store, "dragon"), []string{"c", "b", "a"}) // by beginning, name, description
	equal(t, MustFindItems(t, f.Store, "dragon gold"), []string{"b", "a"})
	equal(t, MustFindItems(t, f.Store, "FIRE dra"), []string{"b"}) // in both together
	equal(t, MustFindItems(t, f.Store, "green"), []string{"d", "c"})
	put("c", "Dragon", "Small and shy")
	put("d", "Green cap", "")
	equal(t, MustFindItems(t, f.Store, "green"), []string{"d"})
}

// Two stores of other prefixes share a database, and no words.
func TestSearch_TablePrefix(t *testing.T) {
	f := MustOpen(t)
	other := MustOpen(t, func(s *setup) { s.path, s.store.TablePrefix = f.path, "fm_" })
	MustBeNamed(t, f.Store, "Ada Lovelace")
	MustBeNamed(t, other.Store, "Charles Babbage", "Ada King")
	equal(t, MustFindUsers(t, f.Store, "ada", 0), []string{"u1"})
	equal(t, MustFindUsers(t, other.Store, "ada", 0), []string{"u2"})
	if wordsKnown() {
		equal(t, MustFindUsers(t, f.Store, "lovelace", 0), []string{"u1"})
		equal(t, MustFindUsers(t, other.Store, "lovelace", 0), nil)
		equal(t, MustFindUsers(t, other.Store, "babbage", 0), []string{"u1"})
	}
}
