package storage_test

import (
	"context"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// A context that ends while a booking is written stops it at its next
// statement, and nothing of it is there. Others do not notice.
func TestContextEndsWhileBooking(t *testing.T) {
	f := MustOpen(t)
	ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	ctx, cancel := context.WithCancel(ctx)
	statements := 0
	must(t, f.db.Callback().Raw().After("gorm:raw").Register("test:cancel", func(tx *gorm.DB) {
		if !tx.DryRun { // which makes the text of a statement
			statements++
			cancel()
		}
	}))
	_, err := f.Sessions.Submit(ctx, session(ada.ID, 0, right(1, "8+7", 0), right(2, "8+8", 0)))
	must(t, f.db.Callback().Raw().Remove("test:cancel"))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	equal(t, statements, 1)
	for _, table := range []string{"sessions", "answer_events", "mastery_stats", "league_participants"} {
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM "+table+" WHERE user_id = ?", ada.ID), int64(0))
	}
	equal(t, MustGet(t, f.Store, ada.ID), ada)
	MustSubmit(t, f.Store, session(bob.ID, 0, right(1, "8+7", 0)))
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM "+models.AnswerEvent{}.TableName()), int64(1))
}
