package hooks

import (
	"maps"
	"regexp"
	"sync"
)

// plansKept bounds the texts that a guard remembers.
const plansKept = 4096

// planRecord is what a guard remembers of the statements it has seen. It is
// safe for concurrent use; its lock is never held while SQLite is asked.
type planRecord struct {
	mu     sync.Mutex
	seen   map[string]*planEntry // by text; lists of values of any length are one
	used   []bool                // of PlanGuardConfig.Allow
	closed bool

	reporting sync.Mutex // one failure at a time
}

// planEntry is what is known of one text.
type planEntry struct {
	query string
	busy  bool     // somebody is looking at it
	small []string // the tables that are to be counted again
	err   error    // why there was no plan; it is asked for again
	done  bool
}

var planLists = regexp.MustCompile(`\?(?:\s*,\s*\?)+`)

// claim returns the entry of query if the caller is to look at it, and nil if
// that is done or being done.
func (r *planRecord) claim(query string) *planEntry {
	key := planLists.ReplaceAllLiteralString(query, "?,?")
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := r.seen[key]
	if entry == nil {
		r.makeRoom()
		entry = &planEntry{query: query}
		r.seen[key] = entry
	}
	if r.closed || entry.busy || entry.done {
		return nil
	}
	entry.busy = true
	return entry
}

// makeRoom forgets the texts that are done with when there are too many. What
// has been reported may then be reported again.
func (r *planRecord) makeRoom() {
	if r.seen == nil {
		r.seen = map[string]*planEntry{}
	}
	if len(r.seen) >= plansKept {
		maps.DeleteFunc(r.seen, func(_ string, e *planEntry) bool { return !e.busy })
	}
}

// settle gives a claimed entry back. Without a plan it is open again; err is
// kept if it is to be reported.
func (r *planRecord) settle(entry *planEntry, small []string, err error, keep bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry.busy = false
	entry.small = small
	entry.err = nil
	if keep {
		entry.err = err
	}
	entry.done = err == nil && len(small) == 0
}

// use notes that exceptions were needed.
func (r *planRecord) use(exceptions []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range exceptions {
		r.used[i] = true
	}
}

// unused returns the numbers of the exceptions that were not needed.
func (r *planRecord) unused() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []int
	for i, used := range r.used {
		if !used {
			list = append(list, i)
		}
	}
	return list
}

// unexplained returns the texts without a plan, and why.
func (r *planRecord) unexplained() map[string]error {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := map[string]error{}
	for _, entry := range r.seen {
		if entry.err != nil {
			list[entry.query] = entry.err
		}
	}
	return list
}

// whileOpen runs report, unless the record is closed.
func (r *planRecord) whileOpen(report func()) {
	r.reporting.Lock()
	defer r.reporting.Unlock()
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if !closed {
		report()
	}
}

// close ends the record.
func (r *planRecord) close() {
	r.reporting.Lock() // a testing.T may not be told anything after its end
	defer r.reporting.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
}
