package hooks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mattn/go-sqlite3"
)

// BusyError says that a write gave up waiting for the write lock. Nothing of
// it was done; it may be tried again.
type BusyError struct {
	Waited time.Duration // how long it waited
	Holder string        // who held the lock
	Err    error         // what SQLite said, or nil if it was not asked
}

func (e *BusyError) Error() string {
	text := fmt.Sprintf("gave up after waiting %v for the write lock, held by %s; "+
		"make its transactions shorter, or raise hooks.Config.BusyTimeout", e.Waited.Round(time.Millisecond), e.Holder)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *BusyError) Unwrap() error { return e.Err }

// isBusy reports whether another connection's lock stopped a statement.
func isBusy(err error) bool {
	_, busy := busyCode(err)
	return busy
}

// busyCode returns the extended code of an answer of that kind: 5 (BUSY), 261
// (BUSY_RECOVERY), 517 (BUSY_SNAPSHOT), 773 (BUSY_TIMEOUT).
func busyCode(err error) (code int, busy bool) {
	var se sqlite3.Error
	busy = errors.As(err, &se) && se.Code == sqlite3.ErrBusy
	return int(se.ExtendedCode), busy
}

// runAgainStates are PostgreSQL's codes for a transaction that lost against
// another one: serialization_failure and deadlock_detected.
var runAgainStates = map[string]bool{"40001": true, "40P01": true}

// Lost reports whether a transaction that ended with err lost against another
// one, so that it may succeed when all of it is run again. A *BusyError has
// waited already.
func Lost(err error) bool {
	var waited *BusyError
	if errors.As(err, &waited) {
		return false
	}
	var pg interface{ SQLState() string }
	if errors.As(err, &pg) {
		return runAgainStates[pg.SQLState()]
	}
	var se sqlite3.Error
	return errors.As(err, &se) && (se.Code == sqlite3.ErrBusy || se.Code == sqlite3.ErrLocked)
}

// backoff returns the pause before the n-th new try (n from 1): up to 1, 2,
// 4 … ms, never above most, half of it by chance, so that those who collided
// do not collide again.
func backoff(n int, most time.Duration) time.Duration {
	pause := min(time.Millisecond<<min(n-1, 20), most)
	return pause/2 + rand.N(pause/2+1)
}

// pause waits for d or until ctx ends, and then says why.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the write lock of another process: %w", ctx.Err())
	}
}

// pollMost bounds the pause between two looks at another process's lock, and
// so how late a deadline is noticed.
const pollMost = 5 * time.Millisecond

// waitWhileBusy calls try until it is not stopped by another connection's
// lock any more, ctx ends, or timeout is over. SQLite's own wait knows of no
// context (T4).
func waitWhileBusy(ctx context.Context, timeout time.Duration, try func() error) error {
	err := try()
	if !isBusy(err) {
		return err
	}
	start := time.Now()
	for n := 1; isBusy(err); n++ {
		if waited := time.Since(start); waited >= timeout {
			return &BusyError{Waited: waited, Holder: "another connection or process", Err: err}
		}
		if err := pause(ctx, backoff(n, pollMost)); err != nil {
			return err
		}
		err = try()
	}
	return err
}
