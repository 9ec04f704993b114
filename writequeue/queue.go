package writequeue

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// Queue lets many writers share transactions. Make one with New for each
// *gorm.DB. It is safe for concurrent use.
type Queue struct {
	db      *gorm.DB
	cfg     Config
	plugin  *hooks.Plugin // of db, or nil
	places  *places
	figures *figures

	mu      sync.Mutex
	waiting list.List // of *call, in the order of arrival
	calls   int       // that have come and not yet returned
	groups  int       // that are under way, or about to begin
	closed  bool
	watched bool         // those who wait are looked at, by and by
	idle    sync.Cond    // calls is 0 again
	shared  atomic.Bool  // the last group was
	busy    atomic.Int64 // until then the processors are, in ns since 1970
}

// New returns a queue over db, which must not be a transaction: inside one,
// what is to be written is written at once. It works over any GORM dialect that
// has savepoints; on SQLite db should have package hooks in use. It panics on a
// negative number in cfg: Config.Validate checks for that.
func New(db *gorm.DB, cfg Config) *Queue {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if hooks.InTransaction(db) {
		panic("writequeue.New: give it the outer *gorm.DB, not a transaction")
	}
	q := &Queue{db: db.Session(&gorm.Session{NewDB: true}), cfg: cfg.withDefaults(), plugin: pluginOf(db)}
	q.places, q.figures = newPlaces(q.cfg), newFigures()
	q.idle.L = &q.mu
	return q
}

// Do runs fn in a transaction that it may share with other calls, in a
// savepoint of its own, and returns when that is committed. Calls run in the
// order in which they came. If fn returns an error or panics, what it wrote is
// undone, and Do returns the error or panics.
//
// fn runs in the caller's goroutine. It may run again, in a transaction of its
// own, where the shared one died or lost against another one: it must not
// change anything but the database before Do has returned.
//
// A ctx that ends while the call waits takes it out of the queue, with ctx's
// error; one that ends during a statement interrupts it; once fn has returned,
// the answer is what the commit says. While others hold the writer, a call
// without a deadline waits no longer than hooks.Config.BusyTimeout; one with a
// deadline waits until then.
//
// What fn asks for with hooks.AfterCommit runs in the goroutine of the call
// that commits for all, before Do returns, and may use the queue.
//
// It returns ErrOverloaded or ErrClosed if the call was not begun, and a
// *hooks.SelfWaitError inside another call's function or transaction; in a
// goroutine that such a function waits for, a *hooks.BusyError, unless ctx has a
// deadline and ends first.
func (q *Queue) Do(ctx context.Context, fn func(tx *gorm.DB) error) error {
	c := newCall(ctx)
	c.fn = fn
	return q.do(c)
}

func (q *Queue) do(c *call) error {
	if err := hooks.WaitsForItself(q.db); err != nil {
		return err
	}
	key := c.ctx.Value(keyKey{})
	if err := q.places.take(c.ctx, key); err != nil {
		return err
	}
	defer q.places.leave(key)
	if err := q.enter(c); err != nil {
		return err
	}
	defer q.exit()
	return q.await(c)
}

// enter puts c behind those who wait.
func (q *Queue) enter(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	q.calls++
	c.place = q.waiting.PushBack(c)
	q.figures.came(q.waiting.Len())
	q.watch()
	q.leadOn()
	return nil
}

// exit says that a call returns, or panics.
func (q *Queue) exit() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls--; q.calls == 0 {
		q.idle.Broadcast()
	}
}

// leadOn lets the first who waits begin a group, where there is room for one.
func (q *Queue) leadOn() {
	first := q.waiting.Front()
	if first == nil || q.groups == q.cfg.Lanes {
		return
	}
	if c := first.Value.(*call); !c.leads {
		c.leads = true
		q.groups++
		c.turn <- turn{what: lead}
	}
}

// await does what c is told until it is answered.
func (q *Queue) await(c *call) error {
	ended := c.ctx.Done()
	for {
		select {
		case t := <-c.turn:
			switch t.what {
			case lead:
				q.lead(c)
			case run:
				t.group.run(c)
			case answered:
				return t.err
			}
		case <-ended:
			if q.giveUp(c) {
				return fmt.Errorf("wait for a turn to write: %w", context.Cause(c.ctx))
			}
			ended = nil // it is being written, and the answer will be the true one
		}
	}
}

