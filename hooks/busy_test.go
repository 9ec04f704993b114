package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// addOne reads the first item, thinks, and writes what it thought: a
// transaction that loses a step wherever two run at once.
func addOne(tx *gorm.DB) error {
	var counter item
	if err := tx.First(&counter, 1).Error; err != nil {
		return err
	}
	counter.N++
	return tx.Save(&counter).Error
}

func TestT03_ReadThenWrite(t *testing.T) { // S24, S32
	t.Run("plain", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path+"?_journal_mode=WAL&"+sitOut, quiet())
		must(t, db.Exec(createItems).Error)
		must(t, add(db))
		tx := mustBegin(t, db)
		mustCount(t, tx, 1)
		must(t, add(db)) // another one commits in between
		begin := time.Now()
		err := add(tx)
		var se sqlite3.Error
		if !errors.As(err, &se) || se.ExtendedCode != sqlite3.ErrBusySnapshot {
			t.Fatalf("got error %v, want the 517 that this test is about", err)
		}
		if waited := time.Since(begin); waited > patience {
			t.Fatalf("it came after %v, though the busy timeout does not run for it", waited)
		}
	})
	t.Run("hooks", func(t *testing.T) {
		const writers, times = 32, 10
		db, _ := newItems(t)
		must(t, add(db))
		pool := mustPool(t, db)
		must(t, atOnce(writers, func(i int) error {
			for range times {
				if err := db.Transaction(addOne); err != nil {
					return err
				}
				// A connection of db.DB() commits in between as well.
				if _, err := pool.Exec("UPDATE items SET n = n + 1"); err != nil {
					return err
				}
			}
			return nil
		}))
		if got := mustInt(t, db, "SELECT n FROM items"); got != 1+2*writers*times {
			t.Fatalf("the counter is %d, want %d", got, 1+2*writers*times)
		}
	})
}

// lost is the error of a transaction that lost against another one.
func lost(code sqlite3.ErrNo, extended sqlite3.ErrNoExtended) error {
	return fmt.Errorf("write: %w", sqlite3.Error{Code: code, ExtendedCode: extended})
}

// stateError is an error of PostgreSQL's driver as far as it matters here.
type stateError string

func (e stateError) Error() string    { return "SQLSTATE " + string(e) }
func (e stateError) SQLState() string { return string(e) }

func TestT03_TransactionRunsAgain(t *testing.T) { // S29
	tests := []struct {
		name string
		err  error
		runs int
	}{
		{"busy", lost(sqlite3.ErrBusy, 5), 4},
		{"busy snapshot", lost(sqlite3.ErrBusy, sqlite3.ErrBusySnapshot), 4},
		{"busy recovery", lost(sqlite3.ErrBusy, sqlite3.ErrBusyRecovery), 4},
		{"locked", lost(sqlite3.ErrLocked, 6), 4},
		{"serialization failure", stateError("40001"), 4},
		{"deadlock", stateError("40P01"), 4},
		{"unique violation of PostgreSQL", stateError("23505"), 1},
		{"constraint", lost(sqlite3.ErrConstraint, sqlite3.ErrConstraintUnique), 1},
		{"waited already", &hooks.BusyError{Err: lost(sqlite3.ErrBusy, 5)}, 1},
		{"error of the application", errors.New("no"), 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			db, _ := newItems(t)
			runs := 0
			err := hooks.Transaction(t.Context(), db, func(tx *gorm.DB) error {
				runs++
				must(t, add(tx))
				if runs <= 3 {
					return test.err
				}
				return nil
			})
			if runs != test.runs {
				t.Fatalf("the function ran %d times, want %d", runs, test.runs)
			}
			if runs == 1 {
				mustBe(t, err, test.err)
				mustCount(t, db, 0)
				return
			}
			must(t, err)
			mustCount(t, db, 1) // the lost runs left nothing
		})
	}
}

