package hooks

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// ErrNoPlugin means that the *gorm.DB does not have the hooks plugin in use.
var ErrNoPlugin = errors.New("the hooks plugin is not in use: call db.Use(hooks.New(hooks.Config{}))")

// RefuseWrites makes every write through GORM that has not begun yet fail with
// the error because, which should be a typed one that says what to do; nil ends
// it. Reads, transactions that have begun, and WithWriter go on. It is how
// maintenance.Guard stops writers before the log has taken all of the disk.
func RefuseWrites(db *gorm.DB, because error) error {
	p, ok := db.Plugins[Name].(*Plugin)
	if !ok || p.pool == nil {
		return ErrNoPlugin
	}
	if because == nil {
		p.pool.refused.Store(nil)
	} else {
		p.pool.refused.Store(&because)
	}
	return nil
}

// enter waits for the lane, where writes are not refused.
func (p *pool) enter(ctx context.Context) (*ticket, error) {
	if because := p.refused.Load(); because != nil {
		return nil, *because
	}
	return p.lane.enter(ctx)
}
