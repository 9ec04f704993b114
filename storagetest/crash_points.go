package storagetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// Operation is what CrashPoints interrupts.
type Operation struct {
	// Prepare stores what Do needs, in a database in which nothing is stored.
	// It is not interrupted. By default, nothing.
	Prepare func(ctx context.Context, s *storage.Store) error

	// Do writes. It must be the same each time: with the ids and the times that
	// it had before, since after an error it is run again. The store's clock
	// stands on May 13, 2026, 16:00 UTC.
	Do func(ctx context.Context, s *storage.Store) error
}

// ErrCrash is what the statement at which an operation was interrupted has
// failed with.
var ErrCrash = errors.New("storagetest: interrupted at this statement")

// CrashPoints runs an operation with its first statement failing, then with
// its second, and so on until it ends without meeting the failure, each time on
// a new database. After each failure the operation must have returned an error,
// all of what it writes must be stored or nothing of it, everybody's ledger
// must prove their balance, and the operation, run again, must end well and
// leave what it leaves where nothing fails.
//
// A statement fails before it reaches the database. Those that set a savepoint
// or go back to one do not fail, for they are what is relied upon; neither does
// the commit, which is one statement and the database's own promise.
func CrashPoints(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation) {
	t.Helper()
	want := undisturbed(t, open, op)
	met := true
	for point := 1; met; point++ {
		met = interrupted(t, open, op, point, want)
		if !met && point == 1 {
			t.Fatal("the operation runs no statement")
		}
	}
}

// undisturbed returns what an operation leaves where nothing fails.
func undisturbed(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation) contents {
	t.Helper()
	k := prepared(t, open, op)
	before := contentsOf(t, k.db)
	must(t, op.Do(t.Context(), k.Store))
	want := contentsOf(t, k.db)
	if differences(before, want) == "" {
		t.Fatal("the operation writes nothing")
	}
	k.reconciled(t)
	return want
}

func prepared(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation) kit {
	t.Helper()
	k := use(t, open)
	if op.Prepare != nil {
		must(t, op.Prepare(t.Context(), k.Store))
	}
	return k
}

// interrupted runs an operation with one statement failing, and reports
// whether it had so many.
func interrupted(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation, point int, want contents) bool {
	t.Helper()
	k := prepared(t, open, op)
	before := contentsOf(t, k.db)
	fault := &fault{}
	must(t, fault.install(k.db))
	fault.arm(point)
	err := op.Do(t.Context(), k.Store)
	met, statement := fault.end()
	if !met {
		must(t, err)
		return false
	}
	if err == nil {
		t.Errorf("statement %d failed, and the operation says nothing of it: %s", point, statement)
	}
	after := contentsOf(t, k.db)
	if nothing := differences(before, after); nothing != "" && differences(want, after) != "" {
		t.Errorf("statement %d failed, and a part of the operation is stored: %s\n%s", point, statement, nothing)
	}
	k.reconciled(t)
	if err := op.Do(t.Context(), k.Store); err != nil {
		t.Errorf("statement %d failed, and the operation, run again, ends with %v: %s", point, err, statement)
	}
	if diff := differences(want, contentsOf(t, k.db)); diff != "" {
		t.Errorf("statement %d failed, and the operation, run again, leaves something else: %s\n%s", point, statement, diff)
	}
	k.reconciled(t)
	return true
}

// fault fails one statement, when it is armed. It is safe for concurrent use.
type fault struct {
	mu    sync.Mutex
	armed bool
	left  int // statements until then, that one counted
	met   bool
	sql   string // the one that failed
}

// arm has the n-th statement from now on fail.
func (f *fault) arm(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.left, f.met, f.sql = true, n, false, ""
}

// install puts the fault before every statement that GORM runs.
func (f *fault) install(db *gorm.DB) error {
	const name = "storagetest:fault"
	calls := db.Callback()
	return errors.Join(
		calls.Create().Before("*").Register(name, f.look),
		calls.Query().Before("*").Register(name, f.look),
		calls.Update().Before("*").Register(name, f.look),
		calls.Delete().Before("*").Register(name, f.look),
		calls.Row().Before("*").Register(name, f.look),
		calls.Raw().Before("*").Register(name, f.look),
	)
}

func (f *fault) look(tx *gorm.DB) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || f.met || tx.DryRun || controls(tx.Statement.SQL.String()) {
		return
	}
	if f.left--; f.left > 0 {
		return
	}
	f.met, f.sql = true, describe(tx)
	_ = tx.AddError(ErrCrash)
}

// controls reports whether a statement is of savepoints.
func controls(sql string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
	switch strings.ToUpper(word) {
	case "SAVEPOINT", "ROLLBACK", "RELEASE":
		return true
	}
	return false
}

// describe names a statement whose text may not be there yet.
func describe(tx *gorm.DB) string {
	if sql := strings.TrimSpace(tx.Statement.SQL.String()); sql != "" {
		return sql
	}
	return "a statement on " + tx.Statement.Table
}

// end disarms the fault, and says whether it was met and where.
func (f *fault) end() (met bool, sql string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = false
	return f.met, f.sql
}
