package storage_test

import (
	"database/sql"
	"fmt"
	stdlog "log"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/storage"
)

// Ranks are those of a plain count at every moment, while others book XP, add
// what is noted to its ranges, and cut the board anew.
func TestRanksWhileBoardsAreCut(t *testing.T) {
	isolations := []string{""}
	if onPostgres {
		isolations = []string{"read committed", "repeatable read", "serializable"}
	}
	for _, isolation := range isolations {
		t.Run(isolation, func(t *testing.T) {
			c := MustCrowd(t, 5000, func(s *setup) {
				if isolation != "" {
					s.path += " default_transaction_isolation='" + isolation + "'"
				}
			})
			const bookers, bookings = 4, 600
			before, booked := c.mustXP(t), make(chan struct{})
			var all errgroup.Group
			all.Go(func() error {
				defer close(booked)
				var bookersOf errgroup.Group
				for n := range bookers {
					bookersOf.Go(func() error { return c.book(bookings, rand.New(rand.NewPCG(7, uint64(n)))) })
				}
				return bookersOf.Wait()
			})
			until := func(fn func(rng *rand.Rand) error) {
				seed := rand.Uint64()
				all.Go(func() error {
					for rng := rand.New(rand.NewPCG(8, seed)); ; {
						if err := fn(rng); err != nil {
							return err
						}
						select {
						case <-booked:
							return nil
						default:
						}
					}
				})
			}
			until(func(*rand.Rand) error { _, err := c.Leagues.RebuildBoards(ctx); return err })
			until(func(*rand.Rand) error { return c.cutAndVerify() })
			until(c.compareRank)
			until(c.compareRank)
			must(t, all.Wait())
			equal(t, c.mustXP(t)-before, int64(bookers*bookings*xpOfBooking))
			c.MustRankRight(t, 7)
		})
	}
}

// xpOfBooking moves a user over several ranges of the crowd's board.
const xpOfBooking = 90

// mustXP returns all XP of all boards.
func (c *crowd) mustXP(tb testing.TB) int64 {
	tb.Helper()
	return MustInt(tb, c.db, "SELECT CAST(sum(weekly_xp) AS BIGINT) FROM league_participants")
}

// cutAndVerify cuts the crowd's board: what it counts wrongly, it does until the
// board is cut again.
func (c *crowd) cutAndVerify() error {
	if err := storage.CutBoard(ctx, c.Store, thisSeason, 1); err != nil {
		return err
	}
	differences, err := c.Leagues.VerifyBoards(ctx)
	if err == nil && len(differences) > 0 {
		err = fmt.Errorf("behind a cut: %v", differences)
	}
	return err
}

// book books XP of users by chance.
func (c *crowd) book(times int, rng *rand.Rand) error {
	for range times {
		if _, err := c.Leagues.BookXP(ctx, c.users[rng.IntN(len(c.users))], xpOfBooking, noon); err != nil {
			return err
		}
	}
	return nil
}

const countedRank = `
SELECT 1 + count(*) FROM league_participants AS p
JOIN league_participants AS own ON own.season_id = p.season_id AND own.league_id = p.league_id
WHERE own.season_id = ? AND own.user_id = ? AND (p.weekly_xp > own.weekly_xp OR p.weekly_xp = own.weekly_xp
  AND (p.reached_at < own.reached_at OR p.reached_at = own.reached_at AND p.user_id < own.user_id))`

// compareRank compares the rank of a user by chance with a plain count at the
// same moment.
func (c *crowd) compareRank(rng *rand.Rand) error {
	user := c.users[rng.IntN(len(c.users))]
	moment := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	return hooks.Transaction(ctx, c.db, func(tx *gorm.DB) error {
		got, err := c.In(tx).Leagues.Rank(ctx, thisSeason, user)
		if err != nil {
			return err
		}
		var want int64
		if err := tx.Raw(countedRank, thisSeason, user).Scan(&want).Error; err != nil {
			return err
		}
		if got.Rank != want {
			return fmt.Errorf("user %d has the rank %d, counting gives %d", user, got.Rank, want)
		}
		return nil
	}, moment)
}

// The store adds what is noted by itself behind a thousand bookings, uses the
// room again, and ends with Close what it has begun.
func TestMovesAreFoldedBehindBookings(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL only: SQLite's triggers count at once")
	}
	c := MustCrowd(t, 3000)
	noted := func() int64 { return MustInt(t, c.db, "SELECT count(*) FROM board_moves") }
	equal(t, noted(), int64(3000+2))
	var pages int64
	for range 4 {
		must(t, c.book(1100, c.rng))
		storage.AwaitFold(c.Store)
		if n := noted(); n > 1100 {
			t.Errorf("%d moves are noted after 1,100 bookings", n)
		}
		size := MustInt(t, c.db, "SELECT pg_relation_size('board_moves') / 8192")
		if pages == 0 {
			pages = size
		}
		equal(t, size, pages)
	}
	c.MustRankRight(t, 17)
	must(t, c.book(1000, c.rng))
	must(t, c.Close())
}

// Where what is noted cannot be added, bookings go on, ranks are right, and the
// application's logger is told.
func TestFoldFails(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL only: SQLite's triggers count at once")
	}
	var log strings.Builder
	c := MustCrowd(t, 10, func(s *setup) {
		s.gorm.Logger = logger.New(stdlog.New(&log, "", 0), logger.Config{LogLevel: logger.Warn})
	})
	MustExec(t, c.db, "ALTER TABLE board_ranges ADD CONSTRAINT never CHECK (players < 0) NOT VALID")
	must(t, c.book(1100, c.rng))
	storage.AwaitFold(c.Store)
	if !strings.Contains(log.String(), "is not added to their ranges") {
		t.Errorf("the logger was told %q", log.String())
	}
	if _, err := c.Leagues.RebuildBoards(ctx); err == nil {
		t.Error("boards are rebuilt that cannot be written")
	}
	MustExec(t, c.db, "ALTER TABLE board_ranges DROP CONSTRAINT never")
	c.MustRankRight(t, 1)
	changes["what is noted is counted"](t, c)
}