// giveUp takes c out of the queue, if it only waits there, or out of a group
// that has not begun it.
func (q *Queue) giveUp(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.place == nil {
		return c.stage.CompareAndSwap(waits, left)
	}
	if c.leads {
		return false
	}
	q.remove(c)
	return true
}

func (q *Queue) remove(c *call) {
	q.waiting.Remove(c.place)
	c.place = nil
}

// lead begins a transaction and hands it to those who wait, c the first, unless
// they may be written at once.
func (q *Queue) lead(c *call) {
	if q.beginsAtOnce(c) {
		q.atOnce(c)
		return
	}
	g, err := begin(q, c)
	if err != nil {
		q.fail(c, err)
		return
	}
	g.more()
	g.pass()
}

// fail answers c, for which no transaction could be begun. If it waited until
// the database's own patience ended, the calls after c that have no deadline
// have waited too, and get the same answer; those with a deadline wait on.
func (q *Queue) fail(c *call, err error) {
	busy := (*hooks.BusyError)(nil)
	isBusy := errors.As(err, &busy)
	q.mu.Lock()
	defer q.mu.Unlock()
	c.leads = false
	for e := q.waiting.Front(); e != nil; {
		other := e.Value.(*call)
		e = e.Next()
		concerned := other == c || isBusy && !other.leads
		waitsOn := isBusy && other.waitsOn()
		if concerned && !waitsOn {
			q.remove(other)
			other.answer(err)
		}
	}
	q.ended()
}

// letCome lets those who were just answered come back before a group is put
// together, where there are any: the more share a commit, the less it costs
// each. A call that is alone waits for nobody.
func (q *Queue) letCome() {
	start := time.Now()
	if !q.shared.Load() || start.UnixNano() < q.busy.Load() {
		return
	}
	runtime.Gosched()
	if took := time.Since(start); took > yieldMost {
		q.busy.Store(start.Add(yieldRests * took).UnixNano())
	}
}

// Where others keep the processors busy, a yield may take as long as they like:
// then it costs more than it saves, and is not tried again for a while.
const (
	yieldMost  = time.Millisecond
	yieldRests = 32 // times as long as it took
)

// take takes up to most of those who wait out of the queue, for the group that
// leader began.
func (q *Queue) take(leader *call, most int) (calls []*call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	e := leader.place
	if e == nil {
		e = q.waiting.Front()
	}
	if leader.alone || q.cfg.Lanes > 1 && leader.shared == nil {
		most = 1
	}
	for e != nil && len(calls) < most {
		c := e.Value.(*call)
		e = e.Next()
		switch {
		case c == leader || q.mayJoin(leader, c):
			q.remove(c)
			calls = append(calls, c)
		case q.cfg.Lanes == 1:
			e = nil // it begins a group of its own, and who is behind it comes later
		}
	}
	q.leadOn()
	return calls
}

// mayJoin reports whether c may share leader's transaction. With one lane every
// call may that does not begin one of its own. Where there are several, the
// database locks rows: two groups of calls that lock them in whatever order
// would wait for each other, and so only those share one that run together.
func (q *Queue) mayJoin(leader, c *call) bool {
	switch {
	case c.leads || c.alone:
		return false
	case q.cfg.Lanes == 1:
		return true
	}
	return c.shared != nil && c.shared == leader.shared && !c.split && !leader.split && c.once == leader.once
}

// putBack puts calls of a group that was undone ahead of those who wait, each
// to run in a transaction of its own, or sharing one again. Calls whose time is
// over are answered.
func (q *Queue) putBack(calls []*call, alone bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range slices.Backward(calls) {
		switch err := context.Cause(c.ctx); {
		case c.gone, c.stage.Load() == left:
		case err != nil:
			c.answer(err)
		default:
			c.stage.Store(waits)
			c.leads, c.alone = false, c.alone || alone
			c.place = q.waiting.PushFront(c)
		}
	}
	q.leadOn()
}

// leave lets the next group begin.
func (q *Queue) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended()
}

// ended says that a group has. The caller holds the lock.
func (q *Queue) ended() {
	q.groups--
	q.leadOn()
}

// Close refuses new calls, waits until those that are in the queue have
// returned, and returns nil. It may be called more than once, but not in a
// call's function.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.calls > 0 {
		q.idle.Wait()
	}
	return nil
}
