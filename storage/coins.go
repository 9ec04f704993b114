package storage

import (
	"context"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Coins are money: every change goes through the ledger, in the transaction
// that makes it (N2).
type Coins struct{ engine *engine }

// Reasons of ledger entries that the store itself writes.
const (
	ReasonWelcome  = "welcome"
	ReasonSession  = "session"
	ReasonPurchase = "purchase"
	ReasonRefund   = "refund" // of a purchase; the reference is the item's slug
	ReasonPrize    = "prize"  // of a season; the reference is its id
)

// Break is the first place at which a user's ledger does not prove their
// balance.
type Break struct {
	UserID int64  `json:"user_id"`
	Seq    int64  `json:"seq"` // the entry; 0: the balance in users itself
	What   string `json:"what"`
	Want   int64  `json:"want"`
	Got    int64  `json:"got"`
}

func (b Break) String() string {
	return fmt.Sprintf("user %d, entry %d: %s is %d, the ledger makes it %d", b.UserID, b.Seq, b.What, b.Got, b.Want)
}

// Balance returns a user's coins, or ErrNotFound.
func (s *Coins) Balance(ctx context.Context, userID int64) (int64, error) {
	user, err := (&Users{s.engine}).Get(ctx, userID)
	return user.Coins, err
}

// Ledger returns up to limit entries of a user with numbers below before,
// the latest first; a before of 0 begins with the latest of all. A limit of 0
// means 50; the most is 1000.
func (s *Coins) Ledger(ctx context.Context, userID, before int64, limit int) (entries []models.CoinEntry, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	if before == 0 {
		before = 1<<63 - 1
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(ledgerBefore, userID, before, limit).Scan(&entries).Error
	})
	return entries, err
}

// Reconcile proves that the user's balance is the sum of their ledger, entry
// by entry. It returns the first break, or nil. It returns ErrNotFound when
// there is no such user.
func (s *Coins) Reconcile(ctx context.Context, userID int64) (found *Break, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		breaks, users, err := u.reconcile(userID-1, userID)
		if err == nil && users == 0 {
			err = fmt.Errorf("user %d: %w", userID, ErrNotFound)
		}
		if len(breaks) > 0 {
			found = &breaks[0]
		}
		return err
	})
	return found, err
}

// ReconcileAll proves the balances of all users from one snapshot and returns
// the first break of each whose ledger has one.
func (s *Coins) ReconcileAll(ctx context.Context) (breaks []Break, err error) {
	err = s.engine.snapshot(ctx, func(u *unit) error {
		for after := int64(0); ; {
			var ids []int64
			if err := u.raw(userIDsAfter, after, userPage).Scan(&ids).Error; err != nil || len(ids) == 0 {
				return err
			}
			last := ids[len(ids)-1]
			some, _, err := u.reconcile(after, last)
			if err != nil {
				return err
			}
			breaks = append(breaks, some...)
			after = last
		}
	})
	return breaks, err
}

var (
	ledgerBefore = declare(`
SELECT * FROM {coin_ledger} WHERE user_id = CAST(? AS BIGINT) AND seq < CAST(? AS BIGINT) ORDER BY seq DESC LIMIT CAST(? AS BIGINT)`,
		"SEARCH coin_ledger USING PRIMARY KEY (user_id=? AND seq<?)")
	ledgerLast = declare(`
SELECT * FROM {coin_ledger} WHERE user_id = CAST(? AS BIGINT) ORDER BY seq DESC LIMIT 1`,
		"SEARCH coin_ledger USING PRIMARY KEY (user_id=?)")
	ledgerLastOf = declare(`
SELECT id AS user_id, (SELECT max(seq) FROM {coin_ledger} WHERE user_id = users.id) AS seq
FROM {users} AS users WHERE id IN ?`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)",
		"CORRELATED SCALAR SUBQUERY 1",
		"SEARCH coin_ledger USING PRIMARY KEY (user_id=?)")
	ledgerEntry = declare(`
SELECT * FROM {coin_ledger} WHERE user_id = CAST(? AS BIGINT) AND entry_id = ?`,
		"SEARCH coin_ledger USING INDEX idx_coin_ledger_entry (user_id=? AND entry_id=?)")
	ledgerOfUsers = declare(`
SELECT user_id, seq, delta, balance_after FROM {coin_ledger}
WHERE user_id > CAST(? AS BIGINT) AND user_id <= CAST(? AS BIGINT) ORDER BY user_id, seq`,
		"SEARCH coin_ledger USING PRIMARY KEY (user_id>? AND user_id<?)")
	balancesOfUsers = declare(`
SELECT id, coins FROM {users} WHERE id > CAST(? AS BIGINT) AND id <= CAST(? AS BIGINT) ORDER BY id`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)")
)

