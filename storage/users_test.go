package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func TestUsers_Create(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user, err := f.Users.Create(ctx, storage.NewUser{UID: " ada ", Email: " Ada@Example.ORG ", Name: " Ada "})
		must(t, err)
		equal(t, user, models.User{
			ID: 1, UID: "ada", Email: "ada@example.org", Name: "Ada",
			Level: 1, Coins: 100, LeagueID: 1, Version: 1,
			CreatedAt: noon, UpdatedAt: noon, LastActiveAt: noon,
		})
		equal(t, MustGet(t, f.Store, user.ID), user)

		entries, err := f.Coins.Ledger(ctx, user.ID, 0, 0)
		must(t, err)
		equal(t, entries, []models.CoinEntry{{
			UserID: user.ID, Seq: 1, Delta: 100, BalanceAfter: 100, Reason: storage.ReasonWelcome, CreatedAt: noon,
		}}, cmpopts.IgnoreFields(models.CoinEntry{}, "EntryID"))
		MustReconcile(t, f.Store)
	})
	t.Run("Defaults", func(t *testing.T) {
		f := MustOpen(t)
		first, err := f.Users.Create(ctx, storage.NewUser{})
		must(t, err)
		second, err := f.Users.Create(ctx, storage.NewUser{UID: " \t "})
		must(t, err)
		for _, user := range []models.User{first, second} {
			id, err := models.ParseID(user.UID)
			must(t, err)
			equal(t, id.Version(), 7)
		}
		// Any number of users have no e-mail.
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM users WHERE email IS NULL"), 2)
	})
	t.Run("StartCoins", func(t *testing.T) {
		f := MustOpen(t, withRules(func(r *storage.Rules) { r.StartCoins = 0 }))
		equal(t, MustUser(t, f.Store, "ada").Coins, 0)
		MustReconcile(t, f.Store)
	})
	t.Run("ErrTaken", func(t *testing.T) {
		f := MustOpen(t)
		_, err := f.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org"})
		must(t, err)
		MustNotChange(t, f, func() {
			for _, in := range []storage.NewUser{
				{UID: "ada"},
				{UID: " ada "},
				{UID: "other", Email: "ada@example.org"},
				{UID: "other", Email: " ADA@EXAMPLE.ORG"},
			} {
				_, err := f.Users.Create(ctx, in)
				mustBe(t, err, storage.ErrTaken, gorm.ErrDuplicatedKey)
			}
		})
		// The application's uid is opaque: another case is another user.
		MustUser(t, f.Store, "Ada")
	})
}

// Text that PostgreSQL could not hold is refused here as well.
func TestUsers_ErrInvalid(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	MustNotChange(t, f, func() {
		for _, bad := range []string{"a\x00b", "a\xff"} {
			for field, in := range map[string]storage.NewUser{
				"uid": {UID: bad}, "email": {UID: "x", Email: bad}, "name": {UID: "x", Name: bad},
			} {
				_, err := f.Users.Create(ctx, in)
				mustBeInvalid(t, err, field)
				_, err = f.Users.Ensure(ctx, in)
				mustBeInvalid(t, err, field)
			}
			for field, change := range map[string]storage.UserUpdate{"email": {Email: &bad}, "name": {Name: &bad}} {
				_, err := f.Users.Update(ctx, user.ID, change)
				mustBeInvalid(t, err, field)
			}
		}
		for field, in := range map[string]storage.NewUser{"uid": {UID: tooLong}, "email": {Email: tooLong}} {
			_, err := f.Users.Create(ctx, in)
			mustBeInvalid(t, err, field)
		}
		_, err := f.Users.Update(ctx, user.ID, storage.UserUpdate{Email: ptr(tooLong)})
		mustBeInvalid(t, err, "email")
	})
}

// tooLong is longer than a key may be.
var tooLong = letters(1001)

// letters returns so many letters by chance, of which no engine makes fewer
// bytes.
func letters(n int) string {
	random := rand.New(rand.NewPCG(3, 3))
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + random.IntN(26))
	}
	return string(text)
}

// What is no key has no such bound; and the longest keys fit into every engine's.
func TestLongestTexts(t *testing.T) {
	f := MustOpen(t)
	longest, long := tooLong[1:], letters(20_000)
	user, err := f.Users.Create(ctx, storage.NewUser{UID: longest, Email: longest, Name: long})
	must(t, err)
	item, err := f.Shop.Put(ctx, models.ShopItem{Slug: longest, Slot: longest, Name: long, Description: long, Active: true})
	must(t, err)
	MustPurchase(t, f.Store, user.ID, item.ID, idAt(noon, 1))
	must(t, f.Shop.Equip(ctx, user.ID, item.ID))
	for i := range 2 {
		in := session(user.ID, i, right(i, longest, 10))
		in.Operation = longest
		MustSubmit(t, f.Store, in)
	}
	equal(t, MustRun(t, f.Store).Facts, 1)
	stat, err := f.Mastery.Fact(ctx, user.ID, longest, longest)
	must(t, err)
	equal(t, stat.Attempts, 2)
}

