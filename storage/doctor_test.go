package storage_test

import (
	"context"
	"testing"

	"github.com/flashstore/flashstore/storage"
)

func mustBeHealth(tb testing.TB, s *storage.Store, want storage.Health) {
	tb.Helper()
	got, err := s.Doctor(ctx)
	must(tb, err)
	equal(tb, got, want)
}

// P15: each fault is counted as what it is, and as nothing else.
func TestStore_Doctor(t *testing.T) {
	open := func(t *testing.T) *fixture {
		f := MustOpen(t)
		MustFullThree(t, f)
		return f
	}
	f := open(t)
	MustNotChange(t, f, func() {
		mustBeHealth(t, f.Store, storage.Health{Users: 3})
	})
	for name, test := range map[string]struct {
		spoil string
		want  storage.Health
	}{
		"Balance":       {"UPDATE users SET coins = coins + 1 WHERE uid = 'ada'", storage.Health{Users: 3, Ledgers: 1}},
		"Ledger":        {"UPDATE coin_ledger SET delta = delta + 1 WHERE seq = 2", storage.Health{Users: 3, Ledgers: 3}},
		"XP":            {"UPDATE users SET total_xp = total_xp + 1 WHERE uid <> 'ada'", storage.Health{Users: 3, Progress: 2}},
		"Level":         {"UPDATE users SET level = level + 1 WHERE uid = 'ada'", storage.Health{Users: 3, Progress: 1}},
		"Session":       {"DELETE FROM sessions WHERE xp_earned > 4", storage.Health{Users: 3, Progress: 3}},
		"Mastery":       {"UPDATE mastery_stats SET mastery_level = 5 WHERE fact <> '1+1'", storage.Health{Users: 3, Levels: 9}},
		"MasteryIsGone": {"DELETE FROM mastery_stats WHERE fact = '1+1'", storage.Health{Users: 3, Levels: 3}},
		"Worn":          {"UPDATE loadouts SET slot = 'elsewhere'", storage.Health{Users: 3, Worn: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			MustExec(t, f.db, test.spoil)
			MustNotChange(t, f, func() { mustBeHealth(t, f.Store, test.want) })
			equal(t, test.want.OK(), false)
		})
	}
	t.Run("Boards", func(t *testing.T) {
		onlySQLite(t, "PostgreSQL keeps no ranges")
		f := open(t)
		MustExec(t, f.db, "UPDATE board_ranges SET players = players + 1 WHERE season_id = 20260510")
		mustBeHealth(t, f.Store, storage.Health{Users: 3, Boards: 1})
	})
	t.Run("OK/Pages", func(t *testing.T) {
		f := MustOpen(t)
		MustUsers(t, f, 501)
		MustExec(t, f.db, "UPDATE users SET level = 2 WHERE uid IN ('user-0000', 'user-0499', 'user-0500')")
		mustBeHealth(t, f.Store, storage.Health{Users: 501, Progress: 3})
	})
	t.Run("OK/Empty", func(t *testing.T) { mustBeHealth(t, MustOpen(t).Store, storage.Health{}) })
	t.Run("ErrNotInUse", func(t *testing.T) {
		mustBe(t, err2(storage.New(storage.Config{}).Doctor(ctx)), storage.ErrNotInUse)
	})
	t.Run("Cancelled", func(t *testing.T) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		mustBe(t, err2(f.Doctor(ended)), context.Canceled)
	})
}

func TestHealth_String(t *testing.T) {
	equal(t, storage.Health{Users: 3}.String(), "3 users: all is well")
	equal(t, storage.Health{Users: 3}.OK(), true)
	equal(t, storage.Health{Users: 3, Ledgers: 1, Levels: 2}.String(),
		"of 3 users, ledgers that do not prove a balance: 1, levels that are not those of the answer log: 2")
}
