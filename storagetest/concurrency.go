package storagetest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// concurrentWriters: everything that there is to write, of the same few users,
// at once and to exact totals.
func concurrentWriters(t *testing.T, k kit) {
	const writers, each = 8, 6
	learners := []models.User{k.user(t, "ada"), k.user(t, "bob"), k.user(t, "eve")}
	must(t, errors.Join(atOnce(writers, func(writer int) error {
		for i := range each {
			n := writer*each + i
			for u := range learners {
				user := learners[(u+n)%len(learners)].ID
				_, submitted := k.Sessions.Submit(t.Context(), session(user, -n, answer(n, "8+7", true, 100), answer(1000+n, "1+1", false, 100)))
				_, appended := k.Answers.Append(t.Context(), user, single(models.ID{}, answer(2000-n, "2+2", true, 100)))
				_, booked := k.Leagues.BookXP(t.Context(), user, 3, noon)
				_, rolled := k.Rollups.Run(t.Context())
				_, ensured := k.Users.Ensure(t.Context(), storage.NewUser{UID: fmt.Sprint("new-", i)})
				if err := errors.Join(submitted, appended, booked, rolled, ensured); err != nil {
					return err
				}
			}
		}
		return nil
	})...))
	const sessions = writers * each
	for _, learner := range learners {
		stored, err := k.Users.Get(t.Context(), learner.ID)
		must(t, err)
		equal(t, "XP and coins", []int64{stored.TotalXP, stored.Coins}, []int64{2 * sessions, 100 + sessions})
		place, err := k.Leagues.Rank(t.Context(), thisSeason, learner.ID)
		must(t, err)
		equal(t, "XP in the league", place.WeeklyXP, 5*sessions)
		levels(t, k, learner.ID, map[string]models.Level{"8+7": 500, "1+1": 0, "2+2": 500})
	}
	all, err := k.Users.List(t.Context(), 0, 0)
	must(t, err)
	equal(t, "users", len(all), len(learners)+each)
	// Of what was rolled up while others wrote, nothing is forgotten.
	_, err = k.Rollups.Run(t.Context())
	must(t, err)
	for _, learner := range learners {
		list, err := k.Rollups.OfUser(t.Context(), learner.ID)
		must(t, err)
		for _, rollup := range list {
			equal(t, "answers rolled up", rollup.TotalAttempts, sessions)
		}
	}
	k.reconciled(t)
}

// concurrentRetries: what many send at the same time is booked once.
func concurrentRetries(t *testing.T, k kit) {
	const retries = 8
	ada, hat := k.user(t, "ada"), k.item(t, "hat", 50)
	for n := range 4 {
		first := make([]bool, retries)
		must(t, errors.Join(atOnce(retries, func(i int) error {
			receipt, err := k.Sessions.Submit(t.Context(), session(ada.ID, n, answer(2*n, "8+7", true, 100), answer(2*n+1, "1+1", true, 100)))
			first[i] = !receipt.Repeated
			_, bought := k.Shop.Purchase(t.Context(), ada.ID, hat.ID, idAt(noon, 1))
			return errors.Join(err, bought)
		})...))
		booked := 0
		for _, yes := range first {
			if yes {
				booked++
			}
		}
		equal(t, "calls that booked the session", booked, 1)
	}
	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "XP and coins", []int64{stored.TotalXP, stored.Coins}, []int64{4 * 8, 100 + 4*4 - 50})
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 400, "1+1": 400})
	k.reconciled(t)
}
