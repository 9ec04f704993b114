package storage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/models"
)

// archiveQuiet is how old an answer must be to be moved, by the time in its id.
// Whoever books a younger one need not ask whether it was moved before: half of
// the time allows for clocks that differ.
const archiveQuiet = 24 * time.Hour

// ArchiveResult says what a call of Archive did.
type ArchiveResult struct {
	Before  time.Time `json:"before"`  // answers given before this time, by their ids, were to be moved
	Users   int64     `json:"users"`   // whose answers were moved
	Answers int64     `json:"answers"` // that were moved
	// Removed is how many answers of users who no longer exist were still in
	// the file: an Erase was interrupted, or users were deleted without the
	// store.
	Removed  int64         `json:"removed"`
	Duration time.Duration `json:"duration_ns"`
}

// ArchiveOption changes what one call of Archive does.
type ArchiveOption func(*archiving)

// OnArchived calls fn after each batch, with what was done so far, from the
// goroutine that called Archive. By default, nobody is told.
func OnArchived(fn func(ArchiveResult)) ArchiveOption { return func(a *archiving) { a.tell = fn } }

// Archive moves the answers of all users that are older than a time, by the
// time in their ids, out of the log into the archive: on SQLite the file that
// Config.Archive names, on PostgreSQL the table answer_archive. Levels, XP,
// sessions and boards stay as they are. Archived answers are still a part of
// the log for whatever is folded from it: they are exported and erased with
// their user, recognised when they are sent again, and returned by Recent if it
// is asked to, with WithArchived. A late answer from the archived past is
// booked in the log and moved by the next call.
//
// It works in batches of Config.ArchiveBatch answers: each is copied (and on
// SQLite synced to the disk), read back and compared row for row, and what is
// the same is deleted from the log in one transaction. Others write in between.
// However it is interrupted, each answer is still there and read once: call it
// again, as often as you like, from several processes too. After an error the
// result says what was done so far.
//
// The time must be 24 hours ago or more: anything else is an *InvalidError. On
// SQLite it returns an *ArchiveError if there is no Config.Archive, or if the
// file is missing, another store's, or has other contents than the log says;
// such a file is left as it is. Inside a transaction of the caller's it returns
// ErrInTransaction.
func (s *Answers) Archive(ctx context.Context, before time.Time, options ...ArchiveOption) (ArchiveResult, error) {
	start := time.Now()
	if ctx.Err() != nil {
		return ArchiveResult{}, context.Cause(ctx)
	}
	a, err := s.engine.archiving(before)
	if err != nil {
		return ArchiveResult{}, err
	}
	for _, option := range options {
		option(a)
	}
	err = a.run(Fresh(ctx))
	a.result.Duration = time.Since(start)
	if err != nil {
		return a.result, fmt.Errorf("archive answers: %w", err)
	}
	return a.result, nil
}

// ErrInTransaction means that a method that makes transactions of its own was
// called inside one of the caller's. Nothing was changed.
var ErrInTransaction = errors.New("this method makes transactions of its own: call it on the outer store, not on the one that In returns")

// archiving is one call of Archive.
type archiving struct {
	*engine
	until  models.ID // answers of smaller ids are to be moved
	batch  moving
	tell   func(ArchiveResult)
	last   int64 // the user whose answers were moved last
	result ArchiveResult
}

func (e *engine) archiving(before time.Time) (*archiving, error) {
	switch {
	case e.db == nil:
		return nil, ErrNotInUse
	case e.queue == nil:
		return nil, ErrInTransaction
	}
	before, err := checkTime("before", before)
	if err != nil {
		return nil, err
	}
	if latest := e.clock().Add(-archiveQuiet); before.After(latest) {
		return nil, invalid("before", "is %s: give a time of %v ago or more, such as %s",
			before.Format(time.RFC3339), archiveQuiet, latest.Format(time.RFC3339))
	}
	return &archiving{
		engine: e, until: firstIDAfter(before.Add(-time.Millisecond)), // the first id from before on
		tell: func(ArchiveResult) {}, result: ArchiveResult{Before: before},
	}, nil
}

func (a *archiving) run(ctx context.Context) error {
	if err := a.makeArchive(ctx); err != nil {
		return err
	}
	var err error
	if a.result.Removed, err = a.sweepArchive(ctx); err != nil {
		return err
	}
	if err := a.eachUser(ctx, func(userID int64) error { return a.user(ctx, userID) }); err != nil {
		return err
	}
	return a.flush(ctx)
}

var oldAnswers = declare(`
SELECT `+answerColumns+`
FROM {answer_events} WHERE user_id = CAST(? AS BIGINT) AND id >= ? AND id < ?
ORDER BY id LIMIT CAST(? AS BIGINT)`,
	"SEARCH answer_events USING PRIMARY KEY (user_id=? AND id>? AND id<?)")

// user moves the old answers of a user, together with those of others.
func (a *archiving) user(ctx context.Context, userID int64) error {
	for from := lowestID; ; {
		room := a.cfg.ArchiveBatch - a.batch.answers
		var rows []models.AnswerEvent
		err := a.read(ctx, func(u *unit) (err error) {
			rows, err = scanRows(u.raw(oldAnswers, userID, from, a.until, room), 0, scanAnswer)
			return err
		})
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			a.batch.add(userID, rows, a.until, len(rows) == room)
		}
		if len(rows) < room {
			return nil
		}
		if err := a.flush(ctx); err != nil {
			return err
		}
		from = idAfter(rows[len(rows)-1].ID)
	}
}

// flush moves what was gathered.
func (a *archiving) flush(ctx context.Context) error {
	if a.batch.answers == 0 {
		return nil
	}
	batch := a.batch
	a.batch = moving{}
	moved, err := a.move(ctx, batch)
	if err != nil {
		return err
	}
	for _, m := range moved {
		if m.userID != a.last { // they come in order, some in several batches
			a.result.Users++
		}
		a.last = m.userID
		a.result.Answers += m.answers
	}
	a.tell(a.result)
	return nil
}