func TestUsers_Ensure(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		made, err := f.Users.Ensure(ctx, storage.NewUser{UID: "ada", Name: "Ada"})
		must(t, err)
		equal(t, made, MustGet(t, f.Store, 1))
		MustNotChange(t, f, func() {
			found, err := f.Users.Ensure(ctx, storage.NewUser{UID: " ada ", Name: "Countess", Email: "ada@example.org"})
			must(t, err)
			equal(t, found, made)
		})
	})
	t.Run("AtOnce", func(t *testing.T) {
		f := MustOpen(t)
		ids := make([]int64, 32)
		must(t, errors.Join(atOnce(len(ids), func(i int) error {
			user, err := f.Users.Ensure(ctx, storage.NewUser{UID: "ada"})
			ids[i] = user.ID
			return err
		})...))
		for _, id := range ids {
			equal(t, id, ids[0])
		}
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM users"), 1)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM coin_ledger"), 1)
	})
	t.Run("ErrTaken", func(t *testing.T) {
		f := MustOpen(t)
		_, err := f.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org"})
		must(t, err)
		MustNotChange(t, f, func() {
			_, err := f.Users.Ensure(ctx, storage.NewUser{UID: "bob", Email: "ada@example.org"})
			mustBe(t, err, storage.ErrTaken)
		})
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t)
		MustNotChange(t, f, func() {
			_, err := f.Users.Ensure(ctx, storage.NewUser{UID: " "})
			mustBeInvalid(t, err, "uid")
		})
	})
}

func TestUsers_Get(t *testing.T) {
	f := MustOpen(t)
	ada, err := f.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org"})
	must(t, err)
	MustUser(t, f.Store, "bob")
	t.Run("OK", func(t *testing.T) {
		equal(t, MustGet(t, f.Store, ada.ID), ada)
		for _, uid := range []string{"ada", " ada\n"} {
			found, err := f.Users.ByUID(ctx, uid)
			must(t, err)
			equal(t, found, ada)
		}
		for _, email := range []string{"ada@example.org", "ADA@Example.Org", "\tada@example.org "} {
			found, err := f.Users.ByEmail(ctx, email)
			must(t, err)
			equal(t, found, ada)
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		_, byID := f.Users.Get(ctx, 99)
		_, byUID := f.Users.ByUID(ctx, "ADA")
		_, byEmail := f.Users.ByEmail(ctx, "bob@example.org")
		_, byNoEmail := f.Users.ByEmail(ctx, "")
		for _, err := range []error{byID, byUID, byEmail, byNoEmail} {
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
		if got, want := byNoEmail.Error(), `user "": not found: record not found`; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	})
}

func TestUsers_Update(t *testing.T) {
	later := noon.Add(time.Minute)
	open := func(t *testing.T) (*fixture, models.User) {
		f := MustOpen(t)
		ada, err := f.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org", Name: "Ada"})
		must(t, err)
		_, err = f.Users.Create(ctx, storage.NewUser{UID: "bob", Email: "bob@example.org"})
		must(t, err)
		f.clock.Set(later)
		return f, ada
	}
	for _, test := range []struct {
		name        string
		change      storage.UserUpdate
		email, told string
	}{
		{"Nothing", storage.UserUpdate{}, "ada@example.org", "Ada"},
		{"Name", storage.UserUpdate{Name: ptr(" Countess ")}, "ada@example.org", "Countess"},
		{"NoName", storage.UserUpdate{Name: ptr("")}, "ada@example.org", ""},
		{"Email", storage.UserUpdate{Email: ptr(" Lovelace@Example.org")}, "lovelace@example.org", "Ada"},
		{"SameEmail", storage.UserUpdate{Email: ptr("ADA@example.org")}, "ada@example.org", "Ada"},
		{"NoEmail", storage.UserUpdate{Email: ptr("")}, "", "Ada"},
		{"Both", storage.UserUpdate{Email: ptr("l@example.org"), Name: ptr("L")}, "l@example.org", "L"},
	} {
		t.Run("OK/"+test.name, func(t *testing.T) {
			f, want := open(t)
			if test.email != want.Email || test.told != want.Name {
				want.Version = 2
			}
			want.Email, want.Name, want.UpdatedAt = test.email, test.told, later
			got, err := f.Users.Update(ctx, want.ID, test.change)
			must(t, err)
			equal(t, got, want)
			equal(t, MustGet(t, f.Store, want.ID), want)
		})
	}
	t.Run("OK/EmailOfNobody", func(t *testing.T) {
		f, ada := open(t)
		_, err := f.Users.Update(ctx, ada.ID, storage.UserUpdate{Email: ptr("")})
		must(t, err)
		// What was given up is free for others, and having none is no clash.
		_, err = f.Users.Update(ctx, 2, storage.UserUpdate{Email: ptr("ada@example.org")})
		must(t, err)
		_, err = f.Users.Update(ctx, 2, storage.UserUpdate{Email: ptr("")})
		must(t, err)
	})
	t.Run("ErrTaken", func(t *testing.T) {
		f, ada := open(t)
		MustNotChange(t, f, func() {
			_, err := f.Users.Update(ctx, ada.ID, storage.UserUpdate{Email: ptr("BOB@example.org"), Name: ptr("X")})
			mustBe(t, err, storage.ErrTaken, gorm.ErrDuplicatedKey)
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f, _ := open(t)
		_, err := f.Users.Update(ctx, 99, storage.UserUpdate{Name: ptr("X")})
		mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
	})
}

func TestUsers_List(t *testing.T) {
	f := MustOpen(t)
	users := MustUsers(t, f, 60)
	for _, test := range []struct {
		after int64
		limit int
		want  []models.User
	}{
		{0, 0, users[:50]},
		{0, 1, users[:1]},
		{0, 60, users},
		{0, 1000, users},
		{users[56].ID, 2, users[57:59]},
		{users[58].ID, 2, users[59:]},
		{users[59].ID, 2, []models.User{}},
		{-5, 3, users[:3]},
	} {
		t.Run(fmt.Sprintf("OK/%d after %d", test.limit, test.after), func(t *testing.T) {
			got, err := f.Users.List(ctx, test.after, test.limit)
			must(t, err)
			equal(t, got, test.want)
		})
	}
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Users.List(ctx, 0, limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}
