package storage

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/writequeue"
)

// booking is what one call books, checked: a session with its answers, answers
// alone, or league XP.
type booking struct {
	userID  int64
	session *models.Session      // or nil
	events  []models.AnswerEvent // in the order of their ids
	doubts  []string             // why each of events is to be set aside, or ""; nil: none is
	league  *leagueXP            // or nil
}

// changesUser reports whether a booking reads and changes its user's own row.
func (b *booking) changesUser() bool { return b.session != nil || b.league != nil }

// leagueXP is XP of a moment.
type leagueXP struct {
	xp int64
	at time.Time
}

// booked is what came of it.
type booked struct {
	receipt  Receipt       // of the session
	appended AppendReceipt // of answers alone
	season   models.Season // of league XP
}

// job is a booking on its way through the queue.
type job = writequeue.Job[booking, booked]

// book books b, together with what others book at the same time.
//
// Booked together, nothing is looked for that is hardly ever there: an answer
// that was appended before, a user who does not exist. If one turns up, b is
// booked again by itself, looking first.
func (e *engine) book(ctx context.Context, b booking) (out booked, err error) {
	if e.db == nil {
		return out, ErrNotInUse
	}
	if e.bookings != nil {
		out, err = e.bookings.Do(writequeue.WithKey(ctx, b.userID), b)
		if !errors.Is(err, errBookedBefore) && !hooks.ForeignKeyViolated(err) {
			return out, err
		}
	}
	err = e.write(ctx, func(u *unit) error {
		alone := &job{In: b}
		err := newBatch(u, true).book([]*job{alone})
		out = alone.Out
		return errors.Join(err, alone.Err)
	})
	return out, err
}

// errBookedBefore means that an id is there that was not looked for.
var errBookedBefore = errors.New("an id was booked before")

// allNew returns a function that returns errBookedBefore if fewer rows were
// written than were given: not an error of the database, which GORM would log,
// and which on PostgreSQL would end the transaction.
func allNew(rows int) func(written int64, err error) error {
	return func(written int64, err error) error {
		if err == nil && written < int64(rows) {
			return errBookedBefore
		}
		return err
	}
}

// bookTogether books jobs that came at the same time.
//
// The driver needs a goroutine for each statement that a context may interrupt,
// which takes a tenth of its time. These statements are short: the context is
// asked between them. Where the database locks rows, they may wait for others.
func (e *engine) bookTogether(tx *gorm.DB, jobs []*job) error {
	if e.locksRows {
		return newBatch(e.unit(tx), false).book(jobs)
	}
	ctx := tx.Statement.Context
	u := e.unitUnder(context.WithoutCancel(ctx), tx)
	u.until = ctx
	return newBatch(u, false).book(jobs)
}
