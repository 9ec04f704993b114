package writequeue

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// group is a transaction on its way through the calls that share it. One
// goroutine at a time has it.
type group struct {
	queue  *Queue
	leader *call // who began it
	tx     *gorm.DB
	end    context.CancelFunc // of the transaction's context
	calls  []*call
	next   int  // the call whose turn it is
	lone   bool // one call, which has the transaction for itself
	dead   bool // the transaction is; the calls run again one by one
}

// more takes those who have come in meanwhile into the group, and reports
// whether there were any. A call that was alone at first stays so: it starts
// and commits at once.
func (g *group) more() bool {
	if g.lone {
		return false
	}
	g.queue.letCome()
	came := g.queue.take(g.leader, g.queue.cfg.MaxGroup-len(g.calls))
	g.calls = append(g.calls, came...)
	g.lone = len(g.calls) == 1
	return len(came) > 0
}

// pass hands the group to the next call, and ends it behind the last.
func (g *group) pass() {
	switch {
	case g.dead:
		g.tx.Rollback()
		g.again()
	case g.next < len(g.calls) || g.more():
		g.calls[g.next].turn <- turn{what: run, group: g}
	default:
		g.commit()
	}
}

// run runs the call whose turn it is, or all those from it on that run
// together, and passes the group on, whatever happens.
func (g *group) run(c *call) {
	defer g.pass()
	hooks.TakeOver(g.tx)
	if c.shared != nil && !c.split {
		g.runShared(c.shared)
		return
	}
	g.next++
	c.err, c.gone = errGone, true
	defer g.look(c)
	c.err = g.inside(c.ctx, c.runIn)
	c.gone = false
}

// inside runs fn in the group's transaction: in a savepoint, unless there is
// nobody to be kept from harm.
func (g *group) inside(ctx context.Context, fn func(tx *gorm.DB) error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case g.lone:
		return fn(g.tx.WithContext(ctx))
	}
	return hooks.Transaction(ctx, g.tx, fn)
}

// look finds out whether the transaction has outlived a call that failed.
func (g *group) look(c *call) {
	if c.err == nil || g.lone {
		return
	}
	alive := g.tx.Session(&gorm.Session{NewDB: true}).Exec("SELECT 1").Error
	g.dead = hooks.Lost(c.err) || alive != nil
}

// commit commits for all and answers them.
func (g *group) commit() {
	began := time.Now()
	if err := g.finish(); err != nil {
		g.again()
		return
	}
	g.end()
	g.queue.figures.committed(g.calls, began)
	g.queue.shared.Store(len(g.calls) > 1)
	for _, c := range g.calls {
		c.answer(c.err)
	}
	g.leave()
}

// finish commits, or undoes what a call for itself has left. It returns an
// error where the calls are to run again.
func (g *group) finish() error {
	if failed := g.calls[0].err; g.lone && failed != nil {
		g.tx.Rollback()
		if hooks.Lost(failed) {
			return failed
		}
		return nil
	}
	err := g.tx.Commit().Error
	if err != nil && !isCertain(g.tx, err) {
		for _, c := range g.calls {
			c.err = errors.Join(c.err, err)
		}
		return nil
	}
	return err
}

// isCertain reports whether a COMMIT that failed has stored nothing for
// certain: on SQLite always, on a server where the answer is its own and not
// that of a broken connection.
func isCertain(tx *gorm.DB, err error) bool {
	var state interface{ SQLState() string }
	return tx.Name() == "sqlite" || errors.As(err, &state)
}

// again begins to run the calls one by one, each in a transaction of its own,
// for nothing of the group is stored.
func (g *group) again() {
	g.end()
	g.next = 0
	g.passAlone()
}

func (g *group) passAlone() {
	for g.next < len(g.calls) {
		c := g.calls[g.next]
		if !c.gone {
			c.turn <- turn{what: runAlone, group: g}
			return
		}
		g.next++
	}
	g.leave()
}

// runAlone runs c in a transaction of its own and lets the next one do so.
func (g *group) runAlone(c *call) {
	g.next++
	defer g.passAlone()
	c.gone = true
	err := context.Cause(c.ctx)
	if err == nil {
		err = hooks.Transaction(c.ctx, g.queue.db, c.runIn)
	}
	c.gone = false
	c.answer(err)
}

// leave lets the next group begin.
func (g *group) leave() {
	g.queue.mu.Lock()
	defer g.queue.mu.Unlock()
	g.queue.ended()
}
