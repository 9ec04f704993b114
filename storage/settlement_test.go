package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func TestLeagues_Settle(t *testing.T) {
	t.Run("OK/Ledger", func(t *testing.T) {
		f := MustOpen(t)
		users := MustPlay(t, f, 1, xps(30, 20, 10)...)
		MustSettle(t, f.Store, lastSeason)
		ids := map[models.ID]bool{}
		for _, user := range users[:2] {
			entries, err := f.Coins.Ledger(ctx, user.ID, 0, 0)
			must(t, err)
			equal(t, len(entries), 2)
			ids[entries[0].EntryID] = true
			equal(t, entries[0].EntryID.Version(), 8) // no client's
			entries[0].EntryID = models.ID{}
			equal(t, entries[0], models.CoinEntry{
				UserID: user.ID, Seq: 2, Delta: 250, BalanceAfter: 350,
				Reason: storage.ReasonPrize, Reference: "20260503", CreatedAt: noon,
			})
			equal(t, MustGet(t, f.Store, user.ID).UpdatedAt, noon)
		}
		equal(t, len(ids), 2)
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM coin_ledger WHERE user_id = ?", users[2].ID), int64(1))
	})
	t.Run("OK/Repeated", func(t *testing.T) {
		for _, batch := range []int{0, 1} {
			f := MustOpen(t, withSettleBatch(batch))
			MustPlay(t, f, 2, xps(60, 50, 40, 30, 10)...)
			want := MustSettle(t, f.Store, lastSeason)
			equal(t, want.Repeated, false)
			want.Repeated = true
			f.clock.Set(noon.AddDate(1, 0, 0))
			MustNotChange(t, f, func() {
				for range 3 {
					equal(t, MustSettle(t, f.Store, lastSeason), want)
				}
				equal(t, MustSettleDue(t, f.Store), nil)
			})
		}
	})
	t.Run("OK/SettledMeanwhile", func(t *testing.T) {
		f := MustOpen(t)
		other := MustOpen(t, func(s *setup) { s.path = f.path })
		MustPlay(t, f, 1, player{xp: 50})
		var first storage.SettleResult
		meanwhile := sync.OnceFunc(func() { first = MustSettle(t, other.Store, lastSeason) })
		// Behind the first look, before the transaction.
		must(t, f.db.Callback().Row().After("*").Register("test:meanwhile", func(*gorm.DB) { meanwhile() }))
		second := MustSettle(t, f.Store, lastSeason)
		must(t, f.db.Callback().Row().Remove("test:meanwhile"))
		equal(t, first.Repeated, false)
		equal(t, second.Repeated, true)
		second.Repeated = false
		equal(t, second, first)
	})
	t.Run("OK/AtTheBell", func(t *testing.T) {
		f := MustOpen(t)
		MustBookXP(t, f.Store, MustUser(t, f.Store, "ada").ID, 20, noon)
		ends := bell.AddDate(0, 0, 7)
		f.clock.Set(ends.Add(-time.Millisecond))
		MustNotChange(t, f, func() {
			_, err := f.Leagues.Settle(ctx, thisSeason)
			var open *storage.SeasonOpenError
			if !errors.As(err, &open) || open.SeasonID != thisSeason || !open.EndsAt.Equal(ends) {
				t.Fatalf("got error %v, want a *SeasonOpenError", err)
			}
			equal(t, MustSettleDue(t, f.Store), nil)
		})
		f.clock.Set(ends)
		equal(t, MustSettle(t, f.Store, thisSeason).Promoted, 1)
	})
	t.Run("OK/NobodyLeft", func(t *testing.T) {
		f := MustOpen(t)
		user := MustPlay(t, f, 1, player{xp: 50})[0]
		MustBookXP(t, f.Store, user.ID, 50, lastWeek.AddDate(0, 0, -7))
		MustExec(t, f.db, "DELETE FROM users WHERE id = ?", user.ID)
		result := MustSettle(t, f.Store, lastSeason) // an earlier one without players is in nobody's way
		equal(t, result.Participants, 0)
		equal(t, result.Season.SettledAt, &noon)
		equal(t, MustPlan(t, f.Store, lastSeason), storage.SeasonPlan{Season: result.Season, Final: true})
		equal(t, MustSettleDue(t, f.Store), nil)
	})
	t.Run("OK/TablePrefix", func(t *testing.T) {
		f := MustOpen(t, func(s *setup) { s.store.TablePrefix = "fm_" })
		user := MustUser(t, f.Store, "ada")
		MustBookXP(t, f.Store, user.ID, 30, lastWeek)
		MustBookXP(t, f.Store, user.ID, 5, noon)
		plan := MustPlan(t, f.Store, lastSeason)
		equal(t, MustSettleDue(t, f.Store), []int64{lastSeason})
		results, err := f.Leagues.ResultsOfUser(ctx, user.ID, 0, 0)
		must(t, err)
		equal(t, results, plan.Moves)
		equal(t, MustBookXP(t, f.Store, user.ID, 5, lastWeek).ID, thisSeason)
		needs := MustNeeds(t, f.Store, thisSeason, user.ID)
		equal(t, needs.Standing.LeagueID, 2)
		equal(t, needs.XPToPromotion, 10)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/LaterSettled", func(t *testing.T) { // by hand: its boards stay as they were
		f := MustOpen(t)
		user := MustPlay(t, f, 1, player{xp: 50})[0]
		MustBookXP(t, f.Store, user.ID, 5, noon)
		MustBookXP(t, f.Store, user.ID, 5, noon.AddDate(0, 0, 7))
		MustExec(t, f.db, "UPDATE seasons SET settled_at = ? WHERE id = ?", noon.UnixMilli(), thisSeason)
		MustSettle(t, f.Store, lastSeason)
		for season, league := range map[int64]int64{lastSeason: 1, thisSeason: 1, 20260517: 2} {
			standing, err := f.Leagues.Rank(ctx, season, user.ID)
			must(t, err)
			equal(t, standing.LeagueID, league)
		}
	})
	t.Run("OK/In", func(t *testing.T) {
		f := MustOpen(t, withSettleBatch(1))
		MustPlay(t, f, 1, xps(50, 40, 30, 20)...)
		MustNotChange(t, f, func() {
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				equal(t, MustSettle(t, f.In(tx), lastSeason).Paid, 3)
				return errFault
			}), errFault)
		})
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			equal(t, MustSettleDue(t, f.In(tx)), []int64{lastSeason})
			return nil
		}))
		equal(t, MustSettle(t, f.Store, lastSeason).Coins, 750)
		MustReconcile(t, f.Store)
	})
	t.Run("ErrEarlier", func(t *testing.T) {
		f := MustOpen(t)
		user := MustPlay(t, f, 1, player{xp: 50})[0]
		MustBookXP(t, f.Store, user.ID, 50, lastWeek.AddDate(0, 0, -7))
		MustBookXP(t, f.Store, user.ID, 50, lastWeek.AddDate(0, 0, -21))
		MustNotChange(t, f, func() {
			_, err := f.Leagues.Settle(ctx, lastSeason)
			var earlier *storage.EarlierSeasonError
			if !errors.As(err, &earlier) || *earlier != (storage.EarlierSeasonError{SeasonID: lastSeason, Earlier: 20260412}) {
				t.Fatalf("got error %v, want an *EarlierSeasonError", err)
			}
		})
		equal(t, MustSettleDue(t, f.Store), []int64{20260412, 20260426, lastSeason})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		MustPlay(t, f, 1, player{xp: 50})
		MustNotChange(t, f, func() {
			for _, id := range []int64{20260426, 20260504, thisSeason, 0, -1} {
				_, err := f.Leagues.Settle(ctx, id)
				mustBe(t, err, storage.ErrNotFound)
			}
		})
	})
	t.Run("ErrNotInUse", func(t *testing.T) {
		s := storage.New(storage.Config{})
		_, err := s.Leagues.Settle(ctx, lastSeason)
		mustBe(t, err, storage.ErrNotInUse)
		_, err = s.Leagues.SettleDue(ctx)
		mustBe(t, err, storage.ErrNotInUse)
	})
}

