package flashstore_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// The traps of writers that wait for each other.

func trapReadThenWrite(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path+"?_journal_mode=WAL&_busy_timeout=30000", quiet())
		must(t, db.Exec(createItems).Error)
		tx := begin(t, db)
		mustCount(t, tx, 0)
		must(t, add(db)) // another one commits in between
		start := time.Now()
		err := add(tx)
		var se sqlite3.Error
		if !errors.As(err, &se) || se.ExtendedCode != sqlite3.ErrBusySnapshot {
			t.Fatalf("got error %v, want the 517 that this trap is about", err)
		}
		if took := time.Since(start); took > hang/2 {
			t.Fatalf("it took %v: the busy timeout is not to run for it", took)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		const writers, times = 8, 5
		db, _ := newItems(t)
		must(t, add(db))
		must(t, atOnce(writers, func(int) error {
			for range times {
				if err := db.Transaction(addOne); err != nil {
					return err
				}
			}
			return nil
		}))
		mustBeInt(t, db, 1+writers*times, "SELECT n FROM items")
	})
}

// addOne reads the first item, thinks, and writes what it thought.
func addOne(tx *gorm.DB) error {
	var counter item
	if err := tx.Select("id", "n").First(&counter, 1).Error; err != nil {
		return err
	}
	return tx.Model(&counter).Update("n", counter.N+1).Error
}

func trapDeadlineUnderALock(t *testing.T) {
	giveUp := func(t *testing.T, db *gorm.DB, path string) (took time.Duration, err error) {
		lockElsewhere(t, path, "IMMEDIATE")
		start := time.Now()
		err = add(db.WithContext(within(t, short)))
		if err == nil {
			t.Fatal("it wrote under a lock that another one holds")
		}
		return time.Since(start), err
	}
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, impatient)
		if took, err := giveUp(t, db, path); took < satOut {
			t.Fatalf("it gave up after %v (%v), want the whole busy timeout that this trap is about", took, err)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, path := newItems(t)
		took, err := giveUp(t, db, path)
		mustBe(t, err, context.DeadlineExceeded)
		if took > patience {
			t.Fatalf("it gave up after %v, its deadline was %v", took, short)
		}
	})
}

func trapFirstComeFirstServed(t *testing.T) {
	const inOrder = "SELECT n FROM items ORDER BY id"
	t.Run("plain", func(t *testing.T) {
		const tries = 5 // who comes first may wake up in the instant in which the lock is free
		for range tries {
			if order := overtake(t); slices.Equal(order, []int{2, 1}) {
				return
			}
		}
		t.Fatalf("in %d tries nobody was overtaken", tries)
	})
	t.Run("flashstore", func(t *testing.T) {
		const writers = 32
		synctest.Test(t, func(t *testing.T) {
			db, _ := newItems(t)
			holder := begin(t, db)
			must(t, holder.Create(&item{N: -1}).Error)
			var waiting []<-chan error
			want, got := []int{-1}, []int{}
			for i := range writers {
				waiting = append(waiting, start(func() error { return db.Create(&item{N: int64(i)}).Error }))
				want = append(want, i)
				synctest.Wait() // it stands in the queue now, and the next one can come
			}
			must(t, holder.Commit().Error)
			for _, done := range waiting {
				must(t, await(t, done))
			}
			must(t, db.Raw(inOrder).Scan(&got).Error)
			if !slices.Equal(got, want) {
				t.Fatalf("they wrote in the order %v", got)
			}
		})
	})
}

// overtake has one writer wait for a lock, and another one come just as it
// gets free. It returns the order in which they wrote.
func overtake(t *testing.T) (order []int) {
	t.Helper()
	db, _ := newPlainItems(t, "")
	holder := begin(t, db)
	first := start(func() error { return db.Create(&item{N: 1}).Error })
	awaitTrue(t, "the first has a connection", func() bool { return pool(t, db).Stats().InUse == 2 })
	// Nothing outside of SQLite sees it wait there. By then its looks at the
	// lock are 50 ms apart.
	time.Sleep(150 * time.Millisecond)
	must(t, holder.Commit().Error)
	must(t, db.Create(&item{N: 2}).Error)
	must(t, await(t, first))
	must(t, db.Raw("SELECT n FROM items ORDER BY id").Scan(&order).Error)
	return order
}

func trapOuterDB(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, "")
		pool(t, db).SetMaxOpenConns(1) // as it is common with SQLite
		err := db.Transaction(func(*gorm.DB) error { return add(db.WithContext(within(t, sitOut))) })
		mustBe(t, err, context.DeadlineExceeded) // without a deadline it waits for ever
	})
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		err := db.Transaction(func(*gorm.DB) error { return add(db.WithContext(within(t, time.Hour))) })
		var self *hooks.SelfWaitError
		if !errors.As(err, &self) || !strings.Contains(self.Site, "traps_waiting_test.go:") {
			t.Fatalf("got error %v, want a *hooks.SelfWaitError that names this file", err)
		}
		mustCount(t, db, 0)
		must(t, add(db))
	})
}

func trapReadOnlyTransaction(t *testing.T) {
	readOnly := &sql.TxOptions{ReadOnly: true}
	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "&_busy_timeout=1")
		release := lockElsewhere(t, path, "IMMEDIATE")
		mustBeCode(t, db.Begin(readOnly).Error, sqlite3.ErrBusy) // it waits for the writer
		release()
		tx := begin(t, db, readOnly)
		must(t, add(tx)) // and can write
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		writer := begin(t, db)
		must(t, add(writer))
		tx := begin(t, db.WithContext(within(t, hang)), readOnly)
		mustCount(t, tx, 0)
		must(t, writer.Commit().Error)
		mustCount(t, tx, 0) // one moment, whoever commits meanwhile
		mustBeCode(t, add(tx), sqlite3.ErrReadonly)
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
}
