package writequeue

import (
	"container/list"
	"context"
	"errors"
	"time"

	"gorm.io/gorm"
)

// call is one call of Do.
type call struct {
	ctx    context.Context
	fn     func(tx *gorm.DB) error
	shared *shared // what runs it together with others, or nil
	job    any     // its data, for shared
	split  bool    // it could not be run together with others
	turn   chan turn
	came   time.Time
	place  *list.Element // among those who wait; nil: no longer there
	leads  bool          // it is about to begin a group

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
	runAlone             // run in a transaction of your own
	answered             // return
)

// errGone is how a call ended whose function panicked.
var errGone = errors.New("the function did not return")

func newCall(ctx context.Context) *call {
	return &call{ctx: ctx, turn: make(chan turn, 1), came: time.Now()}
}

// answer lets the call return, unless it has panicked.
func (c *call) answer(err error) {
	if !c.gone {
		c.turn <- turn{what: answered, err: err}
	}
}

// patient reports whether the call has said how long it waits.
func (c *call) patient() bool {
	_, ok := c.ctx.Deadline()
	return ok
}