// Who is erased while a settlement is half way takes nobody along: the plan is
// frozen.
func TestLeagues_Settle_Erased(t *testing.T) {
	f := MustOpen(t, withSettleBatch(1))
	users := MustPlay(t, f, 1, xps(50, 40, 30, 29)...)
	mustStopHalfWay(t, f)
	MustExec(t, f.db, "DELETE FROM users WHERE id = ?", users[1].ID)
	result := MustSettle(t, f.Store, lastSeason)
	equal(t, result.Participants, 3)
	equal(t, result.Paid, 2)
	last, err := f.Leagues.ResultOf(ctx, lastSeason, users[3].ID)
	must(t, err)
	equal(t, last.Rank, 4)
	equal(t, last.Reason, storage.MoveStays)
	MustReconcile(t, f.Store)
}

// mustStopHalfWay begins the settlement of lastSeason and stops it when the
// plan is frozen and it is not settled.
func mustStopHalfWay(tb testing.TB, f *fixture) {
	tb.Helper()
	for n := 1; ; n++ {
		_, goOn := MustFault(tb, f.db, n)
		_, err := f.Leagues.Settle(ctx, lastSeason)
		goOn()
		mustBe(tb, err, errFault)
		if MustInt(tb, f.db, "SELECT count(*) FROM season_results") > 0 {
			equal(tb, MustInt(tb, f.db, "SELECT count(*) FROM seasons WHERE settled_at IS NOT NULL"), int64(0))
			return
		}
	}
}