func TestT03_TransactionStopsRunningAgain(t *testing.T) {
	busy := lost(sqlite3.ErrBusy, sqlite3.ErrBusySnapshot)

	t.Run("after ten runs", func(t *testing.T) {
		db, _ := newItems(t)
		runs := 0
		err := hooks.Transaction(t.Context(), db, func(tx *gorm.DB) error {
			runs++
			must(t, add(tx))
			return busy
		})
		mustBeCode(t, err, sqlite3.ErrBusy)
		if runs != 10 {
			t.Fatalf("the function ran %d times, want 10", runs)
		}
		mustCount(t, db, 0)
	})
	t.Run("when the context ends", func(t *testing.T) {
		db, _ := newItems(t)
		ctx, cancel := context.WithCancel(t.Context())
		runs := 0
		err := hooks.Transaction(ctx, db, func(*gorm.DB) error {
			if runs++; runs == 3 {
				cancel()
			}
			return busy
		})
		mustBe(t, err, context.Canceled)
		if runs != 3 {
			t.Fatalf("the function ran %d times, want 3", runs)
		}
		mustBeFree(t, db)
	})
	t.Run("inside of a transaction", func(t *testing.T) {
		db, _ := newItems(t)
		runs := 0
		must(t, db.Transaction(func(outer *gorm.DB) error {
			must(t, add(outer))
			err := hooks.Transaction(t.Context(), outer, func(tx *gorm.DB) error {
				runs++
				must(t, add(tx))
				return busy
			})
			mustBe(t, err, busy)
			return nil
		}))
		if runs != 1 {
			t.Fatalf("the function ran %d times, want 1", runs)
		}
		mustCount(t, db, 1) // the outer one's item; the inner one is undone
	})
	t.Run("before it began", func(t *testing.T) {
		db, _ := newItems(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := hooks.Transaction(ctx, db, func(*gorm.DB) error {
			t.Error("the function ran under an ended context")
			return nil
		})
		mustBe(t, err, context.Canceled)
	})
}

// writes are the ways to write that have to give up in time.
var writes = []struct {
	name string
	run  func(db *gorm.DB) error
}{
	{"transaction", func(db *gorm.DB) error { return db.Transaction(add) }},
	{"one statement", add},
	// A semicolon of a text does not make a script, which cannot give up.
	{"text with a semicolon", func(db *gorm.DB) error {
		return db.Exec("INSERT INTO items (name) VALUES ('a; b')").Error
	}},
	{"script", func(db *gorm.DB) error {
		return db.Exec("INSERT INTO items (n) VALUES (1); UPDATE items SET n = n + 1").Error
	}},
}

// giveUp writes under a short deadline and returns how long it took to fail.
func giveUp(t *testing.T, db *gorm.DB, write func(db *gorm.DB) error) (took time.Duration, err error) {
	t.Helper()
	begin := time.Now()
	err = write(db.WithContext(within(t, short)))
	if err == nil {
		t.Fatal("it wrote under a lock that another one holds")
	}
	return time.Since(begin), err
}

func TestT04_DeadlineUnderAHeldLock(t *testing.T) { // S6
	holders := map[string]func(t *testing.T, db *gorm.DB, path string) (release func()){
		"transaction of this process": func(t *testing.T, db *gorm.DB, _ string) func() {
			tx := mustBegin(t, db)
			return func() { must(t, tx.Rollback().Error) }
		},
		"another connection": func(t *testing.T, _ *gorm.DB, path string) func() {
			return lockElsewhere(t, path)
		},
	}
	for _, write := range writes[:2] {
		t.Run("plain/"+write.name, func(t *testing.T) {
			db, path := newPlainItems(t, sitOut)
			lockElsewhere(t, path)
			took, err := giveUp(t, db, write.run)
			if took < patience {
				t.Fatalf("it gave up after %v (%v), want the whole busy timeout that this test is about", took, err)
			}
		})
	}
	for holder, hold := range holders {
		for _, write := range writes {
			t.Run("hooks/"+holder+"/"+write.name, func(t *testing.T) {
				db, path := newItems(t)
				release := hold(t, db, path)
				took, err := giveUp(t, db, write.run)
				mustBe(t, err, context.DeadlineExceeded)
				if took >= patience {
					t.Fatalf("it gave up after %v, its deadline was %v", took, short)
				}
				release()
				mustCount(t, db, 0)
				must(t, write.run(db))
				mustCount(t, db, 1)
			})
		}
	}
}

// A write without a deadline waits for the busy timeout. The clock of these
// bubbles goes on only when all in it wait: the figures are exact.
func TestT04_BusyErrorAfterTheBusyTimeout(t *testing.T) {
	holders := map[string]func(t *testing.T, db *gorm.DB, path string){
		"transaction of this process": func(t *testing.T, db *gorm.DB, _ string) { mustBeginElsewhere(t, db) },
		"another connection":          func(t *testing.T, _ *gorm.DB, path string) { lockElsewhere(t, path) },
	}
	for holder, hold := range holders {
		for _, write := range writes {
			t.Run(holder+"/"+write.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					db, path := newItems(t)
					hold(t, db, path)
					begin := time.Now()
					err := write.run(db)
					var busy *hooks.BusyError
					if !errors.As(err, &busy) {
						t.Fatalf("got error %v, want a *hooks.BusyError", err)
					}
					mustBeAbout(t, "it said that it waited", busy.Waited, 5*time.Second)
					mustBeAbout(t, "it waited", time.Since(begin), 5*time.Second)
				})
			})
		}
	}
}

