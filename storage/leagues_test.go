package storage_test

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// bell is the beginning of this season.
var bell = time.Date(2026, 5, 10, 4, 0, 0, 0, time.UTC)

const lastSeason = 20260503

// MustBookXP adds XP to a user's standing.
func MustBookXP(tb testing.TB, s *storage.Store, userID, xp int64, at time.Time) models.Season {
	tb.Helper()
	season, err := s.Leagues.BookXP(ctx, userID, xp, at)
	must(tb, err)
	return season
}

// MustBoard returns a whole board of the lowest league in pages of that size.
func MustBoard(tb testing.TB, s *storage.Store, seasonID int64, limit int) (all []storage.Standing) {
	tb.Helper()
	var after storage.Cursor
	for {
		page, err := s.Leagues.Board(ctx, seasonID, 1, after, limit)
		must(tb, err)
		if len(page.Standings) > limit {
			tb.Fatalf("a page has %d places, want %d or fewer", len(page.Standings), limit)
		}
		if all = append(all, page.Standings...); page.Next == "" {
			return all
		}
		if len(page.Standings) != limit {
			tb.Fatalf("a page has %d places and a next one, want %d", len(page.Standings), limit)
		}
		if page.Next == after {
			tb.Fatal("a page's cursor leads to the page itself")
		}
		after = page.Next
	}
}

// MustOpenBoard returns a season of 45 participants with many ties, and its
// board as it has to be.
func MustOpenBoard(tb testing.TB) (*fixture, []storage.Standing) {
	tb.Helper()
	f := MustOpen(tb)
	var want []storage.Standing
	must(tb, f.db.Transaction(func(tx *gorm.DB) error {
		inside := f.In(tx)
		for i := range 45 {
			user := MustUser(tb, inside, fmt.Sprintf("user-%02d", i))
			xp := int64(i*7%5) * 10 // 0 to 40, nine of each
			reached := bell
			if xp > 0 {
				reached = bell.Add(time.Duration(i*11%3) * time.Hour)
			}
			MustBookXP(tb, inside, user.ID, xp, reached)
			want = append(want, storage.Standing{
				UserID: user.ID, UID: user.UID, Name: user.Name, LeagueID: 1, WeeklyXP: xp, ReachedAt: reached,
			})
		}
		// Others, who must not be seen: another season, another league.
		past, higher := MustUser(tb, inside, "past"), MustUser(tb, inside, "higher")
		MustBookXP(tb, inside, past.ID, 25, bell.Add(-time.Hour))
		MustExec(tb, tx, "UPDATE users SET league_id = 2 WHERE id = ?", higher.ID)
		MustBookXP(tb, inside, higher.ID, 25, noon)
		return nil
	}))
	slices.SortFunc(want, func(a, b storage.Standing) int {
		return cmp.Or(cmp.Compare(b.WeeklyXP, a.WeeklyXP), a.ReachedAt.Compare(b.ReachedAt), cmp.Compare(a.UserID, b.UserID))
	})
	for i := range want {
		want[i].Rank = int64(i) + 1
	}
	return f, want
}

func TestLeagues_All(t *testing.T) {
	f := MustOpen(t)
	got, err := f.Leagues.All(ctx)
	must(t, err)
	equal(t, got, []models.League{
		{ID: 1, Slug: "neon", Name: "Neon", Tier: 1},
		{ID: 2, Slug: "cobalt", Name: "Cobalt", Tier: 2},
		{ID: 3, Slug: "plasma", Name: "Plasma", Tier: 3},
		{ID: 4, Slug: "void", Name: "Void", Tier: 4},
		{ID: 5, Slug: "apex", Name: "Apex", Tier: 5},
	})
}

