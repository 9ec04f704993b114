package writequeue

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// Queue lets many writers share transactions. Make one with New for each
// *gorm.DB. It is safe for concurrent use.
type Queue struct {
	db      *gorm.DB
	cfg     Config
	places  *places
	figures *figures

	mu      sync.Mutex
	waiting list.List // of *call, in the order of arrival
	groups  int       // that are under way, or about to begin
	closed  bool
	shared  atomic.Bool // the last group was
	idle    sync.Cond // groups is 0 again
}

// New returns a queue over db, which must not be a transaction: inside of one,
// what is to be written is written at once. It works over any GORM dialect that
// has savepoints; on SQLite db should have package hooks in use. A negative
// number in cfg is a panic: Config.Validate tells before.
func New(db *gorm.DB, cfg Config) *Queue {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	if hooks.InTransaction(db) {
		panic("writequeue.New: give it the outer *gorm.DB, not a transaction")
	}
	q := &Queue{db: db.Session(&gorm.Session{NewDB: true}), cfg: cfg.withDefaults()}
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
// error; in a statement it interrupts it; once fn has returned, the answer is
// what the commit says. While the writer is held by others, a ctx without a
// deadline waits as long as hooks.Config.BusyTimeout.
//
// It returns ErrOverloaded or ErrClosed where the call was not begun, and a
// *hooks.SelfWaitError inside of another call's function or transaction.
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
	return q.await(c)
}

// enter puts c behind those who wait.
func (q *Queue) enter(c *call) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	c.place = q.waiting.PushBack(c)
	q.figures.came(q.waiting.Len())
	q.leadOn()
	return nil
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
			case runAlone:
				t.group.runAlone(c)
			case answered:
				return t.err
			}
		case <-ended:
			if q.leave(c) {
				return fmt.Errorf("wait for a turn to write: %w", context.Cause(c.ctx))
			}
			ended = nil // it is being written, and the answer will be the true one
		}
	}
}

// leave takes c out of the queue, if it only waits there.
func (q *Queue) leave(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.place == nil || c.leads {
		return false
	}
	q.remove(c)
	return true
}

func (q *Queue) remove(c *call) {
	q.waiting.Remove(c.place)
	c.place = nil
}

// lead begins a transaction and hands it to those who wait, c the first.
func (q *Queue) lead(c *call) {
	g, err := begin(q, c)
	if err != nil {
		q.fail(c, err)
		return
	}
	g.more()
	g.pass()
}

// fail answers c, for whom no transaction could be begun. What was waited for
// as long as the database's own patience goes, those behind c who set no
// deadline have waited for too.
func (q *Queue) fail(c *call, err error) {
	q.mu.Lock()
	failed := []*call{c}
	q.remove(c)
	if busy := (*hooks.BusyError)(nil); errors.As(err, &busy) {
		for e := q.waiting.Front(); e != nil; e = e.Next() {
			if other := e.Value.(*call); !other.patient() && !other.leads {
				failed = append(failed, other)
			}
		}
		for _, other := range failed[1:] {
			q.remove(other)
		}
	}
	q.ended()
	q.mu.Unlock()
	for _, other := range failed {
		other.answer(err)
	}
}

// letCome lets those who were just answered come back before a group is put
// together, where there are any: the more share a commit, the less it costs
// each. Who is alone does not wait for anybody.
func (q *Queue) letCome() {
	if q.shared.Load() {
		runtime.Gosched()
	}
}

// take takes up to most of those who wait out of the queue, for the group that
// leader began.
func (q *Queue) take(leader *call, most int) (calls []*call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(calls) < most && q.waiting.Len() > 0 {
		c := q.waiting.Front().Value.(*call)
		if c.leads && c != leader {
			break // it begins a group of its own
		}
		q.remove(c)
		calls = append(calls, c)
	}
	q.leadOn()
	return calls
}

// ended says that a group has. The caller holds the lock.
func (q *Queue) ended() {
	q.groups--
	q.leadOn()
	if q.groups == 0 {
		q.idle.Broadcast()
	}
}

// Close refuses new calls, waits until those that are in the queue are
// answered, and returns nil. It may be called more than once, but not in a
// call's function.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for q.groups > 0 {
		q.idle.Wait()
	}
	return nil
}
