package storage_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// A range of a board has fullRange players at the most; of two neighbours one
// has smallRange at the least.
const (
	fullRange  = 2048
	smallRange = 512 - 64
)

// crowd is a season with enough players that boards are of several ranges.
type crowd struct {
	*fixture
	users []int64
	rng   *rand.Rand
}

// MustCrowd creates n users, all of whom have played in this season.
func MustCrowd(tb testing.TB, n int, changes ...func(*setup)) *crowd {
	tb.Helper()
	c := &crowd{fixture: MustOpen(tb, changes...), rng: rand.New(rand.NewPCG(1, uint64(n)))}
	first := MustUser(tb, c.Store, "first")
	for week := range 2 { // so that there are two seasons
		_, err := c.Leagues.BookXP(ctx, first.ID, 1, noon.AddDate(0, 0, -7*week))
		must(tb, err)
	}
	MustExec(tb, c.db, `
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
INSERT INTO users (uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
SELECT 'crowd-' || CAST(i AS TEXT), '', 1, 0, 0, 1, 0, 0, 0 FROM n`, n)
	must(tb, c.db.Raw("SELECT id FROM users WHERE id <> ? ORDER BY id", first.ID).Scan(&c.users).Error)
	c.enter(tb, thisSeason, 1)
	return c
}

// enter lets everybody who is not in a season play in it, one in ten without XP.
func (c *crowd) enter(tb testing.TB, season, league int64) {
	tb.Helper()
	MustExec(tb, c.db, `
INSERT INTO league_participants (season_id, league_id, user_id, weekly_xp, reached_at)
SELECT s.id, ?, u.id, CASE WHEN u.id % 10 = 0 THEN 0 ELSE u.id * 7919 % 500 END,
  s.starts_at + CASE WHEN u.id % 10 = 0 THEN 0 ELSE u.id * 104729 % 1000 END
FROM seasons AS s CROSS JOIN users AS u
WHERE s.id = ? AND NOT EXISTS (SELECT 1 FROM league_participants AS p WHERE p.season_id = s.id AND p.user_id = u.id)`,
		league, season)
}

// MustRankRight fails unless the ranks of every step-th of all boards, the
// number of players that Needs gives, and the ranges are those of a plain count.
func (c *crowd) MustRankRight(tb testing.TB, step int) {
	tb.Helper()
	differences, err := c.Leagues.VerifyBoards(ctx)
	must(tb, err)
	equal(tb, differences, nil)
	var all []models.LeagueParticipant
	must(tb, c.db.Raw("SELECT * FROM league_participants").Scan(&all).Error)
	slices.SortFunc(all, func(a, b models.LeagueParticipant) int {
		return cmp.Or(cmp.Compare(a.SeasonID, b.SeasonID), cmp.Compare(a.LeagueID, b.LeagueID),
			cmp.Compare(b.WeeklyXP, a.WeeklyXP), a.ReachedAt.Compare(b.ReachedAt), cmp.Compare(a.UserID, b.UserID))
	})
	rank, players := int64(0), map[[2]int64]int64{}
	for i, p := range all {
		board := [2]int64{p.SeasonID, p.LeagueID}
		players[board]++
		rank = players[board]
		if i%step != 0 {
			continue
		}
		got, err := c.Leagues.Rank(ctx, p.SeasonID, p.UserID)
		must(tb, err)
		if got.Rank != rank || got.LeagueID != p.LeagueID || got.WeeklyXP != p.WeeklyXP {
			tb.Fatalf("%+v is of rank %d, want %d", p, got.Rank, rank)
		}
		if i%(step*50) == 0 {
			window, err := c.Leagues.Window(ctx, p.SeasonID, p.UserID, 2)
			must(tb, err)
			first := i - int(min(2, rank-1))
			for j, near := range window {
				if near.UserID != all[first+j].UserID || near.Rank != max(1, rank-2)+int64(j) {
					tb.Fatalf("%d places from the top of the window of %+v is %+v, want user %d", j, p, near, all[first+j].UserID)
				}
			}
		}
	}
	for i, p := range all {
		if i == len(all)-1 || all[i+1].LeagueID != p.LeagueID || all[i+1].SeasonID != p.SeasonID {
			needs, err := c.Leagues.Needs(ctx, p.SeasonID, p.UserID)
			must(tb, err)
			equal(tb, needs.Players, players[[2]int64{p.SeasonID, p.LeagueID}])
		}
	}
	if onPostgres {
		return // boards are cut as a whole there, when a fold has counted
	}
	c.mustBeWellCut(tb, players)
}

