package storagetest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/flashstore/flashstore/storage"
)

// lowest is the league that new users play in.
const lowest = 1

// ties books a season with many ties and returns its board as it has to be.
func ties(t *testing.T, k kit) []storage.Standing {
	t.Helper()
	want := make([]storage.Standing, 17)
	for i := range want {
		user := k.user(t, fmt.Sprintf("user-%02d", i))
		xp, reached := int64(1+i*7%4)*10, lesson.Add(time.Duration(i*5%3)*time.Minute)
		season, err := k.Leagues.BookXP(t.Context(), user.ID, xp, reached)
		must(t, err)
		equal(t, "season", season.ID, thisSeason)
		want[i] = storage.Standing{
			UserID: user.ID, UID: user.UID, Name: user.Name, LeagueID: lowest, WeeklyXP: xp, ReachedAt: reached,
		}
	}
	slices.SortFunc(want, func(a, b storage.Standing) int {
		return cmp.Or(cmp.Compare(b.WeeklyXP, a.WeeklyXP), a.ReachedAt.Compare(b.ReachedAt), cmp.Compare(a.UserID, b.UserID))
	})
	for i := range want {
		want[i].Rank = int64(i) + 1
	}
	return want
}

// oneRule: more XP, then who was there first, then the smaller id; the same for
// pages of any size, a rank and a window.
func oneRule(t *testing.T, k kit) {
	want := ties(t, k)
	for _, size := range []int{1, 4, 16, 17, 18} {
		var all []storage.Standing
		var after storage.Cursor
		for more := true; more; more = after != "" {
			page, err := k.Leagues.Board(t.Context(), thisSeason, lowest, after, size)
			must(t, err)
			all, after = append(all, page.Standings...), page.Next
		}
		equal(t, fmt.Sprintf("board in pages of %d", size), all, want)
	}
	for i, of := range want {
		got, err := k.Leagues.Rank(t.Context(), thisSeason, of.UserID)
		must(t, err)
		equal(t, "rank", got, of)
		window, err := k.Leagues.Window(t.Context(), thisSeason, of.UserID, 3)
		must(t, err)
		equal(t, "window", window, want[max(0, i-3):min(len(want), i+4)])
	}
}

// cursors: a cursor is a place of one board and season, and stays where it is.
func cursors(t *testing.T, k kit) {
	want := ties(t, k)
	page, err := k.Leagues.Board(t.Context(), thisSeason, lowest, "", 5)
	must(t, err)
	for _, other := range [][2]int64{{thisSeason + 7, lowest}, {thisSeason, lowest + 1}} {
		_, err := k.Leagues.Board(t.Context(), other[0], other[1], page.Next, 5)
		mustBe(t, err, storage.ErrCursor)
	}
	_, err = k.Leagues.Board(t.Context(), thisSeason, lowest, "none", 5)
	mustBe(t, err, storage.ErrCursor)

	last := want[len(want)-1]
	_, err = k.Leagues.BookXP(t.Context(), last.UserID, 1000, noon)
	must(t, err)
	rest, err := k.Leagues.Board(t.Context(), thisSeason, lowest, page.Next, 5)
	must(t, err)
	equal(t, "user behind the cursor", rest.Standings[0].UserID, want[5].UserID)
	equal(t, "rank, one overtaken by the last", rest.Standings[0].Rank, want[5].Rank+1)
}
