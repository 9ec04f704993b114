package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

	// Do writes. It must be the same each time, with the same ids and times,
	// because after an error it is run again. The store's clock stands at May
	// 13, 2026, 16:00 UTC.
	Do func(ctx context.Context, s *storage.Store) error

	// Again is the error that Do returns, or wraps, when it is run again
	// although all of it is stored, as by a client that did not get the answer:
	// for Users.Create it is storage.ErrTaken. Do changes nothing then. By
	// default, nil: it succeeds.
	Again error

	// Once says that Do, run again when all of it is stored, would write once
	// more, as Leagues.BookXP does: then it is not run again, and a client must
	// look first. By default, Do run again changes nothing.
	Once bool

	// Parts says that Do commits more than once, as Leagues.SettleDue does:
	// after a failure a part may be stored, which Do, run again, completes. By
	// default, it is all or nothing.
	Parts bool

	// Rules are the store's. By default, storage.DefaultRules().
	Rules *storage.Rules
}

// ErrCrash is the error of the statement or commit at which an operation was
// interrupted.
var ErrCrash = errors.New("storagetest: interrupted here")

// CrashPoints runs an operation with its first statement failing, then with its
// second, and so on until it ends without meeting the failure; then with its
// first commit failing, and so on; and then with its first commit taking place
// and the answer to it lost, and so on, each time on a new database. After each
// failure the operation must have returned an error, all of what it writes must
// be stored or nothing of it, everybody's ledger must prove their balance, and
// the operation, run again, must succeed and leave what it leaves when nothing
// fails. If a commit failed, the operation may also have tried again by itself:
// without an error all must be stored. After a commit whose answer was lost all
// must be stored in any case, and the operation, run again, must change
// nothing. The fields of Operation name the exceptions.
//
// A statement fails before it reaches the database. Those that set a savepoint
// or go back to one do not fail, because they are relied upon; neither do
// commits of transactions that only read. A commit that fails is a rollback:
// that half of a commit is never stored is the database's own promise.
func CrashPoints(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation) {
	t.Helper()
	want := undisturbed(t, open, op)
	for _, kind := range []crash{atStatement, atCommit, behindCommit} {
		met := true
		for point := 1; met; point++ {
			met = interrupted(t, open, op, kind, point, want)
			if !met && point == 1 {
				t.Fatalf("the operation meets no failure %s", kind)
			}
		}
	}
}

// crash is where an operation is interrupted.
type crash string

const (
	atStatement  crash = "at a statement"
	atCommit     crash = "at a commit"
	behindCommit crash = "behind a commit, whose answer is lost"
)

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
	k := useUnder(t, op.Rules, open)
	if op.Prepare != nil {
		must(t, op.Prepare(t.Context(), k.Store))
	}
	return k
}

// interrupted runs an operation with one failure, and reports whether it had so
// many places for it.
func interrupted(t *testing.T, open func(t *testing.T) *gorm.DB, op Operation, kind crash, point int, want contents) bool {
	t.Helper()
	k := prepared(t, open, op)
	before := contentsOf(t, k.db)
	fault := &fault{}
	must(t, fault.install(k.db))
	fault.armFor(kind, point)
	err := op.Do(t.Context(), k.Store)
	met, statement := fault.end()
	if !met {
		must(t, err)
		return false
	}
	where := fmt.Sprintf("interrupted %s, number %d: %s", kind, point, statement)
	after := contentsOf(t, k.db)
	nothing, all := differences(before, after) == "", differences(want, after) == ""
	if err == nil && (kind == atStatement || !all) {
		t.Errorf("%s: the operation says nothing of it", where)
	}
	if !op.Parts && !all && !nothing {
		t.Errorf("%s: a part of the operation is stored\n%s", where, differences(before, after))
	}
	if !op.Parts && !all && kind == behindCommit {
		t.Errorf("%s: what was committed is not stored\n%s", where, differences(want, after))
	}
	if !nothing {
		k.reconciled(t)
	}
	k.again(t, op, all, where, want)
	return true
}

// again runs an operation again that was interrupted, when all of it is stored
// or not.
func (k kit) again(t *testing.T, op Operation, all bool, where string, want contents) {
	t.Helper()
	if all && op.Once {
		return
	}
	err := op.Do(t.Context(), k.Store)
	if all && op.Again != nil {
		if !errors.Is(err, op.Again) {
			t.Errorf("%s: the operation, run again, ends with %v, want %v", where, err, op.Again)
		}
	} else if err != nil {
		t.Errorf("%s: the operation, run again, ends with %v", where, err)
	}
	if diff := differences(want, contentsOf(t, k.db)); diff != "" {
		t.Errorf("%s: the operation, run again, leaves something else\n%s", where, diff)
	}
	k.reconciled(t)
}

// fault fails one statement or commit, when it is armed. It is safe for
// concurrent use.
type fault struct {
	mu    sync.Mutex
	armed bool
	kind  crash
	left  int // statements or commits until then, that one counted
	met   bool
	sql   string // the one that failed
}

// arm has the n-th statement from now on fail.
func (f *fault) arm(n int) { f.armFor(atStatement, n) }

// armFor has the n-th statement or commit from now on fail.
func (f *fault) armFor(kind crash, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed, f.kind, f.left, f.met, f.sql = true, kind, n, false, ""
}

// armedFor reports whether it is armed for one of these.
func (f *fault) armedFor(kinds ...crash) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.armed && slices.Contains(kinds, f.kind)
}

// install puts the fault before every statement that GORM runs, and before
// every commit of the store, which has db's connections from there.
func (f *fault) install(db *gorm.DB) error {
	db.Statement.ConnPool = &commitPool{ConnPool: db.Statement.ConnPool, fault: f}
	const name = "storagetest:fault"
	calls := db.Callback()
	return errors.Join(
		calls.Create().Before("*").Register(name, f.look),
		calls.Query().Before("*").Register(name, f.look),
		calls.Update().Before("*").Register(name, f.look),
		calls.Delete().Before("*").Register(name, f.look),
		calls.Row().Before("*").Register(name, f.look),
		calls.Raw().Before("*").Register(name, f.look),
		calls.Raw().Before("*").Register(name+":commit", f.atOwnCommit),
		calls.Raw().After("*").Register(name+":committed", f.behindOwnCommit),
	)
}

func (f *fault) look(tx *gorm.DB) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || f.kind != atStatement || f.met || tx.DryRun || controls(tx.Statement.SQL.String()) {
		return
	}
	if f.left--; f.left > 0 {
		return
	}
	f.met, f.sql = true, describe(tx)
	_ = tx.AddError(ErrCrash)
}

// meetCommit returns how the commit that is about to be made fails, or "".
func (f *fault) meetCommit() crash {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed || f.kind == atStatement || f.met {
		return ""
	}
	if f.left--; f.left > 0 {
		return ""
	}
	f.met, f.sql = true, "COMMIT"
	return f.kind
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