func TestLeagues_Season(t *testing.T) {
	f := MustOpen(t)
	want := models.Season{ID: thisSeason, StartsAt: bell, EndsAt: bell.AddDate(0, 0, 7), Zone: "America/New_York"}
	t.Run("OK/NotStored", func(t *testing.T) {
		MustNotChange(t, f, func() {
			got, err := f.Leagues.Season(ctx, noon)
			must(t, err)
			equal(t, got, want)
		})
	})
	t.Run("OK/Settled", func(t *testing.T) {
		MustBookXP(t, f.Store, MustUser(t, f.Store, "ada").ID, 1, noon)
		MustExec(t, f.db, "UPDATE seasons SET settled_at = ?", noon.UnixMilli())
		want.SettledAt = &noon
		got, err := f.Leagues.Season(ctx, bell)
		must(t, err)
		equal(t, got, want)
	})
	t.Run("OK/OtherZone", func(t *testing.T) {
		f := MustOpen(t, withRules(func(r *storage.Rules) { r.Zone = "Asia/Tokyo" }))
		got, err := f.Leagues.Season(ctx, time.Date(2026, 5, 9, 15, 0, 0, 0, time.UTC))
		must(t, err)
		equal(t, got.ID, thisSeason)
		equal(t, got.Zone, "Asia/Tokyo")
	})
}

func TestLeagues_BookXP(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		season := MustBookXP(t, f.Store, user.ID, 30, noon)
		equal(t, season.ID, thisSeason)
		MustBookXP(t, f.Store, user.ID, 0, noon.Add(time.Hour))
		MustBookXP(t, f.Store, user.ID, 5, noon.Add(-time.Hour))
		MustBookXP(t, f.Store, user.ID, 7, bell.Add(-time.Millisecond))
		got, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, got.WeeklyXP, 35)
		equal(t, got.ReachedAt, noon)
		before, err := f.Leagues.Rank(ctx, lastSeason, user.ID)
		must(t, err)
		equal(t, before.WeeklyXP, 7)
		// Only the league's: the user's own XP is that of the sessions.
		equal(t, MustGet(t, f.Store, user.ID).TotalXP, 0)
	})
	t.Run("OK/StaysInItsLeague", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustBookXP(t, f.Store, user.ID, 30, noon)
		MustExec(t, f.db, "UPDATE users SET league_id = 3")
		MustBookXP(t, f.Store, user.ID, 30, noon)
		MustBookXP(t, f.Store, user.ID, 30, noon.AddDate(0, 0, 7))
		now, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, now.LeagueID, 1)
		equal(t, now.WeeklyXP, 60)
		next, err := f.Leagues.Rank(ctx, 20260517, user.ID)
		must(t, err)
		equal(t, next.LeagueID, 3)
	})
	t.Run("OK/AtOnce", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		must(t, errors.Join(atOnce(50, func(i int) error {
			_, err := f.Leagues.BookXP(ctx, user.ID, int64(i), noon.Add(-time.Duration(i)*time.Second))
			return err
		})...))
		got, err := f.Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, got.WeeklyXP, 49*50/2)
		equal(t, got.ReachedAt, noon.Add(-time.Second)) // the first booked 0
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustNotChange(t, f, func() {
			_, err := f.Leagues.BookXP(ctx, user.ID, -1, noon)
			mustBeInvalid(t, err, "xp")
			_, err = f.Leagues.BookXP(ctx, user.ID, 1, time.Time{})
			mustBeInvalid(t, err, "at")
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		MustNotChange(t, f, func() {
			_, err := f.Leagues.BookXP(ctx, 99, 1, noon)
			mustBe(t, err, storage.ErrNotFound)
		})
	})
}

