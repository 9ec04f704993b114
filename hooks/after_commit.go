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
// in the goroutine that committed it, after the writer is free again, in the
// order in which they were asked for. It never runs when the transaction, or
// the hooks.Transaction inside of it in which it was asked for, rolls back
// (T27): a GORM callback behind the commit step knows only its own statement.
// Outside of a transaction it runs at once.
//
// fn cannot fail the transaction any more; it may use the outer db.
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
	pool := tx.Statement.ConnPool
	if wrapped, ok := pool.(*gorm.PreparedStmtTX); ok {
		pool = wrapped.Tx
	}
	if begun, ok := pool.(*transaction); ok {
		return &begun.after
	}
	return nil
}

// queue holds what is to be done after a commit. It is safe for concurrent
// use; a nil one stays empty.
type queue struct {
	mu    sync.Mutex
	tasks []func()
}

func (q *queue) add(fn func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, fn)
}

// mark returns a place to cut the queue off at.
func (q *queue) mark() int {
	if q == nil {
		return 0
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks)
}

// cut forgets what was added behind a mark: its savepoint was given up.
func (q *queue) cut(mark int) {
	if q == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = q.tasks[:min(mark, len(q.tasks))]
}

// run does everything, once.
func (q *queue) run() {
	q.mu.Lock()
	tasks := q.tasks
	q.tasks = nil
	q.mu.Unlock()
	for _, task := range tasks {
		task()
	}
}
