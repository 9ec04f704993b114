package writequeue

import (
	"context"
	"errors"
	"fmt"
)

// Errors of calls that were not begun.
var (
	// ErrOverloaded means that as many calls wait as Config.MaxWaiting or
	// Config.MaxPerKey allow: try again later, or tell the client to.
	ErrOverloaded = errors.New("too many writes wait: try again later, or shed load")
	// ErrClosed means that the queue no longer takes calls.
	ErrClosed = errors.New("the write queue is closed")
)

// Config is what New takes. The zero Config is a good one.
type Config struct {
	// MaxWaiting bounds the calls that are in the queue, those being committed
	// among them. By default, 4096.
	MaxWaiting int

	// MaxPerKey bounds those of one key (see WithKey), so that one user who
	// never stops sending does not take all places. By default, an eighth of
	// MaxWaiting.
	MaxPerKey int

	// Wait makes a call beyond these bounds wait for a place, under its
	// context. By default, it is refused at once with ErrOverloaded.
	Wait bool

	// MaxGroup bounds the calls that share a transaction. By default, 512.
	MaxGroup int

	// Lanes is how many groups are under way at once: 1 for SQLite, where a
	// second one would wait for the first; a few for a server. With more than
	// one, calls no longer commit in the order of their arrival; and, so that no
	// two groups wait for each other's rows, a group is either one call of
	// Queue.Do or calls of one Bulk, whose function can lock in one order all
	// that it needs. By default, 1.
	Lanes int
}

func (c Config) withDefaults() Config {
	c.MaxWaiting = orDefault(c.MaxWaiting, 4096)
	c.MaxPerKey = orDefault(c.MaxPerKey, max(1, c.MaxWaiting/8))
	c.MaxGroup = orDefault(c.MaxGroup, 512)
	c.Lanes = orDefault(c.Lanes, 1)
	return c
}

func orDefault(value, otherwise int) int {
	if value == 0 {
		return otherwise
	}
	return value
}

// Validate returns what is wrong with the Config, or nil.
func (c Config) Validate() error {
	var errs []error
	for _, f := range []struct {
		name  string
		value int
	}{{"MaxWaiting", c.MaxWaiting}, {"MaxPerKey", c.MaxPerKey}, {"MaxGroup", c.MaxGroup}, {"Lanes", c.Lanes}} {
		if f.value < 0 {
			errs = append(errs, fmt.Errorf("writequeue.Config.%s is %d: give a positive number, or 0 for the default", f.name, f.value))
		}
	}
	return errors.Join(errs...)
}

type keyKey struct{}

// WithKey returns a context whose calls count as those of key: a user's id,
// say. Calls without a key are bounded only together with all others.
func WithKey(ctx context.Context, key any) context.Context {
	return context.WithValue(ctx, keyKey{}, key)
}
