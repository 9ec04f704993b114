package storage

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Health is what Doctor has counted. In a store that only its own methods have
// written to, all but Users is 0.
type Health struct {
	Users int64 `json:"users"` // who were looked at
	// Ledgers counts users whose ledger does not prove their balance.
	// Coins.ReconcileAll names them and the first break of each.
	Ledgers int64 `json:"ledgers"`
	// Progress counts users whose XP is not the sum of their sessions, or whose
	// level is not that of their XP.
	Progress int64 `json:"progress"`
	// Levels counts facts of users for which something else is stored than the
	// answer log says. Mastery.VerifyAll names them, RebuildAll repairs them.
	Levels int64 `json:"levels"`
	// Boards counts boards whose ranges are not those of their players.
	// Leagues.VerifyBoards names them, RebuildBoards repairs them.
	Boards int64 `json:"boards"`
	// Worn counts items that are worn and should not be, or in the wrong slot.
	// Shop.CheckLoadouts names it, RepairLoadouts repairs it.
	Worn int64 `json:"worn"`
}

// OK reports whether all is well.
func (h Health) OK() bool { return h == Health{Users: h.Users} }

// String names what is wrong, or says that nothing is.
func (h Health) String() string {
	var wrong []string
	for _, count := range []struct {
		n    int64
		what string
	}{
		{h.Ledgers, "ledgers that do not prove a balance"},
		{h.Progress, "users whose XP or level is not that of their sessions"},
		{h.Levels, "levels that are not those of the answer log"},
		{h.Boards, "boards whose ranges are not those of their players"},
		{h.Worn, "items worn that should not be"},
	} {
		if count.n > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d", count.what, count.n))
		}
	}
	if len(wrong) == 0 {
		return fmt.Sprintf("%d users: all is well", h.Users)
	}
	return fmt.Sprintf("of %d users, %s", h.Users, strings.Join(wrong, ", "))
}

// Doctor checks whether what is stored agrees with itself, and counts what does
// not (P15): balances with ledgers, XP and levels with sessions, mastery with
// the answer log, boards with their players, what is worn with what is owned.
// It changes nothing and keeps nobody waiting. It reads everything, each part
// at a moment of its own, and so takes the longer the more history there is. On
// SQLite, maintenance.Check finds what is wrong with the file itself.
func (s *Store) Doctor(ctx context.Context) (h Health, err error) {
	err = firstError(
		func() error {
			breaks, err := s.Coins.ReconcileAll(ctx)
			h.Ledgers = int64(len(breaks))
			return err
		},
		func() error {
			h.Users, h.Progress, err = s.engine.countProgress(ctx)
			return err
		},
		func() error {
			return s.Mastery.VerifyAll(ctx, func(MasteryDifference) error {
				h.Levels++
				return nil
			})
		},
		func() error {
			boards, err := s.Leagues.VerifyBoards(ctx)
			h.Boards = int64(len(boards))
			return err
		},
		func() error {
			worn, err := s.Shop.CheckLoadouts(ctx)
			h.Worn = int64(len(worn))
			return err
		},
	)
	if err != nil {
		return Health{}, err // some of the counts are missing
	}
	return h, nil
}

var progressOfUsers = declare(`
SELECT id, level, total_xp,
  CAST(coalesce((SELECT sum(xp_earned) FROM {sessions} WHERE user_id = users.id), 0) AS BIGINT)
FROM {users} AS users WHERE id > CAST(? AS BIGINT) ORDER BY id LIMIT CAST(? AS BIGINT)`,
	"SEARCH users USING INTEGER PRIMARY KEY (rowid>?)",
	"CORRELATED SCALAR SUBQUERY 1",
	"SEARCH sessions USING PRIMARY KEY (user_id=?)")

// progress is what sessions have brought a user.
type progress struct{ user, level, xp, earned int64 }

func scanProgress(rows *sql.Rows, p *progress) error {
	return rows.Scan(&p.user, &p.level, &p.xp, &p.earned)
}

// countProgress counts users, and those whose XP or level is wrong, a page of
// them at a moment.
func (e *engine) countProgress(ctx context.Context) (users, wrong int64, err error) {
	for after := int64(0); ; {
		var page []progress
		err := e.read(ctx, func(u *unit) (err error) {
			page, err = scanRows(u.raw(progressOfUsers, after, userPage), userPage, scanProgress)
			return err
		})
		if err != nil {
			return 0, 0, err
		}
		for _, p := range page {
			if p.xp != p.earned || p.level != e.cfg.Rules.level(p.xp) {
				wrong++
			}
		}
		users += int64(len(page))
		if len(page) < userPage {
			return users, wrong, nil
		}
		after = page[len(page)-1].user
	}
}
