package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flashstore/flashstore/models"
)

// A grant is at most maxGrant coins, so that the report over millions of them
// does not overflow, and leaves at most maxBalance, which a client in
// JavaScript still reads exactly.
const (
	maxGrant   = 1 << 40
	maxBalance = 1<<53 - 1
)

// ownReasons are those of entries that the store books itself: they say that
// there is a session, a purchase or a settled season behind the coins.
var ownReasons = []string{ReasonWelcome, ReasonSession, ReasonPurchase, ReasonRefund, ReasonPrize}

// Grant changes a user's coins by delta, which may be negative, and returns
// the ledger's entry: it is for what the application gives or takes for reasons
// of its own, such as "quest" or "correction". The reference says what it was
// for and may be empty. The reasons of the store's own entries are refused.
//
// entryID is made by the caller, version 7: the same grant again returns the
// first entry and changes nothing; the same id with other content, or one that
// the user's ledger has for something else, is ErrConflict. It returns
// ErrNotFound when there is no such user, an *InsufficientFundsError when delta
// takes more than there is, and an *InvalidError for a delta of 0, one beyond
// 2^40 coins, or a balance beyond 2^53-1; then nothing has changed.
func (s *Coins) Grant(ctx context.Context, userID int64, entryID models.ID, delta int64, reason, reference string) (granted models.CoinEntry, err error) {
	change := entry{id: entryID, delta: delta, reason: strings.TrimSpace(reason), reference: reference}
	if err := s.engine.now().checkGrant(change); err != nil {
		return granted, err
	}
	err = s.engine.write(ctx, func(u *unit) error {
		granted, err = u.grant(userID, change)
		return err
	})
	return granted, err
}

// checkGrant refuses what no grant may be.
func (u *unit) checkGrant(e entry) error {
	switch {
	case e.delta == 0:
		return invalid("delta", "is 0: give the coins to add, or a negative number of those to take")
	case e.delta > maxGrant || e.delta < -maxGrant:
		return invalid("delta", "is %d: give at most %d coins at once", e.delta, int64(maxGrant))
	case e.reason == "":
		return invalid("reason", "is empty")
	case slices.Contains(ownReasons, strings.ToLower(e.reason)):
		return invalid("reason", "is %q, under which the store books by itself: give one of your own", e.reason)
	}
	return firstError(
		func() error { return u.checkID("entry_id", e.id) },
		func() error { return checkText("reason", e.reason) },
		func() error { return checkText("reference", e.reference) },
	)
}

// grant books a change that was checked.
func (u *unit) grant(userID int64, e entry) (models.CoinEntry, error) {
	user, err := u.lockUser(userID)
	if err != nil {
		return models.CoinEntry{}, err
	}
	before, err := first[models.CoinEntry](u.raw(ledgerEntry, userID, e.id))
	switch {
	case err != nil:
		return models.CoinEntry{}, err
	case before != nil:
		return grantedBefore(*before, e)
	case user.Coins < -e.delta:
		return models.CoinEntry{}, &InsufficientFundsError{Have: user.Coins, Need: -e.delta}
	case e.delta > maxBalance-user.Coins:
		return models.CoinEntry{}, invalid("delta", "is %d, which makes the balance of %d more than %d", e.delta, user.Coins, int64(maxBalance))
	}
	row, err := u.creditNew(user, e)
	if err == nil {
		err = u.saveUser(user, "coins", "updated_at")
	}
	return row, err
}

// grantedBefore returns the first entry of a grant.
func grantedBefore(before models.CoinEntry, again entry) (models.CoinEntry, error) {
	if before.Delta != again.delta || before.Reason != again.reason || before.Reference != again.reference {
		return models.CoinEntry{}, fmt.Errorf("coins of user %d under id %s: %w", before.UserID, again.id, ErrConflict)
	}
	return before, nil
}
