package writequeue_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// then returns a call's function that writes a row and then does more.
func then(caller int, more func(tx *gorm.DB) error) func(tx *gorm.DB) error {
	return func(tx *gorm.DB) error { return errors.Join(adds(caller, 0)(tx), more(tx)) }
}

func fails(*gorm.DB) error { return errNo }

func TestFailingCall(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	mustBe(t, q.Do(t.Context(), then(0, fails)), errNo)
	l := newLine(t, q, db)
	l.do(t.Context(), adds(1, 0))
	l.do(t.Context(), then(2, fails))
	l.do(t.Context(), then(3, adds(1, 0))) // UNIQUE
	l.do(t.Context(), then(4, adds(4, -1)))
	l.do(t.Context(), adds(5, 0))
	errs := l.end()
	must(t, errs[0])
	mustBe(t, errs[1], errNo)
	mustBeCode(t, errs[2], sqlite3.ErrConstraintUnique)
	mustBeCode(t, errs[3], sqlite3.ErrConstraintCheck)
	must(t, errs[4])
	mustBeStored(t, db, 1, 5)
}

// A transaction that dies as a whole is run again call by call: only the one
// that killed it fails.
func TestDeadTransaction(t *testing.T) {
	killers := map[string]func(tx *gorm.DB) error{
		"ROLLBACK as conflict clause": func(tx *gorm.DB) error {
			return tx.Exec("INSERT OR ROLLBACK INTO rows (caller, n) VALUES (2, -1)").Error
		},
		"error swallowed": func(tx *gorm.DB) error {
			_ = tx.Exec("INSERT OR ROLLBACK INTO rows (caller, n) VALUES (2, -1)").Error
			return nil
		},
		"Rollback": func(tx *gorm.DB) error { return tx.Rollback().Error },
		"COMMIT fails": func(tx *gorm.DB) error {
			return tx.Exec("INSERT INTO parts (row_id) VALUES (-1)").Error // a deferred foreign key
		},
	}
	for name, kill := range killers {
		t.Run(name, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			must(t, db.Exec(`CREATE TABLE parts (row_id INTEGER REFERENCES rows (id) DEFERRABLE INITIALLY DEFERRED)`).Error)
			if q.Do(t.Context(), then(0, kill)) == nil {
				t.Error("alone, it does not fail")
			}
			l := newLine(t, q, db)
			for i := range 7 {
				if i == 3 {
					l.do(t.Context(), then(i, kill))
				} else {
					l.do(t.Context(), adds(i, 0))
				}
			}
			for i, err := range l.end() {
				if (err != nil) != (i == 3) {
					t.Errorf("call %d ended with %v", i, err)
				}
			}
			mustBeStored(t, db, 0, 1, 2, 4, 5, 6)
			must(t, q.Do(t.Context(), adds(7, 0)))
		})
	}
}

// Who runs again is alone, also where others wait behind: it has harmed enough.
func TestRunsAgainAlone(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	var late <-chan error
	runs := 0
	l := newLine(t, q, db)
	l.do(t.Context(), adds(0, 0))
	l.do(t.Context(), func(tx *gorm.DB) error {
		if runs++; runs == 1 {
			late = start(func() error { return q.Do(context.Background(), adds(2, 0)) })
			awaitWaiting(t, q, 1)
		}
		return errors.Join(tx.Rollback().Error, errNo)
	})
	l.mustEnd(nil, errNo)
	must(t, await(t, late))
	mustBeStored(t, db, 0, 2)
	if runs != 2 {
		t.Errorf("it ran %d times, want 2", runs)
	}
}

// A function that commits by itself has nobody else's write done twice.
func TestCommitInACall(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	l := newLine(t, q, db)
	for i := range 5 {
		if i == 2 {
			l.do(t.Context(), then(i, func(tx *gorm.DB) error { return tx.Commit().Error }))
		} else {
			l.do(t.Context(), func(tx *gorm.DB) error {
				return tx.Exec("INSERT INTO rows (caller, n) VALUES (?, (SELECT count(*) FROM rows))", i).Error
			})
		}
	}
	for i, err := range l.end() {
		if (err != nil) != (i == 2) {
			t.Errorf("call %d ended with %v", i, err)
		}
	}
	mustBeStored(t, db, 0, 1, 2, 3, 4)
}