// entry is a change of coins to come.
type entry struct {
	id                models.ID
	delta             int64
	reason, reference string
}

// entryColumns is the number of columns of coin_ledger.
const entryColumns = 8

// row returns the entry as the user's ledger has it. The user's coins are
// changed already.
func (e entry) row(user *models.User, seq int64, now time.Time) models.CoinEntry {
	return models.CoinEntry{
		UserID: user.ID, Seq: seq, EntryID: e.id, Delta: e.delta,
		BalanceAfter: user.Coins, Reason: e.reason, Reference: e.reference, CreatedAt: now,
	}
}

// credit books a change of a locked user's coins in the ledger and in user,
// which the caller saves.
func (u *unit) credit(user *models.User, e entry) error {
	if err := u.checkEntry(user.ID, e.id); err != nil {
		return err
	}
	_, err := u.creditNew(user, e)
	return err
}

// creditNew is credit for an entry whose id is known to be new. It returns the
// row.
func (u *unit) creditNew(user *models.User, e entry) (models.CoinEntry, error) {
	last, err := first[models.CoinEntry](u.raw(ledgerLast, user.ID))
	if err != nil {
		return models.CoinEntry{}, err
	}
	user.Coins += e.delta
	user.UpdatedAt = u.now
	row := e.row(user, deref(last).Seq+1, u.now)
	return row, u.table(row).Create(&row).Error
}

// checkEntry returns ErrConflict where the user's ledger has the id.
func (u *unit) checkEntry(userID int64, id models.ID) error {
	taken, err := first[models.CoinEntry](u.raw(ledgerEntry, userID, id))
	if err == nil && taken != nil {
		err = fmt.Errorf("coins of user %d under id %s: %w", userID, id, ErrConflict)
	}
	return err
}

// reconcile proves the users with ids in (after, upTo], and says how many
// there were.
func (u *unit) reconcile(after, upTo int64) (breaks []Break, users int, err error) {
	var entries []models.CoinEntry
	if err := u.raw(ledgerOfUsers, after, upTo).Scan(&entries).Error; err != nil {
		return nil, 0, err
	}
	var balances []models.User
	if err := u.raw(balancesOfUsers, after, upTo).Scan(&balances).Error; err != nil {
		return nil, 0, err
	}
	for _, user := range balances {
		for len(entries) > 0 && entries[0].UserID < user.ID {
			entries = entries[1:] // of nobody: foreign keys were off once
		}
		n := 0
		for n < len(entries) && entries[n].UserID == user.ID {
			n++
		}
		if found := firstBreak(user, entries[:n]); found != nil {
			breaks = append(breaks, *found)
		}
		entries = entries[n:]
	}
	return breaks, len(balances), nil
}

// firstBreak adds up a user's entries.
func firstBreak(user models.User, entries []models.CoinEntry) *Break {
	var sum int64
	for i, e := range entries {
		sum += e.Delta
		if e.Seq != int64(i)+1 {
			return &Break{UserID: user.ID, Seq: e.Seq, What: "number", Want: int64(i) + 1, Got: e.Seq}
		}
		if e.BalanceAfter != sum {
			return &Break{UserID: user.ID, Seq: e.Seq, What: "balance_after", Want: sum, Got: e.BalanceAfter}
		}
	}
	if user.Coins != sum {
		return &Break{UserID: user.ID, What: "balance", Want: sum, Got: user.Coins}
	}
	return nil
}
