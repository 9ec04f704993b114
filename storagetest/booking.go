package storagetest

import (
	"fmt"
	"testing"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// users: a uid and an e-mail have one owner, and Ensure finds them.
func users(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	equal(t, "level, coins and XP of a new user", []int64{ada.Level, ada.Coins, ada.TotalXP}, []int64{1, 100, 0})
	k.stays(t, func() {
		for _, in := range []storage.NewUser{{UID: " ada "}, {UID: "bob", Email: "ADA@example.org"}} {
			_, err := k.Users.Create(t.Context(), in)
			mustBe(t, err, storage.ErrTaken)
		}
		found, err := k.Users.Ensure(t.Context(), storage.NewUser{UID: "ada", Name: "another"})
		must(t, err)
		equal(t, "user", found, ada)
		_, err = k.Users.Get(t.Context(), ada.ID+1)
		mustBe(t, err, storage.ErrNotFound)
	})
	byEmail, err := k.Users.ByEmail(t.Context(), " Ada@Example.ORG")
	must(t, err)
	equal(t, "user", byEmail, ada)
	k.reconciled(t)
}

// submitOnce: one commit books a session with everything that follows from it,
// and a retry nothing.
func submitOnce(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	in := session(ada.ID, 0,
		answer(1, "8 + 7 = ?", true, 1500),
		answer(2, "8 + 7", true, 5000),
		answer(3, "3 + 4", false, 900),
		answer(4, "3 + 4", true, 12000))
	want := storage.Receipt{
		SessionID: in.ID, UserID: ada.ID, TotalCount: 4, CorrectCount: 3, AvgResponseMS: 4850,
		XPEarned: 5, CoinsEarned: 2, SeasonID: thisSeason,
	}
	equal(t, "receipt", k.submit(t, in), want)

	ada.TotalXP, ada.Coins = 5, 102
	stored, err := k.Users.Get(t.Context(), ada.ID)
	must(t, err)
	equal(t, "user", stored, ada)
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 200, "3+4": 100})
	place, err := k.Leagues.Rank(t.Context(), thisSeason, ada.ID)
	must(t, err)
	equal(t, "XP in the league", place.WeeklyXP, 5)
	log, err := k.Answers.Recent(t.Context(), ada.ID, 0)
	must(t, err)
	equal(t, "answers in the log", len(log), 4)
	equal(t, "last answer", log[0].ID, in.Answers[3].ID)
	k.reconciled(t)

	want.Repeated = true
	k.stays(t, func() {
		equal(t, "receipt of a retry", k.submit(t, in), want)
		in.Answers[0], in.Answers[3] = in.Answers[3], in.Answers[0]
		equal(t, "receipt of a retry in another order", k.submit(t, in), want)
	})
}

// levels fails unless the user knows those additions so well, and no others.
func levels(t *testing.T, k kit, userID int64, want map[string]models.Level) {
	t.Helper()
	stats, err := k.Mastery.Operation(t.Context(), userID, "addition")
	must(t, err)
	got := map[string]models.Level{}
	for _, stat := range stats {
		got[stat.Fact] = stat.MasteryLevel
	}
	equal(t, "levels", got, want)
}

// conflicts: what is booked stands, whatever else comes under its id.
func conflicts(t *testing.T, k kit) {
	ada, bob := k.user(t, "ada"), k.user(t, "bob")
	first := session(ada.ID, 0, answer(1, "1+1", true, 10), answer(2, "2+2", true, 10))
	k.submit(t, first)
	longer := first
	longer.Answers = append([]storage.Answer{answer(3, "3+3", true, 10)}, first.Answers...)
	another := first
	another.UserID = bob.ID
	holds := session(ada.ID, 1, answer(4, "4+4", true, 10), first.Answers[0])
	k.stays(t, func() {
		for _, in := range []storage.Submission{longer, another, holds} {
			_, err := k.Sessions.Submit(t.Context(), in)
			mustBe(t, err, storage.ErrConflict)
		}
		changed := first.Answers[1]
		changed.Correct = false
		_, err := k.Answers.Append(t.Context(), ada.ID, single(first.ID, answer(5, "5+5", true, 10)), single(first.ID, changed))
		mustBe(t, err, storage.ErrConflict)
		_, err = k.Sessions.Submit(t.Context(), session(ada.ID, 2))
		mustBe(t, err, storage.ErrInvalid)
		_, err = k.Sessions.Submit(t.Context(), session(bob.ID+1, 2, answer(6, "6+6", true, 10)))
		mustBe(t, err, storage.ErrNotFound)
	})
}