// mustBeWellCut fails unless no range is too large, and no two neighbours too
// small, and boards without players have none.
func (c *crowd) mustBeWellCut(tb testing.TB, players map[[2]int64]int64) {
	tb.Helper()
	var ranges []models.BoardRange
	must(tb, c.db.Raw(`SELECT * FROM board_ranges
		ORDER BY season_id, league_id, from_minus_xp, from_reached_at, from_user`).Scan(&ranges).Error)
	sums := map[[2]int64]int64{}
	for i, r := range ranges {
		sums[[2]int64{r.SeasonID, r.LeagueID}] += r.Players
		if r.Players < 1 || r.Players > fullRange {
			tb.Errorf("a range has %d players: %+v", r.Players, r)
		}
		if i > 0 && ranges[i-1].SeasonID == r.SeasonID && ranges[i-1].LeagueID == r.LeagueID &&
			r.Players < smallRange && ranges[i-1].Players < smallRange {
			tb.Errorf("neighbours have %d and %d players: %+v", ranges[i-1].Players, r.Players, r)
		}
	}
	equal(tb, sums, players)
}

// mustBeCounted fails unless, behind a fold on PostgreSQL, nothing is noted of
// boards any more, and no range is too large.
func (c *crowd) mustBeCounted(tb testing.TB) {
	tb.Helper()
	equal(tb, MustInt(tb, c.db, "SELECT count(*) FROM board_moves"), 0)
	equal(tb, MustInt(tb, c.db, "SELECT count(*) FROM board_ranges WHERE players < 0 OR players > ?", storage.LargeRange), 0)
}

// anyPart returns two ids of users, at the most n users apart.
func (c *crowd) anyPart(n int) (from, to int64) {
	i := c.rng.IntN(len(c.users))
	return c.users[i], c.users[min(i+c.rng.IntN(n), len(c.users)-1)]
}

// anyUser returns the id of one who still is there.
func (c *crowd) anyUser(tb testing.TB) int64 {
	tb.Helper()
	from, _ := c.anyPart(1)
	return MustInt(tb, c.db, "SELECT min(id) FROM users WHERE id >= ?", min(from, c.users[len(c.users)/2]))
}

// errUndo rolls a transaction back.
var errUndo = errors.New("undo")

// changes are what may happen to boards.
var changes = map[string]func(tb testing.TB, c *crowd){
	"XP is booked": func(tb testing.TB, c *crowd) {
		must(tb, c.db.Transaction(func(tx *gorm.DB) error {
			for range 100 {
				at := noon.Add(-time.Duration(c.rng.IntN(24*10)) * time.Hour) // in both seasons
				_, err := c.In(tx).Leagues.BookXP(ctx, c.anyUser(tb), c.rng.Int64N(40), at)
				if err != nil {
					return err
				}
			}
			return nil
		}))
	},
	"sessions come at once": func(tb testing.TB, c *crowd) {
		users := []int64{c.anyUser(tb), c.anyUser(tb), c.anyUser(tb), c.anyUser(tb)}
		n := c.rng.Int64()
		for _, err := range atOnce(len(users), func(i int) error {
			s := session(users[i], 0, right(1, "1+1", 900))
			s.ID, s.Answers[0].ID = idAt(s.StartedAt, n+int64(2*i)), idAt(s.StartedAt, n+int64(2*i+1))
			_, err := c.Sessions.Submit(ctx, s)
			return err
		}) {
			must(tb, err)
		}
	},
	"many get XP in one statement": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(3000)
		MustExec(tb, c.db, "UPDATE league_participants SET weekly_xp = weekly_xp + user_id % 50, reached_at = reached_at + 1 WHERE user_id BETWEEN ? AND ?", from, to)
	},
	"many lose XP": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(2000)
		MustExec(tb, c.db, "UPDATE league_participants SET weekly_xp = weekly_xp / 2 WHERE user_id BETWEEN ? AND ?", from, to)
	},
	"many are level": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(3000)
		MustExec(tb, c.db, "UPDATE league_participants SET weekly_xp = 0, reached_at = 0 WHERE user_id BETWEEN ? AND ?", from, to)
	},
	"many change their league": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(2000)
		MustExec(tb, c.db, "UPDATE league_participants SET league_id = 1 + (league_id + user_id) % 3 WHERE user_id BETWEEN ? AND ?", from, to)
	},
	"many leave their season": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(1500)
		MustExec(tb, c.db, "DELETE FROM league_participants WHERE user_id BETWEEN ? AND ?", from, to)
	},
	"many enter": func(tb testing.TB, c *crowd) {
		c.enter(tb, []int64{thisSeason, lastSeason}[c.rng.IntN(2)], 1+c.rng.Int64N(3))
	},
	"users are deleted": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(200)
		last := c.users[len(c.users)-1]
		MustExec(tb, c.db, "DELETE FROM users WHERE id BETWEEN ? AND ? AND id < ?", from, to, last)
	},
	"a user is erased": func(tb testing.TB, c *crowd) {
		if user := c.anyUser(tb); user != c.users[len(c.users)-1] {
			_, err := c.Users.Erase(ctx, user)
			must(tb, err)
			if !onPostgres { // where a range begins there until its board is cut anew
				equal(tb, MustInt(tb, c.db, "SELECT count(*) FROM board_ranges WHERE from_user = ?", user), 0)
			}
		}
	},
	"what is noted is counted": func(tb testing.TB, c *crowd) {
		rebuilt, err := c.Leagues.RebuildBoards(ctx)
		must(tb, err)
		equal(tb, rebuilt, 0)
		if onPostgres {
			c.mustBeCounted(tb)
		}
	},
	"a transaction is rolled back": func(tb testing.TB, c *crowd) {
		from, to := c.anyPart(3000)
		mustBe(tb, c.db.Transaction(func(tx *gorm.DB) error {
			must(tb, tx.Exec("UPDATE league_participants SET weekly_xp = weekly_xp * 2 + 1 WHERE user_id BETWEEN ? AND ?", from, to).Error)
			return errUndo
		}), errUndo)
	},
}