// A crash at any statement leaves nothing, or what the next call goes on with:
// the end is the same as without.
func TestLeagues_Settle_Crash(t *testing.T) {
	open := func(t *testing.T) *fixture {
		f := MustOpen(t, withSettleBatch(2))
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			inside := *f
			inside.Store, inside.db = f.In(tx), tx
			for league, players := range [][]player{xps(50, 40, 30, 20), xps(40, 30, 10), nil, nil, xps(20, 10)} {
				MustPlay(t, &inside, int64(league)+1, players...)
			}
			for id := int64(1); id <= 5; id++ { // who have begun the next season
				MustBookXP(t, inside.Store, id, 7, noon)
			}
			return nil
		}))
		return f
	}
	f := open(t)
	plan := MustPlan(t, f.Store, lastSeason)
	mustBeApplied(t, f, plan, MustSettle(t, f.Store, lastSeason))
	want := mustState(t, f)
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM league_participants WHERE season_id = ? AND league_id = 2", thisSeason), int64(3))

	stops := map[string]int{}
	for n := 1; ; n++ {
		f := open(t)
		_, goOn := MustFault(t, f.db, n)
		_, err := f.Leagues.Settle(ctx, lastSeason)
		goOn()
		if err == nil {
			break
		}
		mustBe(t, err, errFault)
		MustReconcile(t, f.Store)
		left := MustPlan(t, f.Store, lastSeason)
		equal(t, left.Moves, plan.Moves) // what was, or what is frozen
		stops[fmt.Sprint("frozen ", MustInt(t, f.db, "SELECT count(*) FROM season_results") > 0,
			", settled ", left.Season.SettledAt != nil)]++
		again := MustSettle(t, f.Store, lastSeason)
		equal(t, again.Repeated, left.Season.SettledAt != nil)
		equal(t, mustState(t, f), want)
	}
	equal(t, len(stops), 3) // before, half way, and at the count that is returned
}

// XP that comes before its season is settled counts, and from the moment that
// the plan is frozen it goes to the present one.
func TestLeagues_Settle_LateXP(t *testing.T) {
	f := MustOpen(t, withSettleBatch(1))
	users := MustPlay(t, f, 1, xps(50, 40, 30, 19)...)
	last := users[3]
	before := MustPlan(t, f.Store, lastSeason)
	equal(t, before.Moves[3].Reason, storage.MoveStays)
	equal(t, MustBookXP(t, f.Store, last.ID, 15, lastWeek).ID, lastSeason) // 34
	plan := MustPlan(t, f.Store, lastSeason)
	equal(t, plan.Moves[2].UserID, last.ID)
	equal(t, plan.Moves[2].Reason, storage.MovePromoted)

	mustStopHalfWay(t, f)
	late := func() {
		t.Helper()
		for _, at := range []time.Time{lastWeek, lastWeek.AddDate(0, 0, -7), lastWeek.AddDate(-3, 0, 0)} {
			equal(t, MustBookXP(t, f.Store, users[2].ID, 100, at).ID, thisSeason)
		}
		n := int(MustInt(t, f.db, "SELECT count(*) FROM sessions"))
		in := session(users[2].ID, n, right(n, "1+1", 0))
		in.StartedAt, in.EndedAt = lastWeek, lastWeek
		equal(t, MustSubmit(t, f.Store, in).SeasonID, thisSeason)
		got := MustPlan(t, f.Store, lastSeason)
		equal(t, got.Final, true)
		equal(t, got.Moves, plan.Moves)
	}
	late()
	result := MustSettle(t, f.Store, lastSeason)
	equal(t, result.Promoted, 3)
	late()
	equal(t, MustPlan(t, f.Store, lastSeason).Moves, plan.Moves)
	equal(t, MustInt(t, f.db, "SELECT sum(weekly_xp) FROM league_participants WHERE season_id = ?", thisSeason), int64(608))
	MustReconcile(t, f.Store)
}