// mustBeAbout allows for the last pause between two looks at a lock.
func mustBeAbout(tb testing.TB, what string, got, want time.Duration) {
	tb.Helper()
	if got < want || got > want+10*time.Millisecond {
		tb.Fatalf("%s %v, want %v", what, got, want)
	}
}

// A transaction that uses the outer db waits for itself. It hears so within a
// second, however far its deadline is, and where the transaction was begun.
func TestT08_TheOuterDBInATransaction(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, sitOut)
		pool, err := db.DB()
		must(t, err)
		pool.SetMaxOpenConns(1) // as it is common with SQLite: the wait has no end of its own
		err = db.Transaction(func(*gorm.DB) error { return add(db.WithContext(within(t, short))) })
		mustBe(t, err, context.DeadlineExceeded)
	})
	t.Run("hooks", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			db, _ := newItems(t)
			begin := time.Now()
			err := db.Transaction(func(*gorm.DB) error { return add(db.WithContext(within(t, time.Hour))) })
			var self *hooks.SelfWaitError
			if !errors.As(err, &self) || !strings.Contains(self.Site, "busy_test.go:") {
				t.Fatalf("got error %v, want a *hooks.SelfWaitError that names this file", err)
			}
			if took := time.Since(begin); took > time.Second {
				t.Fatalf("it took %v", took)
			}
			mustCount(t, db, 0)
			must(t, add(db))
		})
	})
	t.Run("rows that are open", func(t *testing.T) {
		db := openHooks(t, ":memory:", hooks.Config{}, quiet()) // there all are the writer's
		must(t, db.Exec(createItems).Error)
		must(t, add(db))
		rows, err := db.Model(&item{}).Rows()
		must(t, err)
		err = add(db)
		var self *hooks.SelfWaitError
		if !errors.As(err, &self) || !strings.Contains(err.Error(), "read rows to their end") {
			t.Errorf("got error %v, want a *hooks.SelfWaitError that speaks of rows", err)
		}
		closeRows(t, rows)
		must(t, add(db))
	})
	t.Run("handed to another goroutine", func(t *testing.T) {
		db, _ := newItems(t)
		tx := mustBegin(t, db)
		must(t, add(tx))
		must(t, atOnce(2, func(i int) error {
			if i == 0 {
				return tx.Commit().Error
			}
			return add(db)
		}))
		mustCount(t, db, 2)
	})
}

// An honest wait says who holds the writer.
func TestBusyNamesTheHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := newItems(t)
		mustBeginElsewhere(t, db)
		for _, wait := range []context.Context{t.Context(), within(t, time.Minute)} {
			err := add(db.WithContext(wait))
			if err == nil || !strings.Contains(err.Error(), "helpers_test.go:") {
				t.Errorf("got error %v, want one that names where the transaction was begun", err)
			}
		}
	})
}

func TestT05_FirstComeFirstServed(t *testing.T) {
	const writers = 30
	synctest.Test(t, func(t *testing.T) {
		db, _ := newItems(t)
		holder := mustBegin(t, db)
		var waiting []<-chan error
		var want []int
		for i := range writers {
			waiting = append(waiting, start(func() error { return writeNumber(db, i) }))
			want = append(want, i)
			synctest.Wait() // it stands in the queue now, and the next one can come
		}
		must(t, holder.Commit().Error)
		for _, done := range waiting {
			must(t, await(t, done))
		}
		var got []int
		must(t, db.Model(&item{}).Order("id").Pluck("n", &got).Error)
		if !slices.Equal(got, want) {
			t.Fatalf("they wrote in the order %v, want %v", got, want)
		}
	})
}

// writeNumber writes n in one of the ways that there are, each in its turn.
func writeNumber(db *gorm.DB, n int) error {
	switch n % 4 {
	case 0:
		return db.Exec("INSERT INTO items (n) VALUES (?)", n).Error
	case 1:
		return db.Create(&item{N: int64(n)}).Error
	case 2:
		var id int64
		return db.Raw("INSERT INTO items (n) VALUES (?) RETURNING id", n).Row().Scan(&id)
	default:
		return hooks.Transaction(context.Background(), db, func(tx *gorm.DB) error {
			return tx.Create(&item{N: int64(n)}).Error
		})
	}
}

// A writer that gives up leaves the queue: those behind it do not wait for it.
func TestT05_WhoGivesUpLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, _ := newItems(t)
		holder := mustBegin(t, db)
		ctx, cancel := context.WithCancel(context.Background())
		first := start(func() error { return add(db.WithContext(ctx)) })
		synctest.Wait()
		second := start(func() error { return add(db) })
		synctest.Wait()
		cancel()
		mustBe(t, await(t, first), context.Canceled)
		must(t, holder.Commit().Error)
		must(t, await(t, second))
		mustCount(t, db, 1)
	})
}
