package writequeue

import (
	"container/list"
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// call is one call of Do.
type call struct {
	ctx    context.Context
	fn     func(tx *gorm.DB) error
	shared *shared // what runs it together with others, or nil
	job    any     // its data, for shared
	split  bool    // it could not be run together with others
	once   bool    // it is to be tried without a transaction
	turn   chan turn
	came   time.Time
	place  *list.Element // among those who wait; nil: no longer there
	leads  bool          // it is about to begin a group
	alone  bool          // the group in which it was is undone: it shares no other
	runs   int           // how often it was begun
	stage  atomic.Int32  // of a group: until it is begun, the call may leave

	err  error // how it ended
	gone bool  // its function did not come back
}

// turn is what a waiting call is told.
type turn struct {
	what  step
	group *group
	err   error // of answered
}

type step int

const (
	lead     step = iota // begin a group
	run                  // run in the group's transaction
	answered             // return
)

// errGone is how a call ended whose function panicked.
var errGone = errors.New("the function did not return")

func newCall(ctx context.Context) *call {
	return &call{ctx: ctx, turn: make(chan turn, 1), came: time.Now()}
}

// The stages of a call.
const (
	waits int32 = iota
	begun
	left // without an answer
)

// begin reports whether the call is to run: it has not left, nor gone.
func (c *call) begin() bool { return !c.gone && c.stage.CompareAndSwap(waits, begun) }

// answer lets the call return; where it has panicked or left, nobody hears.
func (c *call) answer(err error) { c.turn <- turn{what: answered, err: err} }

// attempts is how often, at most, a call is run.
const attempts = 10

// mayRunAgain reports whether a call that was alone lost against another
// transaction and may win the next time, and pauses until then.
func (c *call) mayRunAgain() bool {
	if c.runs >= attempts || !hooks.Lost(c.err) {
		return false
	}
	select {
	case <-time.After(rand.N(time.Millisecond << c.runs)):
	case <-c.ctx.Done():
	}
	return true
}

// waitsOn reports whether the call has a deadline that has not passed: then it
// does not end when the database's own patience does.
func (c *call) waitsOn() bool { return c.hasDeadline() && c.ctx.Err() == nil }

func (c *call) hasDeadline() bool {
	_, ok := c.ctx.Deadline()
	return ok
}