// N4: XP that arrives behind the bell goes to its own season, until that is
// settled; then to the present one, and the receipt says so.
func TestLeagues_LateXP(t *testing.T) {
	late := func(userID int64, n int) storage.Submission {
		in := session(userID, n, right(n, "1+1", 0))
		in.StartedAt, in.EndedAt = bell.Add(-time.Hour), bell.Add(-time.Minute)
		return in
	}
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	equal(t, MustSubmit(t, f.Store, late(user.ID, 0)).SeasonID, lastSeason)

	MustExec(t, f.db, "UPDATE seasons SET settled_at = ? WHERE id = ?", noon.UnixMilli(), lastSeason)
	equal(t, MustSubmit(t, f.Store, late(user.ID, 1)).SeasonID, thisSeason)
	equal(t, MustSubmit(t, f.Store, session(user.ID, 2, right(2, "1+1", 0))).SeasonID, thisSeason)
	for seasonID, xp := range map[int64]int64{lastSeason: 4, thisSeason: 8} {
		standing, err := f.Leagues.Rank(ctx, seasonID, user.ID)
		must(t, err)
		equal(t, standing.WeeklyXP, xp)
	}
	t.Run("Repeated", func(t *testing.T) {
		// A retry says what the first receipt said, whatever is settled now.
		MustNotChange(t, f, func() {
			equal(t, MustSubmit(t, f.Store, late(user.ID, 0)).SeasonID, lastSeason)
			equal(t, MustSubmit(t, f.Store, late(user.ID, 1)).SeasonID, thisSeason)
		})
	})
	t.Run("BookXP", func(t *testing.T) {
		equal(t, MustBookXP(t, f.Store, user.ID, 1, bell.Add(-time.Hour)).ID, thisSeason)
		// Weeks before a settled one are closed as well.
		equal(t, MustBookXP(t, f.Store, user.ID, 1, bell.Add(-8*24*time.Hour)).ID, thisSeason)
	})
}

