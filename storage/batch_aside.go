package storage

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// aside is what a batch knows of answers that are set aside. An id stands in
// the log or there, never in both.
type aside struct {
	answers map[answerKey]*models.SetAsideAnswer
	emptied map[models.ID]models.Session // sessions of which nothing was booked: their hashes
	changed map[answerKey]bool
}

// sifted is what becomes of a booking's answers.
type sifted struct {
	fresh   []models.AnswerEvent    // are booked
	counted []models.AnswerEvent    // those and what was booked before, in a batch that knows of any aside
	aside   []models.SetAsideAnswer // are set aside, or were before
	outside int                     // as many answers, where one may be given twice
}

// sift says what becomes of a booking's answers. One that is there with other
// content, in another session for example, is a conflict.
func (b *batch) sift(in booking) (p sifted, err error) {
	p.fresh = make([]models.AnswerEvent, 0, len(in.events))
	for i := range in.events {
		if e := &in.events[i]; i > 0 && in.events[i-1].ID == e.ID { // given twice in one call
			if in.events[i-1] != *e {
				return sifted{}, fmt.Errorf("answer %s: %w", e.ID, ErrConflict)
			}
			if n := len(p.aside); n > 0 && p.aside[n-1].ID == e.ID {
				p.outside++
			}
			continue
		}
		if err := b.siftOne(&p, &in, i); err != nil {
			return sifted{}, err
		}
	}
	return p, nil
}

// siftOne says what becomes of the answer at i.
func (b *batch) siftOne(p *sifted, in *booking, i int) error {
	e, reason := &in.events[i], in.doubt(i)
	key := answerKey{e.UserID, e.ID}
	before, booked := b.answers[key]
	row := b.aside.answer(key)
	switch {
	case booked && before != *e, row != nil && row.AnswerEvent != *e:
		return fmt.Errorf("answer %s: %w", e.ID, ErrConflict)
	case booked:
		if err := b.cfg.Rules.Plausibility.checkEnd(in.session, *e); err != nil {
			return err
		}
	case row != nil:
		p.setAside(*row)
		return nil
	case reason != "":
		p.setAside(models.SetAsideAnswer{AnswerEvent: *e, Reason: reason, SetAsideAt: b.now})
		return nil
	default:
		p.fresh = append(p.fresh, *e)
	}
	if b.aside != nil {
		p.counted = append(p.counted, *e)
	}
	return nil
}

func (p *sifted) setAside(row models.SetAsideAnswer) {
	p.aside = append(p.aside, row)
	p.outside++
}

// addRest books a session as what is not set aside of it. Where nothing is
// left, the first answer keeps the hash by which it is known again.
func (b *batch) addRest(user *models.User, in booking, p *sifted) (receipt Receipt, err error) {
	rest := *in.session
	if p.outside > 0 && len(p.counted) == 0 {
		p.aside[0].PayloadHash = rest.PayloadHash
		return Receipt{SessionID: rest.ID, UserID: rest.UserID, SetAside: int64(p.outside)}, nil
	}
	if in.isDoubted() { // and was appended before, which load did not know
		if !b.careful {
			return Receipt{}, errBookedBefore
		}
		if err := b.loadSeason(rest.EndedAt); err != nil {
			return Receipt{}, err
		}
	}
	if p.outside > 0 {
		score(&rest, p.counted, b.cfg.Rules)
	}
	if receipt, err = b.addSession(user, rest); err == nil {
		receipt.SetAside = int64(p.outside)
	}
	return receipt, err
}

// emptied returns a session of which nothing was booked, as far as it is known.
func (b *batch) emptied(id models.ID) (s models.Session, ok bool) {
	if b.aside != nil {
		s, ok = b.aside.emptied[id]
	}
	return s, ok
}

// answer returns an answer that is set aside, or nil.
func (a *aside) answer(key answerKey) *models.SetAsideAnswer {
	if a == nil {
		return nil
	}
	return a.answers[key]
}

// learn takes in a row as it is stored.
func (a *aside) learn(row models.SetAsideAnswer) {
	a.answers[answerKey{row.UserID, row.ID}] = &row
	if row.PayloadHash != nil {
		a.emptied[row.SessionID] = models.Session{UserID: row.UserID, ID: row.SessionID, PayloadHash: row.PayloadHash}
	}
}

// add sets answers aside. Those that are there, with the hash that they had,
// stay as they are.
func (a *aside) add(rows []models.SetAsideAnswer) {
	for _, row := range rows {
		key := answerKey{row.UserID, row.ID}
		if before := a.answers[key]; before == nil || !bytes.Equal(before.PayloadHash, row.PayloadHash) {
			a.learn(row)
			a.changed[key] = true
		}
	}
}

// watched remembers whether any answer was set aside when a store without
// rules for it first looked. It is safe for concurrent use.
type watched struct{ found atomic.Pointer[bool] }

func (w *watched) any(u *unit) (bool, error) {
	if found := w.found.Load(); found != nil {
		return *found, nil
	}
	row, err := first[models.SetAsideAnswer](u.raw(anySetAside))
	if err != nil {
		return false, err
	}
	found := row != nil
	w.found.Store(&found)
	return found, nil
}

// watch begins to look for answers that are set aside, where the rules set any
// aside or have done so in the past. Otherwise it costs nothing but one look
// in the life of a store.
func (b *batch) watch() error {
	if b.cfg.Rules.Plausibility == (Plausibility{}) {
		if found, err := b.watched.any(b.unit); err != nil || !found {
			return err
		}
	}
	b.aside = &aside{
		answers: map[answerKey]*models.SetAsideAnswer{}, emptied: map[models.ID]models.Session{}, changed: map[answerKey]bool{},
	}
	return nil
}

// loadAside reads what was set aside before of the jobs' answers and sessions.
func (b *batch) loadAside(jobs []*job, sessions []models.ID) error {
	if b.aside == nil {
		return nil
	}
	var answers []models.ID
	for _, j := range jobs {
		for _, e := range j.In.events {
			answers = append(answers, e.ID)
		}
	}
	byID := func(q *query, ids []models.ID) func() error {
		return func() error {
			rows, err := find[models.SetAsideAnswer](ids, func(part []models.ID) *gorm.DB { return b.raw(q, part) })
			for _, row := range rows {
				b.aside.learn(row)
			}
			return err
		}
	}
	return firstError(byID(setAsideByID, answers), byID(emptiedByID, sessions))
}

// saveAside writes what was set aside.
func (b *batch) saveAside() error {
	if b.aside == nil || len(b.aside.changed) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(b.aside.changed), func(x, y answerKey) int {
		return byUserAndID(models.AnswerEvent{UserID: x.user, ID: x.id}, models.AnswerEvent{UserID: y.user, ID: y.id})
	})
	args := make([]any, 0, len(keys)*insertAside.columns)
	for _, key := range keys {
		row := b.aside.answers[key]
		args = append(appendAnswer(args, row.AnswerEvent), row.Reason, row.SetAsideAt.UnixMilli(), row.PayloadHash)
	}
	_, err := b.put(insertAside, args)
	return err
}