// Whatever happens to boards, and whoever does it, ranks are those of a plain
// count.
func TestRanksAreExact(t *testing.T) {
	for _, recursive := range []string{"OFF", "ON"} {
		if onPostgres && recursive == "ON" {
			continue // a setting of SQLite
		}
		t.Run("recursive triggers "+recursive, func(t *testing.T) {
			c := MustCrowd(t, 8000)
			if !onPostgres {
				MustExec(t, c.db, "PRAGMA recursive_triggers = "+recursive)
			}
			c.MustRankRight(t, 97)
			names := make([]string, 0, len(changes))
			for name := range changes {
				names = append(names, name)
			}
			slices.Sort(names)
			rounds := 120
			if onPostgres { // which takes longer
				rounds = 60
			}
			for round := range rounds {
				name := names[c.rng.IntN(len(names))]
				changes[name](t, c)
				if round%4 == 0 {
					c.MustRankRight(t, 997)
				}
			}
			c.MustRankRight(t, 1)

			// The end of everybody is the end of all ranges.
			MustExec(t, c.db, "DELETE FROM users")
			changes["what is noted is counted"](t, c)
			equal(t, MustInt(t, c.db, "SELECT count(*) FROM board_ranges WHERE players <> 0"), 0)
		})
	}
}

// All of a board may be level: neither ranges nor ranks need different XP.
func TestRanksOfEquals(t *testing.T) {
	c := MustCrowd(t, 5000)
	MustExec(t, c.db, "UPDATE league_participants SET weekly_xp = 7, reached_at = 7")
	c.MustRankRight(t, 17)
	for i, user := range c.users {
		if i%500 == 0 {
			standing, err := c.Leagues.Rank(ctx, thisSeason, user)
			must(t, err)
			equal(t, standing.Rank, int64(i+2)) // behind the first
		}
	}
}

// MustStarts returns where the ranges of this season begin, but for the first.
func (c *crowd) MustStarts(tb testing.TB) (starts []models.BoardRange) {
	tb.Helper()
	must(tb, c.db.Raw(`SELECT * FROM board_ranges WHERE season_id = ? AND from_user > 0
		ORDER BY from_minus_xp, from_reached_at, from_user`, thisSeason).Scan(&starts).Error)
	return starts
}

// A range begins at somebody's place; when they leave it, nothing of them stays.
func TestWhoARangeBeginsWithLeaves(t *testing.T) {
	onlySQLite(t, "PostgreSQL cuts boards as a whole")
	for name, leave := range map[string]func(c *crowd, user int64) error{
		"Erased": func(c *crowd, user int64) error {
			_, err := c.Users.Erase(ctx, user)
			return err
		},
		"Ahead": func(c *crowd, user int64) error {
			_, err := c.Leagues.BookXP(ctx, user, 1000, noon)
			return err
		},
		"Back": func(c *crowd, user int64) error {
			return c.db.Exec("UPDATE league_participants SET reached_at = reached_at + 1 WHERE user_id = ?", user).Error
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := MustCrowd(t, 5000)
			mustRebuild(t, c)
			starts := c.MustStarts(t)
			equal(t, len(starts), 4)
			for _, start := range starts {
				must(t, leave(c, start.FromUser))
				equal(t, MustInt(t, c.db, "SELECT count(*) FROM board_ranges WHERE from_user = ?", start.FromUser), 0)
			}
			c.MustRankRight(t, 3)

			// The place that it begins at now may be taken, from ahead and from behind.
			for i, start := range c.MustStarts(t) {
				xp := -start.FromMinusXP + int64(1-i%2*2)
				for _, xp := range []int64{xp, -start.FromMinusXP} {
					MustExec(t, c.db, "UPDATE league_participants SET weekly_xp = ?, reached_at = ? WHERE user_id = ?",
						xp, start.FromReachedAt.UnixMilli(), start.FromUser)
					c.MustRankRight(t, 97)
				}
			}
		})
	}
}

