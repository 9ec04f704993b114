package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/writequeue"
)

// Touch notes that a user is active now. It writes nothing: the times are kept
// in memory, one a user, and written together each Config.PresenceInterval, by
// default 30 seconds, and at Close; until then, Get returns the time before.
// What a killed process had in memory is lost. A written time is never moved
// backwards, and a user who does not exist, or no longer does, is ignored.
//
// Inside a transaction it does the same: it does not roll back with it. It
// returns writequeue.ErrOverloaded when the times of 65536 other users wait and
// cannot be written, and writequeue.ErrClosed after Close.
func (s *Users) Touch(ctx context.Context, userID int64) error {
	if s.engine.db == nil {
		return ErrNotInUse
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.engine.presence.touch(userID, s.engine.clock())
}

// FlushPresence writes the times that Touch keeps, a few hundred users a
// transaction. After an error those that are not written are kept. Inside a
// transaction of the caller's, which may roll back, all are kept and written
// once more with the next batch; that changes nothing.
func (s *Users) FlushPresence(ctx context.Context) error {
	if s.engine.db == nil {
		return ErrNotInUse
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return s.engine.presence.flush(ctx, s.engine)
}

const (
	// presenceMost bounds the users whose times are kept. At half of it they
	// are written early.
	presenceMost = 1 << 16
	// presenceBatch is how many users one transaction writes: other writers
	// get their turn in between.
	presenceBatch = 500
)

// presence is when users were last active, as far as it is not written.
type presence struct {
	engine *engine // outside of transactions

	mu      sync.Mutex
	times   map[int64]time.Time // by user
	running bool
	closed  bool
	early   chan struct{} // there is much to write
	stop    chan struct{}
	stopped chan struct{}
	close   func() error // writes for the last time, once
}

func newPresence(e *engine) *presence {
	p := &presence{
		engine: e, times: map[int64]time.Time{},
		early: make(chan struct{}, 1), stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	p.close = sync.OnceValue(p.end)
	return p
}

// activity is when a user was active.
type activity struct {
	user int64
	at   time.Time
}

func (p *presence) touch(userID int64, at time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.times[userID]
	switch {
	case p.closed:
		return fmt.Errorf("touch user %d: %w", userID, writequeue.ErrClosed)
	case !known && len(p.times) == presenceMost:
		return fmt.Errorf("touch user %d: %w", userID, writequeue.ErrOverloaded)
	case known && !at.After(before):
		return nil
	}
	p.times[userID] = at
	p.writeBehind()
	return nil
}

// writeBehind lets a goroutine write from time to time, and soon where there
// is much.
func (p *presence) writeBehind() {
	if p.engine.cfg.PresenceInterval < 0 {
		return
	}
	if !p.running {
		p.running = true
		go p.run(p.engine.cfg.PresenceInterval)
	}
	if len(p.times) >= presenceMost/2 {
		select {
		case p.early <- struct{}{}:
		default: // it knows
		}
	}
}

// run writes until it is stopped. What cannot be written is tried again with
// what comes until the next time.
func (p *presence) run(interval time.Duration) {
	defer close(p.stopped)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	ctx := context.Background()
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		case <-p.early:
		}
		if err := p.flush(ctx, p.engine); err != nil {
			p.engine.db.Logger.Warn(ctx, "storage: last-active times wait for the next batch: %v", err)
		}
	}
}

// end stops the goroutine and writes what is left, bypassing the queue, which
// may be full.
func (p *presence) end() error {
	p.mu.Lock()
	p.closed = true
	running := p.running
	p.mu.Unlock()
	if running {
		close(p.stop)
		<-p.stopped
	}
	if err := p.flush(context.Background(), p.engine.in(p.engine.db)); err != nil {
		return fmt.Errorf("write last-active times: %w", err)
	}
	return nil
}

// flush writes all times through e. It may run more than once at a time: a
// time that is written twice is the same.
func (p *presence) flush(ctx context.Context, e *engine) error {
	for part := range slices.Chunk(p.list(), presenceBatch) {
		err := e.write(ctx, func(u *unit) error { return u.savePresence(part) })
		if err != nil {
			return err
		}
		if !hooks.InTransaction(e.db) {
			p.written(part)
		}
	}
	return nil
}

// list returns what is to be written, by user.
func (p *presence) list() []activity {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]activity, 0, len(p.times))
	for user, at := range p.times {
		list = append(list, activity{user, at})
	}
	slices.SortFunc(list, func(a, b activity) int { return cmp.Compare(a.user, b.user) })
	return list
}

// written forgets times that were written, and keeps those that have become
// later since.
func (p *presence) written(part []activity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range part {
		if p.times[a.user].Equal(a.at) {
			delete(p.times, a.user)
		}
	}
}

// savePresence writes the times of those who exist where they are later.
func (u *unit) savePresence(part []activity) error {
	times := make(map[int64]time.Time, len(part))
	ids := make([]int64, len(part))
	for i, a := range part {
		times[a.user], ids[i] = a.at, a.user
	}
	users, err := u.lockUsers(ids)
	if err != nil {
		return err
	}
	users = slices.DeleteFunc(users, func(user models.User) bool { return !times[user.ID].After(user.LastActiveAt) })
	if len(users) == 0 {
		return nil
	}
	for i := range users {
		users[i].LastActiveAt = times[users[i].ID]
	}
	return u.saveUsers(users, "last_active_at")
}