// S11, S17, N19: more XP, then who was first, then the smaller id.
func TestLeagues_Board(t *testing.T) {
	f, want := MustOpenBoard(t)
	for _, limit := range []int{1, 2, 3, 4, 7, 9, 15, 44, 45, 46, 1000} {
		t.Run(fmt.Sprintf("OK/%d", limit), func(t *testing.T) {
			equal(t, MustBoard(t, f.Store, thisSeason, limit), want)
		})
	}
	t.Run("OK/Default", func(t *testing.T) {
		MustUsers(t, f, 10)
		MustExec(t, f.db, `
			INSERT INTO league_participants SELECT ?, 1, id, 0, 0 FROM users
			WHERE uid LIKE 'user-00__'`, thisSeason)
		page, err := f.Leagues.Board(ctx, thisSeason, 1, "", 0)
		must(t, err)
		equal(t, len(page.Standings), 50)
		equal(t, page.Next != "", true)
	})
	t.Run("OK/Empty", func(t *testing.T) {
		for _, of := range [][2]int64{{20300106, 1}, {thisSeason, 5}, {thisSeason, 99}} {
			page, err := f.Leagues.Board(ctx, of[0], of[1], "", 0)
			must(t, err)
			equal(t, page, storage.BoardPage{})
		}
	})
	t.Run("OK/OtherLeague", func(t *testing.T) {
		page, err := f.Leagues.Board(ctx, thisSeason, 2, "", 0)
		must(t, err)
		equal(t, len(page.Standings), 1)
		equal(t, page.Standings[0].UID, "higher")
		equal(t, page.Standings[0].Rank, 1)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Leagues.Board(ctx, thisSeason, 1, "", limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}

// A cursor is a place, not a number: who overtakes does not move it.
func TestLeagues_Board_CursorStays(t *testing.T) {
	f, want := MustOpenBoard(t)
	page, err := f.Leagues.Board(ctx, thisSeason, 1, "", 10)
	must(t, err)
	MustBookXP(t, f.Store, want[44].UserID, 100, noon) // the last one to the top
	rest, err := f.Leagues.Board(ctx, thisSeason, 1, page.Next, 100)
	must(t, err)
	equal(t, len(rest.Standings), 34)
	for i, got := range rest.Standings {
		equal(t, got.UserID, want[10+i].UserID)
		equal(t, got.Rank, want[10+i].Rank+1)
	}
}

// P5.
func TestLeagues_Board_ErrCursor(t *testing.T) {
	f, _ := MustOpenBoard(t)
	page, err := f.Leagues.Board(ctx, thisSeason, 1, "", 10)
	must(t, err)
	text := func(s string) storage.Cursor { return storage.Cursor(base64.RawURLEncoding.EncodeToString([]byte(s))) }
	for _, test := range []struct {
		name             string
		seasonID, league int64
		cursor           storage.Cursor
	}{
		{"OtherSeason", lastSeason, 1, page.Next},
		{"OtherLeague", thisSeason, 2, page.Next},
		{"Garbage", thisSeason, 1, "garbage!"},
		{"Short", thisSeason, 1, page.Next[:len(page.Next)-4]},
		{"Longer", thisSeason, 1, page.Next + "AAAA"},
		{"NoJSON", thisSeason, 1, text("place 10")},
		{"Nothing", thisSeason, 1, text("{}")},
		{"Null", thisSeason, 1, text("null")},
		{"List", thisSeason, 1, text("[20260510,1]")},
		{"Texts", thisSeason, 1, text(`{"s":"20260510","l":1}`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := f.Leagues.Board(ctx, test.seasonID, test.league, test.cursor, 10)
			mustBe(t, err, storage.ErrCursor)
			equal(t, got, storage.BoardPage{})
		})
	}
}

// P6, N19: one rule for a page, a rank and a window.
func TestLeagues_Rank(t *testing.T) {
	f, board := MustOpenBoard(t)
	t.Run("OK", func(t *testing.T) {
		for _, want := range board {
			got, err := f.Leagues.Rank(ctx, thisSeason, want.UserID)
			must(t, err)
			equal(t, got, want)
		}
	})
	t.Run("OK/OtherLeague", func(t *testing.T) { // with as much XP as some of this one
		higher, err := f.Users.ByUID(ctx, "higher")
		must(t, err)
		MustBookXP(t, f.Store, higher.ID, 5, noon)
		got, err := f.Leagues.Rank(ctx, thisSeason, higher.ID)
		must(t, err)
		equal(t, got, storage.Standing{
			Rank: 1, UserID: higher.ID, UID: "higher", Name: higher.Name, LeagueID: 2, WeeklyXP: 30, ReachedAt: noon,
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		past, err := f.Users.ByUID(ctx, "past")
		must(t, err)
		for _, of := range [][2]int64{{thisSeason, past.ID}, {thisSeason, 99}, {20300106, board[0].UserID}} {
			_, err := f.Leagues.Rank(ctx, of[0], of[1])
			mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		}
	})
}

func TestLeagues_Window(t *testing.T) {
	f, board := MustOpenBoard(t)
	for _, radius := range []int{1, 3, 10, 44, 1000} {
		t.Run(fmt.Sprintf("OK/%d", radius), func(t *testing.T) {
			for i, of := range board {
				got, err := f.Leagues.Window(ctx, thisSeason, of.UserID, radius)
				must(t, err)
				equal(t, got, board[max(0, i-radius):min(len(board), i+radius+1)])
			}
		})
	}
	t.Run("OK/Alone", func(t *testing.T) {
		past, err := f.Users.ByUID(ctx, "past")
		must(t, err)
		got, err := f.Leagues.Window(ctx, lastSeason, past.ID, 5)
		must(t, err)
		equal(t, len(got), 1)
		equal(t, got[0].Rank, 1)
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		got, err := f.Leagues.Window(ctx, thisSeason, 99, 5)
		mustBe(t, err, storage.ErrNotFound)
		equal(t, got, nil)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, radius := range []int{-1, 1001} {
			_, err := f.Leagues.Window(ctx, thisSeason, board[0].UserID, radius)
			mustBeInvalid(t, err, "radius")
		}
	})
}
