package main

import (
	"errors"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// booker runs statements inside of one transaction: the rivals without GORM
// differ in how they do it, not in what they write.
type booker interface {
	exec(s statement, args ...any) error
	// row reads one row into pointers to int64 or string. No row is an error.
	row(s statement, args []any, into ...any) error
}

var errFunds = errors.New("not enough coins")

// bookAnswer writes an answer and its mastery.
func bookAnswer(b booker, a *Answer, session []byte) error {
	correct, at := int64(0), a.At.UnixMilli()
	if a.Correct {
		correct = 1
	}
	var in any // NULL outside of a session
	if session != nil {
		in = session
	}
	if err := b.exec(insertAnswer, a.UserID, a.ID[:], in, a.Operation, a.Fact, correct, a.ResponseMS, at); err != nil {
		return err
	}
	delta := a.delta()
	return b.exec(upsertMastery, a.UserID, a.Operation, a.Fact, max(delta, 0), delta, a.ID[:],
		correct, a.ResponseMS, a.ResponseMS, at)
}

// bookSession writes a session and all that follows from it, answer by answer
// with prepared statements.
func bookSession(b booker, s *Session) error {
	var xp, coins, league int64
	if err := b.row(userTotals, []any{s.UserID}, &xp, &coins, &league); err != nil {
		return err
	}
	ended := s.EndedAt.UnixMilli()
	if err := b.exec(upsertParticipant, s.SeasonID, league, s.UserID, s.XP, ended); err != nil {
		return err
	}
	err := b.exec(insertSession, s.UserID, s.ID[:], s.Operation, s.StartedAt.UnixMilli(), ended,
		int64(len(s.Answers)), s.Correct, s.AvgMS, s.XP, s.Coins, s.SeasonID, s.Hash, s.ID.Time().UnixMilli())
	if err != nil {
		return err
	}
	for i := range s.Answers {
		if err := bookAnswer(b, &s.Answers[i], s.ID[:]); err != nil {
			return err
		}
	}
	now := time.Now().UnixMilli()
	if s.Coins > 0 {
		coins += s.Coins
		err := bookLedger(b, s.UserID, s.ID, s.Coins, coins, storage.ReasonSession, s.ID.String(), now)
		if err != nil {
			return err
		}
	}
	xp += s.XP
	level := xp/storage.DefaultRules().XPPerLevel + 1
	if err := b.exec(rewardUser, xp, level, coins, ended, now, s.UserID); err != nil {
		return err
	}
	return b.exec(queueRollup, s.UserID)
}

// bookPurchase takes the coins and gives the item. Whoever has it already
// fails at the inventory's key.
func bookPurchase(b booker, p *Purchase) error {
	var xp, coins, league, price int64
	var slug string
	if err := b.row(userTotals, []any{p.UserID}, &xp, &coins, &league); err != nil {
		return err
	}
	if err := b.row(itemForSale, []any{p.ItemID}, &slug, &price); err != nil {
		return err
	}
	if coins < price {
		return errFunds
	}
	coins -= price
	at := p.At.UnixMilli()
	if err := bookLedger(b, p.UserID, p.ID, -price, coins, storage.ReasonPurchase, slug, at); err != nil {
		return err
	}
	if err := b.exec(payUser, coins, at, p.UserID); err != nil {
		return err
	}
	return b.exec(insertInventory, p.UserID, p.ItemID, price, p.ID[:], at)
}

func bookLedger(b booker, user int64, id models.ID, delta, balance int64, reason, reference string, at int64) error {
	var seq int64
	if err := b.row(lastLedger, []any{user}, &seq); err != nil {
		return err
	}
	return b.exec(insertLedger, user, seq+1, id[:], delta, balance, reason, reference, at)
}
