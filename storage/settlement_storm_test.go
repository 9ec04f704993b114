package storage_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/flashstore/flashstore/storage"
)

// Sixteen goroutines over four stores on one database settle at the same bell
// while others still book XP, late and in time: each prize is paid once, and no
// XP comes into a season that is settled, or is lost.
func TestLeagues_Settle_Storm(t *testing.T) {
	stores := []*fixture{MustOpen(t, withSettleBatch(3))}
	f := stores[0]
	for range 3 {
		stores = append(stores, MustOpen(t, func(s *setup) { s.path = f.path }, withSettleBatch(3)))
	}
	var users []int64
	for league := int64(1); league <= 5; league++ {
		for _, user := range MustPlay(t, f, league, xps(80, 70, 60, 50, 40, 30, 20, 10)...) {
			users = append(users, user.ID)
		}
	}
	earlier := lastWeek.AddDate(0, 0, -7)
	for _, user := range users[:10] {
		MustBookXP(t, f.Store, user, 30, earlier)
	}

	var finished, booked [2]atomic.Int64 // by season; XP of last week and of this one
	var bookedThisWeek atomic.Int64
	seasons := map[int64]int{20260426: 0, lastSeason: 1}
	settle := func(s *storage.Store) error {
		results, err := s.Leagues.SettleDue(ctx)
		for _, result := range results {
			finished[seasons[result.Season.ID]].Add(1)
		}
		return err
	}
	book := func(s *storage.Store, i int) error {
		for n := range 8 {
			at := lastWeek
			if n%2 == 0 {
				at = noon
			}
			season, err := s.Leagues.BookXP(ctx, users[(i*8+n)%len(users)], 1, at)
			if err != nil {
				return err
			}
			if season.ID == thisSeason {
				bookedThisWeek.Add(1)
			} else {
				booked[seasons[season.ID]].Add(1)
			}
		}
		return nil
	}
	must(t, errors.Join(atOnce(24, func(i int) error {
		if i%3 == 0 {
			return book(stores[i%4].Store, i)
		}
		return settle(stores[i%4].Store)
	})...))

	for i := range finished {
		equal(t, finished[i].Load(), 1)
	}
	equal(t, MustInt(t, f.db, "SELECT sum(weekly_xp) FROM league_participants WHERE season_id = ?", lastSeason), 5*360+booked[1].Load())
	equal(t, MustInt(t, f.db, "SELECT sum(weekly_xp) FROM league_participants WHERE season_id = ?", thisSeason), bookedThisWeek.Load())
	equal(t, bookedThisWeek.Load()+booked[1].Load(), 64)
	equal(t, MustInt(t, f.db, `SELECT count(*) FROM season_results AS r
		JOIN league_participants AS p ON p.season_id = r.season_id AND p.user_id = r.user_id
		WHERE p.weekly_xp = r.weekly_xp AND p.league_id = r.league_id`), int64(len(users)+10))

	// Three of the earlier season's ten and their league's eight each.
	prizes := MustInt(t, f.db, "SELECT sum(prize) FROM season_results")
	equal(t, MustInt(t, f.db, "SELECT sum(delta) FROM coin_ledger WHERE reason = 'prize'"), prizes)
	equal(t, MustInt(t, f.db, "SELECT sum(coins) FROM users"), int64(len(users))*100+prizes)
	equal(t, MustInt(t, f.db, "SELECT sum(prize) FROM season_results WHERE season_id = 20260426"), int64(5*250))
	equal(t, MustInt(t, f.db, `SELECT count(*) FROM season_results AS r JOIN users ON users.id = r.user_id
		WHERE r.season_id = ? AND users.league_id = r.moved_to`, lastSeason), int64(len(users)))
	// Who plays this week does so in the league that last week led to.
	equal(t, MustInt(t, f.db, `SELECT count(*) FROM league_participants AS p JOIN users ON users.id = p.user_id
		WHERE p.season_id = ? AND users.league_id <> p.league_id`, thisSeason), int64(0))
	MustReconcile(t, f.Store)
}
