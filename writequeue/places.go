package writequeue

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/semaphore"
)

// places bounds how many calls there are, in all and of each key. It is safe
// for concurrent use.
type places struct {
	wait   bool
	perKey int64
	all    *semaphore.Weighted

	mu   sync.Mutex
	keys map[any]*keyPlaces
}

// keyPlaces are the places of a key. They are forgotten with its last call.
type keyPlaces struct {
	*semaphore.Weighted
	calls int // that have a place or wait for one
}

func newPlaces(cfg Config) *places {
	return &places{
		wait: cfg.Wait, perKey: int64(cfg.MaxPerKey),
		all: semaphore.NewWeighted(int64(cfg.MaxWaiting)), keys: map[any]*keyPlaces{},
	}
}

// take takes a place under ctx. Where it returns nil, leave gives it back.
func (p *places) take(ctx context.Context, key any) error {
	if key != nil {
		if err := p.acquire(ctx, p.enter(key).Weighted); err != nil {
			p.exit(key)
			return err
		}
	}
	err := p.acquire(ctx, p.all)
	if err != nil && key != nil {
		p.exit(key).Release(1)
	}
	return err
}

func (p *places) leave(key any) {
	p.all.Release(1)
	if key != nil {
		p.exit(key).Release(1)
	}
}

func (p *places) acquire(ctx context.Context, of *semaphore.Weighted) error {
	switch {
	case of.TryAcquire(1):
		return nil
	case !p.wait:
		return ErrOverloaded
	case of.Acquire(ctx, 1) != nil:
		return fmt.Errorf("wait for a place in the write queue: %w", context.Cause(ctx))
	}
	return nil
}

// enter returns the places of key.
func (p *places) enter(key any) *keyPlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	k, ok := p.keys[key]
	if !ok {
		k = &keyPlaces{Weighted: semaphore.NewWeighted(p.perKey)}
		p.keys[key] = k
	}
	k.calls++
	return k
}

func (p *places) exit(key any) *keyPlaces {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keys[key]
	if k.calls--; k.calls == 0 {
		delete(p.keys, key)
	}
	return k
}