// Two neighbours that have become small are one, whichever did last.
func TestSmallRangesJoin(t *testing.T) {
	onlySQLite(t, "PostgreSQL cuts boards as a whole")
	for name, order := range map[string][]int64{"AheadFirst": {1, 2}, "BehindFirst": {2, 1}, "TheFirst": {1, 0}} {
		t.Run(name, func(t *testing.T) {
			c := MustCrowd(t, 5000)
			mustRebuild(t, c)
			for _, i := range order {
				MustExec(t, c.db, `
DELETE FROM league_participants WHERE user_id IN (
	SELECT user_id FROM league_participants WHERE season_id = ? AND league_id = 1
	ORDER BY weekly_xp DESC, reached_at, user_id LIMIT 600 OFFSET ?) AND season_id = ?`,
					thisSeason, 1024*i-600*max(0, i-order[0]), thisSeason)
			}
			equal(t, MustInt(t, c.db, "SELECT count(*) FROM board_ranges WHERE season_id = ?", thisSeason), 4)
			c.MustRankRight(t, 11)
		})
	}
}

// A board that was there before has its ranges from the migration.
func TestRangesOfBoardsThatWereThere(t *testing.T) {
	c := MustCrowd(t, 5000)
	c.enter(t, lastSeason, 2)
	MustRollBack(t, c.db, migrations.Config{}, "0006_board_ranges")
	MustExec(t, c.db, "UPDATE league_participants SET weekly_xp = weekly_xp * 3")
	_, err := migrations.Up(ctx, c.db, migrations.Config{})
	must(t, err)
	c.MustRankRight(t, 13)
	equal(t, MustInt(t, c.db, "SELECT count(*) FROM board_ranges"), 11) // of 5,000 and 1, and of 5,000
	MustExec(t, c.db, "UPDATE league_participants SET weekly_xp = weekly_xp + user_id % 7")
	c.MustRankRight(t, 13)
}

// What is wrong is found, named, and put right.
func TestLeagues_VerifyBoards(t *testing.T) {
	for name, test := range map[string]struct {
		damage string
		want   string
	}{
		"one too many":    {"UPDATE board_ranges SET players = players + 1 WHERE season_id = 20260510 AND from_minus_xp < -100000", "counts 1025 players, 1024 stand there"},
		"none":            {"DELETE FROM board_ranges WHERE season_id = 20260510", "counts 0 players, 5001 stand there"},
		"without a first": {"DELETE FROM board_ranges WHERE season_id = 20260510 AND from_minus_xp < -100000", "counts 0 players, 1024 stand there"},
		"another's place": {"UPDATE board_ranges SET from_minus_xp = -1 WHERE season_id = 20260510 AND from_minus_xp = (SELECT max(from_minus_xp) FROM board_ranges WHERE season_id = 20260510)", "counts 1024 players"},
		"replaced":        {"REPLACE INTO league_participants SELECT season_id, league_id, user_id, weekly_xp, reached_at FROM league_participants WHERE user_id = 9", "stand there"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "replaced" {
				onlySQLite(t, "REPLACE")
			}
			c := MustCrowd(t, 5000)
			mustRebuild(t, c) // in ranges of 1,024
			MustExec(t, c.db, test.damage)
			differences, err := c.Leagues.VerifyBoards(ctx)
			must(t, err)
			if len(differences) != 1 || differences[0].SeasonID != thisSeason || differences[0].LeagueID != 1 {
				t.Fatalf("found %v", differences)
			}
			for _, want := range []string{"season 20260510, league 1", test.want} {
				if got := fmt.Sprint(differences[0]); !strings.Contains(got, want) {
					t.Errorf("says %q, and nothing of %q", got, want)
				}
			}

			// XP is booked all the same.
			_, err = c.Leagues.BookXP(ctx, c.users[0], 500, noon)
			must(t, err)
			for _, want := range []int{1, 0} {
				rebuilt, err := c.Leagues.RebuildBoards(ctx)
				must(t, err)
				equal(t, rebuilt, want)
			}
			c.MustRankRight(t, 17)
		})
	}
}

// mustRebuild has the crowd's board cut anew.
func mustRebuild(t *testing.T, c *crowd) {
	t.Helper()
	_, err := c.Leagues.RebuildBoards(ctx)
	must(t, err)
	MustExec(t, c.db, "UPDATE board_ranges SET players = 0 WHERE season_id = ?", thisSeason)
	rebuilt, err := c.Leagues.RebuildBoards(ctx)
	must(t, err)
	equal(t, rebuilt, 1)
	equal(t, MustInt(t, c.db, "SELECT count(*) FROM board_ranges WHERE season_id = ?", thisSeason), 5)
}