// One that would by text is refused, and the others go on.
func TestCommitByTextInACall(t *testing.T) {
	for _, end := range []string{"COMMIT", "ROLLBACK", "SELECT 1; END"} {
		t.Run(end, func(t *testing.T) {
			q, db := newQueue(t, writequeue.Config{})
			l := newLine(t, q, db)
			for i := range 5 {
				if i == 2 {
					l.do(t.Context(), then(i, func(tx *gorm.DB) error { return tx.Exec(end).Error }))
				} else {
					l.do(t.Context(), func(tx *gorm.DB) error {
						return tx.Exec("INSERT INTO rows (caller, n) VALUES (?, (SELECT count(*) FROM rows))", i).Error
					})
				}
			}
			l.mustEnd(nil, nil, hooks.ErrTransactionControl, nil, nil)
			mustBeStored(t, db, 0, 1, 3, 4)
		})
	}
}

// The outer db, another call and a transaction of one's own would wait for
// themselves: they are told at once, and the others go on.
func TestWaitingForItself(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	bulk := writequeue.NewBulk(q, insertRows)
	nested := map[string]func(*gorm.DB) error{
		"Do":       func(*gorm.DB) error { return q.Do(context.Background(), adds(0, 0)) },
		"Bulk.Do":  func(*gorm.DB) error { _, err := bulk.Do(context.Background(), row{}); return err },
		"outer db": func(*gorm.DB) error { return db.Create(&row{}).Error },
	}
	want := []int{}
	for name, fn := range nested {
		t.Run(name, func(t *testing.T) {
			mustWaitForItself(t, q.Do(t.Context(), fn))
			l := newLine(t, q, db)
			n := len(want)
			l.do(t.Context(), adds(n, 0))
			l.do(t.Context(), then(-1, fn))
			l.do(t.Context(), adds(n+1, 0))
			want = append(want, n, n+1)
			errs := l.end()
			must(t, errs[0])
			mustWaitForItself(t, errs[1])
			must(t, errs[2])
			mustBeStored(t, db, want...)
			mustWaitForItself(t, db.Transaction(fn))
		})
	}
}

// From a goroutine of the call's nobody sees that it waits for itself. It is
// told when the database's patience is over; who has set a deadline waits on.
func TestWaitingForItselfInAnotherGoroutine(t *testing.T) {
	const timeout = 400 * time.Millisecond
	db := open(t, hooks.Config{BusyTimeout: timeout})
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()
	var patient <-chan error
	began := time.Now()
	err := await(t, start(func() error {
		return q.Do(context.Background(), func(*gorm.DB) error {
			patient = start(func() error { return q.Do(within(t, hang), adds(1, 0)) })
			awaitWaiting(t, q, 1)
			return await(t, start(func() error { return q.Do(context.Background(), never(t)) }))
		})
	}))
	var busy *hooks.BusyError
	if !errors.As(err, &busy) || !strings.Contains(busy.Holder, "failing_test.go:") {
		t.Errorf("it ended with %v, want a *hooks.BusyError that names the outer call", err)
	}
	if took := time.Since(began); took < timeout || took > timeout+patience {
		t.Errorf("they gave up after %v, want after %v", took, timeout)
	}
	must(t, await(t, patient))
	must(t, q.Do(t.Context(), adds(2, 0)))
	mustBeStored(t, db, 1, 2)
}

// patience is what a slow machine may take longer.
const patience = 10 * time.Second

// mustBeCode fails unless err is an error of SQLite with that extended code.
func mustBeCode(tb testing.TB, err error, code sqlite3.ErrNoExtended) {
	tb.Helper()
	var se sqlite3.Error
	if !errors.As(err, &se) || se.ExtendedCode != code {
		tb.Fatalf("got error %v, want SQLite's code %d", err, code)
	}
}

func mustWaitForItself(tb testing.TB, err error) {
	tb.Helper()
	var self *hooks.SelfWaitError
	if !errors.As(err, &self) {
		tb.Fatalf("got error %v, want a *hooks.SelfWaitError", err)
	}
}
