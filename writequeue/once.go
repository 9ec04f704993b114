package writequeue

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// AtOnce hands calls for which may returns true first to once, which writes
// them in one statement. On a server that is a transaction of its own, and
// takes one round trip where BEGIN and COMMIT take two more. once sets Out or
// Err of each job, as NewBulk's function does, and returns true; if it returns
// false it has written nothing, and NewBulk's function runs them. An error,
// such as that of a broken connection, is the answer to all of them. db is one
// connection, and its context does not end with that of any call.
//
// once is used only with several lanes, and not for a call that is alone and
// whose context can end: an interrupted statement might still take effect,
// where a transaction would be rolled back. Call AtOnce before the first Do.
func (b *Bulk[T, R]) AtOnce(may func(in T) bool, once func(db *gorm.DB, jobs []*Job[T, R]) (done bool, err error)) {
	b.may = may
	b.shared.once = func(db *gorm.DB, calls []*call) (bool, error) {
		jobs := jobsOf[T, R](calls)
		done, err := once(db, jobs)
		if done {
			answerJobs(calls, jobs)
		}
		return done, err
	}
}

// beginsAtOnce reports whether a group that c leads is first written at once.
func (q *Queue) beginsAtOnce(c *call) bool {
	return c.once && q.cfg.Lanes > 1 && (c.ctx.Done() == nil || q.hasCompany(c))
}

// hasCompany reports whether there are others to share a group that c leads.
func (q *Queue) hasCompany(c *call) bool {
	q.letCome()
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := c.place.Next(); e != nil; e = e.Next() {
		if q.mayJoin(c, e.Value.(*call)) {
			return true
		}
	}
	return false
}

// atOnce has those who wait, c the first, written at once. c waits for a
// connection as long as its context goes on.
func (q *Queue) atOnce(c *call) {
	connected := false
	err := q.db.WithContext(c.ctx).Connection(func(db *gorm.DB) error {
		connected = true
		db.Statement.ConnPool = pinned{db.Statement.ConnPool}
		q.letCome()
		q.writeAtOnce(c, db.WithContext(context.WithoutCancel(c.ctx)), q.take(c, q.cfg.MaxGroup))
		return nil
	})
	if !connected {
		if c.ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(c.ctx), err)
		}
		q.fail(c, err)
	}
}

// pinned is a connection that GORM's plugins leave alone as they do a
// transaction's: gorm.io/plugin/dbresolver would take another one out of the
// pool, and wait for it while this one is held.
type pinned struct{ gorm.ConnPool }

func (pinned) Commit() error   { return nil }
func (pinned) Rollback() error { return nil }

// writeAtOnce has calls written, and answered; where that cannot be, also for a
// panic, they run again in a transaction.
func (q *Queue) writeAtOnce(leader *call, db *gorm.DB, calls []*call) {
	for _, c := range calls {
		c.runs++
		c.once = false
	}
	live, began := liveOf(calls), time.Now()
	done, err := len(live) == 0, error(nil)
	mayEnd := len(live) == 1 && live[0].ctx.Done() != nil // the others have left
	leader.gone = true
	defer func() {
		if recover() != nil { // it will do so again, in the goroutine of whose it is
			leader.gone = false
		}
		if !done && err == nil {
			q.putBack(calls, false)
			q.leave()
			return
		}
		q.writtenAtOnce(calls, began, err)
	}()
	if !done && !mayEnd {
		done, err = live[0].shared.once(db, live)
	}
	leader.gone = false
}

// writtenAtOnce answers calls that were written, or not for err.
func (q *Queue) writtenAtOnce(calls []*call, began time.Time, err error) {
	if err == nil {
		q.figures.committed(calls, began)
		q.shared.Store(len(calls) > 1)
	}
	for _, c := range calls {
		if c.err == nil {
			c.err = err
		}
		c.answer(c.err)
	}
	q.leave() // after the answers, so that those who come back are in the next group
}
