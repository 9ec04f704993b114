package storage_test

import (
	"testing"
	"time"

	"github.com/flashstore/flashstore/storage"
)

// A client's clock may be ahead by the skew, and no more: it cannot fill the
// board of a week that has not begun.
func TestClientTimes(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	late := noon.Add(5*time.Minute + time.Millisecond)
	MustNotChange(t, f, func() {
		in := session(user.ID, 0, right(1, "8+7", 1500))
		in.EndedAt = late
		_, err := f.Sessions.Submit(ctx, in)
		mustBeInvalid(t, err, "ended_at")
		in = session(user.ID, 0, right(1, "8+7", 1500))
		in.Answers[0].At = late
		_, err = f.Sessions.Submit(ctx, in)
		mustBeInvalid(t, err, "answers[0].at")
	})
	in := session(user.ID, 0, right(1, "8+7", 1500))
	in.EndedAt = late.Add(-time.Millisecond)
	MustSubmit(t, f.Store, in)
}

// XP of a settled season begins anew in the present one: at equal XP, who
// played this week was there first or came as the season began, no earlier.
func TestLateXPReachedAt(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	lastWeek := noon.AddDate(0, 0, -7)
	_, err := f.Leagues.BookXP(ctx, user.ID, 1, lastWeek)
	must(t, err)
	must(t, f.db.Exec("UPDATE seasons SET settled_at = ?", noon.UnixMilli()).Error)
	season, err := f.Leagues.BookXP(ctx, user.ID, 5, lastWeek)
	must(t, err)
	got, err := f.Leagues.Rank(ctx, season.ID, user.ID)
	must(t, err)
	equal(t, season.ID, thisSeason)
	equal(t, got.ReachedAt, season.StartsAt)
}

// A running store's rules stand, whatever becomes of the caller's.
func TestRulesAreCopied(t *testing.T) {
	rules := storage.DefaultRules()
	f := MustOpen(t, func(s *setup) { s.store.Rules = &rules })
	rules.StartCoins = 7
	equal(t, MustUser(t, f.Store, "ada").Coins, 100)
}
