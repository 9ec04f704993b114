package writequeue

import (
	"context"
	"errors"
	"strings"
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
	bare   bool // what failed had no savepoint; the calls run again, with them

	began  time.Time // when its COMMIT did
	stored bool      // its COMMIT is done
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

// pass hands the group to the next call, and ends it after the last.
func (g *group) pass() {
	switch {
	case g.dead, g.bare:
		g.undo()
	case g.find():
		g.calls[g.next].turn <- turn{what: run, group: g}
	case g.lone && g.calls[0].err != nil:
		g.undo()
	default:
		g.commit()
	}
}

// find goes on to the next call that is to run, and reports whether there is one.
func (g *group) find() bool {
	for {
		for ; g.next < len(g.calls); g.next++ {
			if g.calls[g.next].begin() {
				return true
			}
		}
		if g.queue.cfg.Lanes > 1 || !g.more() {
			return false
		}
	}
}

// run runs the call whose turn it is, or all those from it on that run
// together, and passes the group on, whatever happens.
func (g *group) run(c *call) {
	defer g.pass()
	defer g.look(c)
	hooks.TakeOver(g.tx)
	c.err, c.gone = errGone, true
	c.runs++
	if calls := g.alike(); len(calls) > 1 {
		if err := g.together(calls); err != nil {
			c.err = err
		} else {
			g.next += len(calls)
		}
	} else {
		g.next++
		c.err = g.inside(c.ctx, c.runIn)
	}
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

// look finds out what a call that failed has left of the transaction.
func (g *group) look(c *call) {
	if c.gone {
		disown(g.tx)
	}
	if c.err == nil || g.lone {
		return
	}
	alive := g.tx.Session(&gorm.Session{NewDB: true}).Exec("SELECT 1").Error
	g.dead = hooks.Lost(c.err) || alive != nil
}

// disown names a goroutine that has ended as the one that holds the writer,
// instead of this one, whose panic unwinds while others go on with tx.
func disown(tx *gorm.DB) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		hooks.TakeOver(tx)
	}()
	<-done
}

// commit commits for all and answers them, even if one of the functions that
// run after the commit panics.
func (g *group) commit() {
	var err error
	defer func() { g.answer(err) }()
	g.began = time.Now()
	if err = g.tx.Commit().Error; err == nil {
		g.committed()
	}
}

// committed lets the next group begin. It is the first of the functions that
// run after the commit, so that the others may use the queue.
func (g *group) committed() {
	if g.stored {
		return
	}
	g.stored = true
	g.queue.figures.committed(g.calls, g.began)
	g.queue.shared.Store(len(g.calls) > 1)
	g.queue.leave()
}

// answer answers all calls after a COMMIT that ended with err.
func (g *group) answer(err error) {
	if err != nil && (g.lone || !isCertain(g.tx, err)) {
		for _, c := range g.calls {
			c.err = errors.Join(c.err, err)
		}
	}
	if err != nil && isCertain(g.tx, err) {
		g.again()
		return
	}
	g.end()
	for _, c := range g.calls {
		c.answer(c.err)
	}
	if !g.stored {
		g.queue.leave()
	}
}

// isCertain reports whether a COMMIT that failed has stored nothing for
// certain: on SQLite always, on a server where the answer is its own and not
// that of a broken connection. A pooler between has a code for that, too:
// PgBouncer says 08P01 where the server's end of it broke.
func isCertain(tx *gorm.DB, err error) bool {
	var server interface{ SQLState() string }
	switch {
	case tx.Name() == "sqlite":
		return true
	case !errors.As(err, &server):
		return false
	}
	state := server.SQLState()
	return !strings.HasPrefix(state, connectionException) && state != completionUnknown
}

// What is said of a COMMIT whose end nobody knows: codes that begin with the
// first, and the second.
const (
	connectionException = "08"
	completionUnknown   = "40003"
)

// undo rolls back.
func (g *group) undo() {
	g.tx.Rollback()
	g.again()
}

// again has the calls run again, each in a transaction of its own where theirs
// died, for nothing of the group is stored. Only the answer of a call that was
// alone already is final, and of those that ran before a function that
// committed by itself.
func (g *group) again() {
	g.end()
	var rest []*call
	for i, c := range g.calls {
		switch {
		case g.stored && i < g.next, g.lone && !c.mayRunAgain():
			c.answer(c.err)
		default:
			rest = append(rest, c)
		}
	}
	g.queue.putBack(rest, g.dead || !g.bare)
	if !g.stored {
		g.queue.leave()
	}
}
