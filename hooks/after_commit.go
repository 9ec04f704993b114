package hooks

import (
	"errors"
	"sync"

	"gorm.io/gorm"
)

// ErrNoAfterCommit is returned where a transaction was not begun through the
// plugin, so that nobody knows when it commits.
var ErrNoAfterCommit = errors.New("this transaction was not begun through the hooks plugin: its commit cannot be waited for")

// AfterCommit runs fn once the outermost transaction around tx has committed,
// in the goroutine that committed it and after the writer is free again.
// Functions run in the order in which they were asked for. It never runs when
// the transaction, or the nested one inside it in which it was asked for, rolls
// back (T27): a GORM callback after the commit step knows only its own
// statement. Outside a transaction it runs at once.
//
// fn cannot fail the transaction any more; it may use the outer db. A panic of
// one comes out of the commit, when the others have run.
func AfterCommit(tx *gorm.DB, fn func()) error {
	if !InTransaction(tx) {
		fn()
		return nil
	}
	waiting := waitingFor(tx)
	if waiting == nil {
		return ErrNoAfterCommit
	}
	waiting.add(fn)
	return nil
}

// waitingFor returns what waits for the commit of the transaction that tx is
// in, or nil where the plugin did not begin it.
func waitingFor(tx *gorm.DB) *queue {
	if begun := beganThrough(tx); begun != nil {
		return &begun.after
	}
	return nil
}

// queue holds what is to be done after a commit. It is safe for concurrent
// use; a nil one stays empty.
type queue struct {
	mu    sync.Mutex
	tasks []func()
	marks map[string]int // how many tasks there were at a savepoint
}

func (q *queue) add(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, fn)
}

// mark remembers what was asked for before a savepoint.
func (q *queue) mark(savepoint string) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.marks == nil {
		q.marks = map[string]int{}
	}
	q.marks[savepoint] = len(q.tasks)
}

// cut forgets what was asked for since a savepoint that was gone back to.
func (q *queue) cut(savepoint string) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if mark, ok := q.marks[savepoint]; ok {
		q.tasks = q.tasks[:min(mark, len(q.tasks))]
	}
}

// run does everything, once.
func (q *queue) run() {
	q.mu.Lock()
	tasks := q.tasks
	q.tasks = nil
	q.mu.Unlock()
	runAll(tasks)
}

// runAll calls one after the other. Where one panics, those behind it are called
// still, for they may be of others: what is in one transaction need not know of
// each other.
func runAll(tasks []func()) {
	next := 0
	defer func() {
		if next < len(tasks) {
			runAll(tasks[next:])
		}
	}()
	for next < len(tasks) {
		next++
		tasks[next-1]()
	}
}