// The clock of one process is ahead, and it has settled what is the present
// season to another: XP goes to the next one and is not lost.
func TestLeagues_ClockAhead(t *testing.T) {
	ends := bell.AddDate(0, 0, 7)
	f := MustOpen(t, withSettleBatch(1))
	ahead := MustOpen(t, func(s *setup) { s.path = f.path }, withSettleBatch(1))
	users := MustPlay(t, f, 1, player{xp: 20})
	user := users[0]
	MustSettle(t, f.Store, lastSeason)
	MustBookXP(t, f.Store, user.ID, 20, noon)

	book := func(at time.Time) {
		t.Helper()
		f.clock.Set(at)
		next := MustBookXP(t, f.Store, user.ID, 3, at)
		equal(t, next.ID, 20260517)
		equal(t, next.StartsAt, ends)
		place, err := f.Leagues.Rank(ctx, next.ID, user.ID)
		must(t, err)
		equal(t, place.ReachedAt, ends) // not before it begins
	}
	ahead.clock.Set(ends.Add(time.Second))
	for n := 1; MustInt(t, f.db, "SELECT count(*) FROM season_results WHERE season_id = ?", thisSeason) == 0; n++ {
		_, goOn := MustFault(t, ahead.db, n)
		_, err := ahead.Leagues.Settle(ctx, thisSeason)
		goOn()
		mustBe(t, err, errFault)
	}
	book(ends.Add(-time.Second)) // half way
	equal(t, MustSettle(t, ahead.Store, thisSeason).Promoted, 1)
	book(ends.Add(-time.Second))
	book(ends.Add(-48 * time.Hour)) // or somebody's clock is far ahead
	standing, err := f.Leagues.Rank(ctx, 20260517, user.ID)
	must(t, err)
	equal(t, standing.WeeklyXP, 9)
	equal(t, standing.LeagueID, 3)
	MustReconcile(t, f.Store)
}

// Weeks that were missed are settled one by one, and lead to the same leagues,
// results and coins as if each had been settled at its bell.
func TestLeagues_SettleDue_Missed(t *testing.T) {
	const weeks = 6
	start := bell.AddDate(0, 0, -7*weeks)
	play := func(t *testing.T, seed uint64, atTheBell bool) map[string][]string {
		f := MustOpen(t, withSettleBatch(3))
		f.clock.Set(start)
		users := MustUsers(t, f, 12)
		for i, user := range users {
			MustExec(t, f.db, "UPDATE users SET league_id = ? WHERE id = ?", i%5+1, user.ID)
		}
		random := rand.New(rand.NewPCG(seed, 0))
		var settled []int64
		for week := range weeks {
			began := start.AddDate(0, 0, 7*week)
			must(t, f.db.Transaction(func(tx *gorm.DB) error {
				for range 30 {
					user, xp, hour := users[random.IntN(len(users))], random.Int64N(20), random.IntN(150)
					if week != 2 { // when nobody played
						at := began.Add(time.Duration(hour) * time.Hour)
						f.clock.Set(at)
						MustBookXP(t, f.In(tx), user.ID, xp, at)
					}
				}
				return nil
			}))
			f.clock.Set(began.AddDate(0, 0, 7))
			if atTheBell {
				settled = append(settled, MustSettleDue(t, f.Store)...)
			}
		}
		settled = append(settled, MustSettleDue(t, f.Store)...)
		equal(t, settled, []int64{20260329, 20260405, 20260419, 20260426, lastSeason})
		equal(t, MustSettleDue(t, f.Store), nil)
		MustReconcile(t, f.Store)
		return mustState(t, f)
	}
	for seed := range uint64(4) {
		want := play(t, seed, true)
		equal(t, len(want["results"]) > 30, true)
		equal(t, play(t, seed, false), want)
	}
}

