package writequeue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// Close answers who is in the queue and refuses who comes.
func TestClose(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{MaxGroup: 2})
	bulk := writequeue.NewBulk(q, insertRows)
	l := newLine(t, q, db)
	for i := range 5 {
		l.do(t.Context(), adds(i, 0))
	}
	closings := make([]<-chan error, 3)
	for i := range closings {
		closings[i] = start(q.Close)
	}
	awaitClosed(q)
	mustBe(t, q.Do(t.Context(), never(t)), writequeue.ErrClosed)
	_, err := bulk.Do(t.Context(), row{})
	mustBe(t, err, writequeue.ErrClosed)
	for _, closing := range closings {
		select {
		case err := <-closing:
			t.Errorf("Close returns %v before those who wait are answered", err)
		default:
		}
	}
	l.mustEnd(make([]error, 5)...)
	for _, closing := range closings {
		must(t, await(t, closing))
	}
	must(t, q.Close())
	mustBe(t, q.Do(t.Context(), never(t)), writequeue.ErrClosed)
	mustBeStored(t, db, 0, 1, 2, 3, 4)
}

// awaitClosed waits until q refuses calls. It may be called in one.
func awaitClosed(q *writequeue.Queue) {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for !errors.Is(q.Do(ended, fails), writequeue.ErrClosed) {
			time.Sleep(time.Millisecond)
		}
	}()
	<-closed
}

// Close waits for what runs behind a commit, too.
func TestCloseWaitsForTheLast(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	running, goOn := make(chan error, 1), make(chan struct{})
	call := start(func() error {
		return q.Do(t.Context(), then(0, func(tx *gorm.DB) error {
			return hooks.AfterCommit(tx, func() { running <- nil; <-goOn })
		}))
	})
	must(t, await(t, running))
	closing := start(q.Close)
	awaitClosed(q)
	select {
	case err := <-closing:
		t.Errorf("Close returns %v before the call", err)
	default:
	}
	close(goOn)
	must(t, await(t, closing))
	must(t, await(t, call))
	mustBeStored(t, db, 0)
}

// Calls that run again were in the queue before it was closed.
func TestCloseWhileAGroupRunsAgain(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{})
	var closing <-chan error
	l := newLine(t, q, db)
	l.do(t.Context(), adds(0, 0))
	l.do(t.Context(), func(tx *gorm.DB) error {
		if closing == nil {
			closing = start(q.Close)
			awaitClosed(q)
		}
		return errors.Join(tx.Rollback().Error, panics(tx))
	})
	l.do(t.Context(), adds(2, 0))
	l.mustEnd(nil, panicked{"poison"}, nil)
	must(t, await(t, closing))
	mustBeStored(t, db, 0, 2)
}
