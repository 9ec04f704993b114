package writequeue_test

import (
	"testing"

	"github.com/flashstore/flashstore/writequeue"
)

// With several lanes calls of one Bulk share a transaction, past others that
// wait between them, and every other call has one of its own: no two groups
// hold locks that each other waits for.
func TestLanes_WhatShares(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{Lanes: 2})
	b := newCounted(q)
	l := newLine(t, q, db)
	l.do(t.Context(), adds(0, 0))
	l.job(b, 1, 0)
	l.do(t.Context(), adds(2, 0))
	l.job(b, 3, 0)
	l.job(b, 4, 0)
	l.do(t.Context(), adds(5, 0))
	l.mustEnd(make([]error, 6)...)
	mustCount(t, db, 6)
	b.mustHaveRun(t, 3)
	if s := q.Stats(); s.Group.TotalCount() != 4 || s.Group.Max() != 3 {
		t.Errorf("%d transactions, the largest of %d calls; want 4, of 3 at the most", s.Group.TotalCount(), s.Group.Max())
	}
}

// Those that could not be run together are run alone.
func TestLanes_Split(t *testing.T) {
	q, db := newQueue(t, writequeue.Config{Lanes: 2})
	b := newCounted(q)
	l := newLine(t, q, db)
	l.job(b, 1, 0)
	l.job(b, 2, violate)
	l.job(b, 3, 0)
	errs := l.end()
	must(t, errs[0])
	must(t, errs[2])
	if errs[1] == nil {
		t.Error("a row that breaks a rule was stored")
	}
	mustCount(t, db, 2)
	b.mustHaveRun(t, 3, 1, 1, 1)
	if s := q.Stats(); s.Group.Max() != 1 {
		t.Errorf("a group has %d calls, want 1", s.Group.Max())
	}
}