// Who did not play keeps their league, whatever the others do.
func TestLeagues_SettleDue_DidNotPlay(t *testing.T) {
	f := MustOpen(t)
	MustPlay(t, f, 3, xps(50, 40)...)
	idle := MustUser(t, f.Store, "idle")
	MustExec(t, f.db, "UPDATE users SET league_id = 3 WHERE id = ?", idle.ID)
	equal(t, MustSettleDue(t, f.Store), []int64{lastSeason})
	equal(t, MustGet(t, f.Store, idle.ID).LeagueID, 3)
	_, err := f.Leagues.ResultOf(ctx, lastSeason, idle.ID)
	mustBe(t, err, storage.ErrNotFound)
}

// Where nothing is due, nobody waits: a writer may be at work.
func TestLeagues_SettleDue_NothingDue(t *testing.T) {
	f := MustOpen(t)
	MustPlay(t, f, 1, xps(50)...)
	MustSettleDue(t, f.Store)
	must(t, f.db.Transaction(func(tx *gorm.DB) error {
		equal(t, MustSettleDue(t, f.Store), nil)
		equal(t, MustSettle(t, f.Store, lastSeason).Repeated, true)
		return nil
	}))
}

// A week in which nobody plays is not settled, also where something came in it
// that was booked before: it stays open for who comes late.
func TestLeagues_SettleDue_NobodyPlayed(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	f.clock.Set(bell)
	in := session(user.ID, 0, right(0, "1+1", 0))
	in.ID, in.StartedAt, in.EndedAt = idAt(lastWeek, 0), lastWeek, lastWeek
	in.Answers[0].ID, in.Answers[0].At = idAt(lastWeek, 1), lastWeek
	MustSubmit(t, f.Store, in)
	equal(t, MustSettleDue(t, f.Store), []int64{lastSeason})
	equal(t, MustSubmit(t, f.Store, in).Repeated, true)

	f.clock.Set(bell.AddDate(0, 0, 7))
	equal(t, MustSettleDue(t, f.Store), nil)
	equal(t, MustBookXP(t, f.Store, user.ID, 7, noon).ID, thisSeason)
	equal(t, MustSettleDue(t, f.Store), []int64{thisSeason})
}

func TestLeagues_ResultsOfUser(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	var want []storage.Move // the latest first
	for week := range 4 {
		at := lastWeek.AddDate(0, 0, 7*(week-3))
		season := MustBookXP(t, f.Store, user.ID, 20, at)
		MustBookXP(t, f.Store, other.ID, 10, at)
		MustSettle(t, f.Store, season.ID)
		move, err := f.Leagues.ResultOf(ctx, season.ID, user.ID)
		must(t, err)
		equal(t, move.From, int64(week)+1)
		equal(t, move.To, int64(week)+2)
		want = append([]storage.Move{move}, want...)
	}
	t.Run("OK", func(t *testing.T) {
		for _, test := range []struct {
			before int64
			limit  int
			want   []storage.Move
		}{
			{0, 0, want}, {0, 1, want[:1]}, {lastSeason, 2, want[1:3]}, {lastSeason + 1, 1000, want},
			{want[3].SeasonID, 0, nil}, {-1, 0, nil},
		} {
			got, err := f.Leagues.ResultsOfUser(ctx, user.ID, test.before, test.limit)
			must(t, err)
			equal(t, got, test.want)
		}
		got, err := f.Leagues.ResultsOfUser(ctx, 99, 0, 0)
		must(t, err)
		equal(t, got, nil)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Leagues.ResultsOfUser(ctx, user.ID, 0, limit)
			mustBeInvalid(t, err, "limit")
		}
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		MustBookXP(t, f.Store, user.ID, 20, noon)
		for _, of := range [][2]int64{{thisSeason, user.ID}, {lastSeason, 99}, {20200105, user.ID}} {
			_, err := f.Leagues.ResultOf(ctx, of[0], of[1])
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}
