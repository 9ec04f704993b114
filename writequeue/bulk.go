package writequeue

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// Job is the data of one call of a Bulk, and its answer.
type Job[T, R any] struct {
	In  T
	Out R
	// Err is the call's own answer where it cannot be done. Of such a job
	// nothing may be written.
	Err error
}

// Bulk runs calls of one kind together: what waits at the same time is handed
// to one function, which writes it in few statements. Make one with NewBulk.
// It is safe for concurrent use.
type Bulk[T, R any] struct {
	queue  *Queue
	shared *shared
	may    func(in T) bool // be written at once; or nil
}

// shared is what a Bulk's calls have in common.
type shared struct {
	run  func(tx *gorm.DB, calls []*call) error
	once func(db *gorm.DB, calls []*call) (done bool, err error) // before run, or nil
}

// NewBulk returns a Bulk over q. run gets one job or more, in the order of
// arrival; it sets Out or Err of each. If it returns an error or panics, what
// it wrote is undone and each job is run by itself, in a savepoint or
// transaction of its own, so that run's error then is that job's alone. It may
// run more than once and must change nothing but the database and the jobs.
func NewBulk[T, R any](q *Queue, run func(tx *gorm.DB, jobs []*Job[T, R]) error) *Bulk[T, R] {
	return &Bulk[T, R]{queue: q, shared: &shared{run: func(tx *gorm.DB, calls []*call) error {
		jobs := jobsOf[T, R](calls)
		if err := run(tx, jobs); err != nil {
			return err
		}
		answerJobs(calls, jobs)
		return nil
	}}}
}

// jobsOf returns the jobs of calls, as they came: a run that was undone has
// left nothing.
func jobsOf[T, R any](calls []*call) []*Job[T, R] {
	jobs := make([]*Job[T, R], len(calls))
	for i, c := range calls {
		jobs[i] = c.job.(*Job[T, R])
		*jobs[i] = Job[T, R]{In: jobs[i].In}
	}
	return jobs
}

// answerJobs notes what came of the jobs of calls.
func answerJobs[T, R any](calls []*call, jobs []*Job[T, R]) {
	for i, c := range calls {
		c.err = jobs[i].Err
	}
}

// Do writes in, together with what other calls write, and returns the answer
// after the commit. The rest is as with Queue.Do; the function may run in the
// goroutine of another call, under another context.
func (b *Bulk[T, R]) Do(ctx context.Context, in T) (R, error) {
	job := &Job[T, R]{In: in}
	c := newCall(ctx)
	c.shared, c.job = b.shared, job
	c.once = b.may != nil && b.may(in)
	err := b.queue.do(c)
	return job.Out, err
}

// runIn runs the call by itself in tx.
func (c *call) runIn(tx *gorm.DB) error {
	if c.shared == nil {
		return c.fn(tx)
	}
	if err := c.shared.run(tx, []*call{c}); err != nil {
		return err
	}
	return c.err
}

// alike returns the call whose turn it is and those behind it that run together
// with it.
func (g *group) alike() []*call {
	first := g.calls[g.next]
	if first.shared == nil || first.split {
		return nil
	}
	end := g.next + 1
	for end < len(g.calls) && g.calls[end].shared == first.shared {
		end++
	}
	return g.calls[g.next:end]
}

// together runs calls of one kind in one savepoint. Where that fails, they are
// run one by one, each in its own goroutine. Those who come first do without
// the savepoint, which costs a tenth: where they fail, the transaction is
// undone, and begins again with them one by one.
func (g *group) together(calls []*call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	for _, c := range calls {
		c.split = true
	}
	done := false
	defer func() {
		if !done {
			waitOn(calls)
		}
	}()
	live := liveOf(calls)
	if len(live) > 0 {
		err = g.write(live)
	}
	done = err == nil
	return err
}

// write has calls written together.
func (g *group) write(calls []*call) error {
	write := func(tx *gorm.DB) error { return calls[0].shared.run(tx, calls) }
	if g.next > 0 {
		return hooks.Transaction(g.tx.Statement.Context, g.tx, write)
	}
	g.bare = true
	err := write(g.tx)
	g.bare = err != nil
	return err
}

// liveOf begins calls and returns those whose contexts go on; the others end
// with the cause, or have left.
func liveOf(calls []*call) []*call {
	live := make([]*call, 0, len(calls))
	for _, c := range calls {
		if !c.begin() && c.stage.Load() == left {
			continue
		}
		if c.err = context.Cause(c.ctx); c.err == nil {
			live = append(live, c)
		}
	}
	return live
}

// waitOn has calls wait for their turn again, each by itself.
func waitOn(calls []*call) {
	for _, c := range calls {
		c.stage.CompareAndSwap(begun, waits)
	}
}
