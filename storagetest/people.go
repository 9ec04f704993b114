package storagetest

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// finding: many users at once, and by how their uid or e-mail begins.
func finding(t *testing.T, k kit) {
	ada, adam, bob := k.user(t, "ada"), k.user(t, "adam"), k.user(t, "bob")
	many, err := k.Users.GetMany(t.Context(), []int64{bob.ID, bob.ID + 1, ada.ID, bob.ID})
	must(t, err)
	equal(t, "users in the order of their ids", many, []models.User{bob, ada, bob})
	for text, want := range map[string][]models.User{
		"ada": {ada, adam}, "adam": {adam}, "BOB@": {bob}, "z": nil,
	} {
		found, err := k.Users.Search(t.Context(), text, 0)
		must(t, err)
		equal(t, "users found by "+text, uids(found), uids(want))
	}
	_, err = k.Users.Search(t.Context(), " ", 0)
	mustBe(t, err, storage.ErrInvalid)
}

func uids(users []models.User) (list []string) {
	for _, user := range users {
		list = append(list, user.UID)
	}
	return list
}

// presence: times are written together, and never backwards.
func presence(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	k.clock.set(noon.Add(time.Hour))
	k.stays(t, func() { must(t, k.Users.Touch(t.Context(), ada.ID)) })
	must(t, k.Users.FlushPresence(t.Context()))
	active(t, k, ada.ID, noon.Add(time.Hour))
	k.clock.set(noon)
	k.stays(t, func() {
		must(t, k.Users.Touch(t.Context(), ada.ID))
		must(t, k.Users.Touch(t.Context(), ada.ID+1)) // nobody
		must(t, k.Users.FlushPresence(t.Context()))
	})
}

func active(t *testing.T, k kit, userID int64, want time.Time) {
	t.Helper()
	user, err := k.Users.Get(t.Context(), userID)
	must(t, err)
	equal(t, "last active", user.LastActiveAt, want)
}

// dashboard: one page says what the single reads say.
func dashboard(t *testing.T, k kit) {
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 60)
	k.submit(t, session(ada.ID, 0, answer(1, "8+7", true, 100), answer(2, "1+1", false, 100)))
	k.submit(t, session(ada.ID, 1, answer(61, "8+7", true, 100), answer(62, "1+1", true, 3000), answer(63, "2+2", true, 100)))
	_, err := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
	must(t, err)
	must(t, k.Shop.Equip(t.Context(), ada.ID, hat.ID))

	got, err := k.Users.Dashboard(t.Context(), ada.ID)
	must(t, err)
	user, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	recent, err := k.Sessions.Recent(t.Context(), ada.ID, 10)
	must(t, err)
	weakest, err := k.Mastery.Weakest(t.Context(), ada.ID, "", 10)
	must(t, err)
	place, err := k.Leagues.Rank(t.Context(), thisSeason, ada.ID)
	must(t, err)
	equal(t, "user", got.User, user)
	equal(t, "recent sessions", got.Recent, recent)
	equal(t, "weakest facts", got.Weakest, weakest)
	equal(t, "place", *got.Standing, place)
	equal(t, "worn", got.Worn, []models.ShopItem{hat})
	equal(t, "sessions, answers, right ones and XP of the day",
		[]int64{got.Today.Sessions, got.Today.Answers, got.Today.Correct, got.Today.XP}, []int64{2, 5, 4, 12})
	equal(t, "facts and attempts of additions", []int64{got.Operations[0].Facts, got.Operations[0].Attempts}, []int64{3, 5})
	_, err = k.Users.Dashboard(t.Context(), ada.ID+1)
	mustBe(t, err, storage.ErrNotFound)
}
