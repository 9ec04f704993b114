package storage_test

import (
	"testing"

	"github.com/flashstore/flashstore/models"
)

// P7: in the order in which they are asked for.
func TestUsers_GetMany(t *testing.T) {
	f := MustOpen(t)
	users := MustUsers(t, f, 5)
	get := func(t *testing.T, ids ...int64) []models.User {
		t.Helper()
		got, err := f.Users.GetMany(ctx, ids)
		must(t, err)
		return got
	}
	equal(t, get(t, users[3].ID, users[0].ID, users[2].ID), []models.User{users[3], users[0], users[2]})
	equal(t, get(t, users[1].ID, 99, users[1].ID, -1), []models.User{users[1], users[1]})
	equal(t, get(t, 99), nil)
	equal(t, get(t), nil)

	// More than one statement can bind.
	var ids []int64
	for i := range int64(70_000) {
		ids = append(ids, 70_000-i)
	}
	equal(t, get(t, ids...), []models.User{users[4], users[3], users[2], users[1], users[0]})
}