// orderOfArrival: what is booked does not depend on when it came.
func orderOfArrival(t *testing.T, k kit) {
	week := func(userID int64) []storage.Submission {
		return []storage.Submission{
			session(userID, 0, answer(1, "8+7", true, 100), answer(2, "8+7", true, 3000), answer(3, "1+1", false, 1)),
			session(userID, 1, answer(4, "8+7", false, 100), answer(5, "1+1", true, 100)),
			session(userID, 2, answer(6, "8+7", true, 11000), answer(7, "2+2", true, 100), answer(8, "1+1", true, 1)),
		}
	}
	for i, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		user := k.user(t, fmt.Sprint("user-", i))
		sessions := week(user.ID)
		for _, n := range order {
			k.submit(t, sessions[n])
		}
		levels(t, k, user.ID, map[string]models.Level{"8+7": 200, "1+1": 200, "2+2": 100})
		stored, err := k.Users.Get(t.Context(), user.ID)
		must(t, err)
		equal(t, "XP and coins", []int64{stored.TotalXP, stored.Coins}, []int64{15, 107})
		place, err := k.Leagues.Rank(t.Context(), thisSeason, user.ID)
		must(t, err)
		equal(t, "XP and when it was reached", []any{place.WeeklyXP, place.ReachedAt}, []any{int64(15), sessions[2].EndedAt})
	}
	k.reconciled(t)
}

// appendThenSubmit: answers that were sent ahead are booked once.
func appendThenSubmit(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	in := session(ada.ID, 0, answer(1, "1+1", true, 100), answer(2, "1+1", false, 100), answer(3, "1+1", true, 100))
	for _, n := range []int{2, 0, 2} {
		_, err := k.Answers.Append(t.Context(), ada.ID, single(in.ID, in.Answers[n]))
		must(t, err)
	}
	levels(t, k, ada.ID, map[string]models.Level{"1+1": 200})
	k.submit(t, in)
	levels(t, k, ada.ID, map[string]models.Level{"1+1": 100})
	k.stays(t, func() {
		receipt, err := k.Answers.Append(t.Context(), ada.ID, single(in.ID, in.Answers[1]))
		must(t, err)
		equal(t, "receipt", receipt, storage.AppendReceipt{Repeated: 1})
	})
}

// rollups: summaries by accuracy, of those with new answers only.
func rollups(t *testing.T, k kit) {
	ada, bob := k.user(t, "ada"), k.user(t, "bob")
	var answers []storage.Answer
	for n := range 10 {
		answers = append(answers, answer(n, "1+1", n > 0, 100)) // 90 %
	}
	k.submit(t, session(ada.ID, 0, append(answers, answer(20, "2+2", false, 100))...))
	k.submit(t, session(bob.ID, 0, answer(1, "1+1", true, 100)))
	ran(t, k, 2, 3)
	list, err := k.Rollups.OfUser(t.Context(), ada.ID)
	must(t, err)
	got := map[string]int64{}
	for _, r := range list {
		got[r.Fact] = r.MasteryLevel
	}
	equal(t, "levels by accuracy", got, map[string]int64{"1+1": 5, "2+2": 0})
	k.stays(t, func() { ran(t, k, 0, 0) })
	_, err = k.Answers.Append(t.Context(), bob.ID, single(models.ID{}, answer(2, "1+1", true, 100)))
	must(t, err)
	ran(t, k, 1, 1)
}

// ran runs the rollup, which has so much to do.
func ran(t *testing.T, k kit, users, facts int) {
	t.Helper()
	result, err := k.Rollups.Run(t.Context())
	must(t, err)
	equal(t, "users and facts rolled up", []int{result.Users, result.Facts}, []int{users, facts})
}
