package hooks

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// lane lets one writer through at a time, in the order of arrival. It is safe
// for concurrent use.
type lane struct {
	turn    *semaphore.Weighted // first in, first out
	timeout time.Duration       // the wait of a context without a deadline
}

func newLane(timeout time.Duration) *lane {
	return &lane{turn: semaphore.NewWeighted(1), timeout: timeout}
}

// enter waits for the lane and returns the ticket that gives it free again.
func (l *lane) enter(ctx context.Context) (*ticket, error) {
	if l.turn.TryAcquire(1) {
		return &ticket{lane: l}, nil
	}
	start := time.Now()
	wait, cancel := l.bound(ctx)
	defer cancel()
	if err := l.turn.Acquire(wait, 1); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for the writer: %w", ctx.Err())
		}
		return nil, &BusyError{
			Waited: time.Since(start),
			Holder: "another transaction of this process (inside of a transaction's function use its tx, not the outer db)",
		}
	}
	return &ticket{lane: l}, nil
}

// bound gives a context without a deadline the lane's timeout, so that a
// transaction that waits for itself comes to an end.
func (l *lane) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, l.timeout)
}

// ticket is the right to write. leave may be called more than once.
type ticket struct {
	lane *lane
	left atomic.Bool
}

func (t *ticket) leave() {
	if t != nil && t.left.CompareAndSwap(false, true) {
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
