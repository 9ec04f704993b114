package writequeue

import (
	"context"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/hooks"
)

// begin begins a transaction. It waits for the writer as long as c's context
// goes on, and at most until the database's busy timeout; but what it begins is
// everybody's and goes on when that context has ended.
func begin(q *Queue, c *call) (*group, error) {
	ctx := c.ctx
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, end)
	tx := q.db.WithContext(lasting).Begin()
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
	g := &group{queue: q, leader: c, tx: tx, end: end, began: time.Now()}
	_ = hooks.AfterCommit(tx, g.committed) // without the plugin, commit calls it
	return g, nil
}
