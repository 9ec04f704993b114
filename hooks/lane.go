package hooks

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// lane lets one writer through at a time, in the order of arrival, and knows
// who is in it. It is safe for concurrent use.
type lane struct {
	turn   *semaphore.Weighted // first in, first out
	cfg    *Config
	inside atomic.Pointer[origin] // of who is in it
}

func newLane(cfg *Config) *lane {
	return &lane{turn: semaphore.NewWeighted(1), cfg: cfg}
}

// SelfWaitError says that a goroutine waited for the writer while a
// transaction that it began itself held it: the outer db was used inside the
// transaction's function (T8). Nothing was written.
type SelfWaitError struct {
	Site string // where the transaction was begun
}

func (e *SelfWaitError) Error() string {
	return fmt.Sprintf("waits for itself: this goroutine's own transaction, begun at %s, holds the writer; "+
		"inside a transaction's function use its tx, not the outer db", e.Site)
}

// selfWait is how long a goroutine waits for itself: its transaction may have
// been handed to another one that ends it.
const selfWait = 500 * time.Millisecond

// enter waits for the lane and returns the ticket that gives it free again.
func (l *lane) enter(ctx context.Context) (*ticket, error) {
	var waited time.Duration
	if !l.turn.TryAcquire(1) {
		start := time.Now()
		err := l.wait(ctx, start)
		if waited = time.Since(start); err != nil {
			l.cfg.tell(Event{Kind: LockWaited, Duration: waited, Err: err})
			return nil, err
		}
	}
	l.cfg.tell(Event{Kind: LockWaited, Duration: waited})
	from := here()
	l.inside.Store(&from)
	return &ticket{lane: l, since: from.at}, nil
}

// The causes for which a wait ends before its context does.
var (
	errSelfWait = errors.New("waits for itself")
	errTimeout  = errors.New("busy timeout")
)

func (l *lane) wait(ctx context.Context, start time.Time) error {
	bounded, cancel := l.bound(ctx)
	defer cancel()
	if l.turn.Acquire(bounded, 1) == nil {
		return nil
	}
	holder := l.holder()
	switch cause := context.Cause(bounded); {
	case errors.Is(cause, errSelfWait):
		return &SelfWaitError{Site: holder.Site}
	case errors.Is(cause, errTimeout):
		return &BusyError{Waited: time.Since(start), Holder: holder.String()}
	}
	return fmt.Errorf("wait for the writer, held by %s: %w", holder, ctx.Err())
}

// bound gives a wait the end that its context may not have.
func (l *lane) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if l.isMine() {
		return context.WithTimeoutCause(ctx, selfWait, errSelfWait)
	}
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, l.cfg.BusyTimeout, errTimeout)
}

// isMine reports whether the present goroutine is in the lane.
func (l *lane) isMine() bool {
	o := l.inside.Load()
	return o != nil && o.isHere()
}

// holder returns who is in the lane.
func (l *lane) holder() Holder {
	o := l.inside.Load()
	if o == nil {
		return Holder{}
	}
	return Holder{Site: o.site(), Since: o.at}
}

// Holder is who has the writer.
type Holder struct {
	Site  string    // file:line of the application's that began; "": nobody
	Since time.Time // when
}

// String says it in words.
func (h Holder) String() string {
	if h.Site == "" {
		return "nobody any more"
	}
	return fmt.Sprintf("a transaction of this process begun at %s %v ago", h.Site, time.Since(h.Since).Round(time.Millisecond))
}

// ticket is the right to write. leave may be called more than once.
type ticket struct {
	lane  *lane
	since time.Time
	left  atomic.Bool
}

func (t *ticket) leave() {
	if t != nil && t.left.CompareAndSwap(false, true) {
		t.lane.cfg.tell(Event{Kind: LockHeld, Duration: time.Since(t.since)})
		t.lane.inside.Store(nil)
		t.lane.turn.Release(1)
	}
}

type ticketKey struct{}

// carry hands the ticket to the driver, which leaves the lane when the
// transaction or the rows that ctx begins have ended.
func (t *ticket) carry(ctx context.Context) context.Context {
	return context.WithValue(ctx, ticketKey{}, t)
}

// carried returns the ticket that ctx carries, or nil.
func carried(ctx context.Context) *ticket {
	t, _ := ctx.Value(ticketKey{}).(*ticket)
	return t
}
