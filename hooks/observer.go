package hooks

import (
	"runtime/debug"
	"time"
)

// Observer is told what happens on the way to the database, in the goroutine
// in which it happens: it must be quick, safe for concurrent use, and must not
// use the database. Metrics is one that adds up.
type Observer interface {
	Observe(Event)
}

// EventKind says what an Event is about.
type EventKind int

const (
	// LockWaited: a write got the writer, or gave up. Duration is its wait,
	// Err why it gave up.
	LockWaited EventKind = iota + 1
	// LockHeld: a write gave the writer free. Duration is how long it had it.
	LockHeld
	// Busy: another connection's lock was met. Code is SQLite's extended code.
	Busy
	// RanAgain: a transaction that lost is about to be run again. Err is why.
	RanAgain
	// Checkpointed: pages of the log were moved into the database, behind the
	// writers. Pages is how many of the log are there now, Duration how long it
	// took.
	Checkpointed
	// StatementRan: GORM ran a statement. Operation, Table, Duration and Err
	// are its own; SQL and Plan are given where it was slow.
	StatementRan
)

// Event is one thing that happened.
type Event struct {
	Kind      EventKind
	Duration  time.Duration
	Code      int    // of Busy
	Pages     int    // of Checkpointed
	Operation string // of StatementRan: create, query, update, delete, row or raw
	Table     string // of StatementRan; "": GORM does not know it
	SQL       string // of a slow statement, without its values
	Plan      []string
	Err       error
}

// tell hands an event to the observer, if there is one. A panic of its ends
// here and is logged: it is called by those who hold the writer, which nobody
// would get any more, and in goroutines that nobody else can recover.
func (c *Config) tell(e Event) {
	if c.Observer == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			c.Logger.Error("hooks.Config.Observer panicked: it has missed an event, mend it", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.Observer.Observe(e)
}
