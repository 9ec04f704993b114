package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// lastWeek is a moment of the season that ended last.
var lastWeek = bell.Add(-48 * time.Hour)

// withSettleBatch makes settlements go on in transactions of so many users.
func withSettleBatch(n int) func(*setup) {
	return func(s *setup) { s.store.SettleBatch = n }
}

// player is somebody who plays in a season: with XP, reached that many minutes
// after lastWeek.
type player struct{ xp, minutes int64 }

// xps returns players who reached their XP at the same time.
func xps(list ...int64) (players []player) {
	for _, xp := range list {
		players = append(players, player{xp: xp})
	}
	return players
}

// MustPlay creates users who play in a league in the season of lastWeek.
func MustPlay(tb testing.TB, f *fixture, leagueID int64, players ...player) (users []models.User) {
	tb.Helper()
	must(tb, f.db.Transaction(func(tx *gorm.DB) error {
		for i, p := range players {
			user := MustUser(tb, f.In(tx), fmt.Sprintf("player-%d-%02d", leagueID, i))
			MustExec(tb, tx, "UPDATE users SET league_id = ? WHERE id = ?", leagueID, user.ID)
			MustBookXP(tb, f.In(tx), user.ID, p.xp, lastWeek.Add(time.Duration(p.minutes)*time.Minute))
			user.LeagueID = leagueID
			users = append(users, user)
		}
		return nil
	}))
	return users
}

// MustPlan returns a season's plan.
func MustPlan(tb testing.TB, s *storage.Store, seasonID int64) storage.SeasonPlan {
	tb.Helper()
	plan, err := s.Leagues.Plan(ctx, seasonID)
	must(tb, err)
	return plan
}

// MustSettle settles a season.
func MustSettle(tb testing.TB, s *storage.Store, seasonID int64) storage.SettleResult {
	tb.Helper()
	result, err := s.Leagues.Settle(ctx, seasonID)
	must(tb, err)
	return result
}

// MustSettleDue settles what is due and returns the ids of the seasons.
func MustSettleDue(tb testing.TB, s *storage.Store) (ids []int64) {
	tb.Helper()
	results, err := s.Leagues.SettleDue(ctx)
	must(tb, err)
	for _, result := range results {
		equal(tb, result.Season.SettledAt != nil, true)
		equal(tb, result.Repeated, false)
		ids = append(ids, result.Season.ID)
	}
	return ids
}

// mustState returns what settlements have led to, as text.
func mustState(tb testing.TB, f *fixture) map[string][]string {
	tb.Helper()
	state := map[string][]string{}
	for name, query := range map[string]string{
		"users":        "SELECT id, league_id, coins FROM users ORDER BY id",
		"settled":      "SELECT id FROM seasons WHERE settled_at IS NOT NULL ORDER BY id",
		"participants": "SELECT season_id, league_id, user_id, weekly_xp FROM league_participants ORDER BY season_id, user_id",
		"results":      "SELECT season_id, user_id, league_id, rank, weekly_xp, moved_to, prize FROM season_results ORDER BY season_id, user_id",
		"ledger":       "SELECT user_id, seq, delta, balance_after, reason, reference FROM coin_ledger ORDER BY user_id, seq",
		"prizes":       "SELECT user_id, entry_id FROM coin_ledger WHERE reason = 'prize' ORDER BY user_id, seq",
	} {
		var rows []map[string]any
		must(tb, f.db.Raw(query).Scan(&rows).Error)
		for _, row := range rows {
			state[name] = append(state[name], fmt.Sprint(row))
		}
	}
	return state
}

var errFault = errors.New("the machine is gone")

// faults makes the n-th statement of a database fail.
type faults struct {
	left    int // until one fails
	written int // statements that came
}

// MustFault makes the n-th statement from now on fail, and all behind it, as
// if the process had ended. It returns how to go on.
func MustFault(tb testing.TB, db *gorm.DB, n int) (*faults, func()) {
	tb.Helper()
	f := &faults{left: n}
	fail := func(tx *gorm.DB) {
		if tx.DryRun { // which makes the text of a statement
			return
		}
		f.written++
		if f.left--; f.left <= 0 {
			_ = tx.AddError(errFault)
		}
	}
	const name = "test:fault"
	calls := db.Callback()
	must(tb, errors.Join(
		calls.Create().Before("*").Register(name, fail), calls.Query().Before("*").Register(name, fail),
		calls.Update().Before("*").Register(name, fail), calls.Delete().Before("*").Register(name, fail),
		calls.Row().Before("*").Register(name, fail), calls.Raw().Before("*").Register(name, fail),
	))
	return f, func() {
		must(tb, errors.Join(
			calls.Create().Remove(name), calls.Query().Remove(name), calls.Update().Remove(name),
			calls.Delete().Remove(name), calls.Row().Remove(name), calls.Raw().Remove(name),
		))
	}
}
