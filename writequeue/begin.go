package writequeue

import (
	"context"
	"fmt"
	"time"
)

// begin begins a transaction. It waits for the writer under c's context, but
// what it begins is everybody's and goes on when that has ended.
func begin(q *Queue, c *call) (*group, error) {
	ctx := c.ctx
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	tx := q.db.WithContext(waiting{lasting, ctx}).Begin()
	if err := tx.Error; err != nil {
		stop()
		end()
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, err
	}
	if !stop() { // ctx ended at the last moment, and the transaction with it
		tx.Rollback()
		return nil, context.Cause(ctx)
	}
	return &group{queue: q, leader: c, tx: tx, end: end}, nil
}

// waiting is a context that ends as its own says, and tells the deadline of
// another one: package hooks waits for the writer until there.
type waiting struct {
	context.Context
	of context.Context
}

func (w waiting) Deadline() (time.Time, bool) { return w.of.Deadline() }
