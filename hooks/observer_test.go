package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

func newObservedItems(t *testing.T, cfg hooks.Config) (db *gorm.DB, path string) {
	t.Helper()
	path = newPath(t)
	db = openHooks(t, path, cfg, quiet())
	must(t, db.Exec(createItems).Error)
	return db, path
}

// Metrics adds up what happened: each write waits and holds once, each
// statement counts for its table, failed ones too.
func TestMetrics(t *testing.T) {
	metrics := &hooks.Metrics{}
	db, _ := newObservedItems(t, hooks.Config{Observer: metrics})
	before := metrics.Snapshot()
	const writers, each = 8, 25
	must(t, atOnce(writers, func(int) error {
		for range each {
			if err := db.Create(&item{N: 1}).Error; err != nil {
				return err
			}
		}
		return nil
	}))
	var found []item
	must(t, db.Find(&found).Error)
	if err := db.Exec("INSERT INTO items (none) VALUES (1)").Error; err == nil {
		t.Fatal("want an error")
	}
	got := metrics.Snapshot()
	if n := got.LockWaits.Count - before.LockWaits.Count; n != writers*each+1 {
		t.Errorf("%d waits, want %d", n, writers*each+1)
	}
	if n := got.LockHolds.Count - before.LockHolds.Count; n != writers*each+1 || got.LockHolds.Total <= 0 {
		t.Errorf("%d holds of %v, want %d", n, got.LockHolds.Total, writers*each+1)
	}
	if n := got.Statements[hooks.Statement{Operation: "create", Table: "items"}].Count; n != writers*each {
		t.Errorf("%d creates, want %d", n, writers*each)
	}
	if n := got.Statements[hooks.Statement{Operation: "query", Table: "items"}].Count; n != 1 {
		t.Errorf("%d queries, want 1", n)
	}
	if n := got.Statements[hooks.Statement{Operation: "raw"}].Failed; n != 1 {
		t.Errorf("%d failed, want 1", n)
	}
}

// Under another connection's lock the extended code is counted, and who gave
// up; a transaction that is run again is counted each time.
func TestMetrics_BusyAndReruns(t *testing.T) {
	metrics := &hooks.Metrics{}
	db, path := newObservedItems(t, hooks.Config{Observer: metrics})
	release := lockElsewhere(t, path)
	mustBe(t, add(db.WithContext(within(t, short))), context.DeadlineExceeded)
	release()
	mustBegin(t, db)
	mustBe(t, add(db.WithContext(within(t, short))), context.DeadlineExceeded)

	runs := 0
	err := hooks.Transaction(t.Context(), db, func(*gorm.DB) error { // read-only: the writer is held
		if runs++; runs < 3 {
			return sqlite3.Error{Code: sqlite3.ErrBusy, ExtendedCode: sqlite3.ErrBusySnapshot}
		}
		return nil
	}, &sql.TxOptions{ReadOnly: true})
	must(t, err)
	got := metrics.Snapshot()
	if got.Busy[5] == 0 || got.GaveUp != 1 || got.RanAgain != 2 {
		t.Errorf("busy %v, gave up %d, ran again %d; want code 5, 1 and 2", got.Busy, got.GaveUp, got.RanAgain)
	}
}

// A slow statement is shown with its plan, and without its values.
func TestMetrics_Slow(t *testing.T) {
	metrics := &hooks.Metrics{}
	db, _ := newObservedItems(t, hooks.Config{Observer: metrics, SlowStatement: time.Nanosecond})
	var found []item
	must(t, db.Where("n = ?", 4711).Find(&found).Error)
	slow := metrics.Snapshot().Slow
	last := slow[len(slow)-1]
	if !strings.Contains(last.SQL, "n = ?") || strings.Contains(last.SQL, "4711") || len(last.Plan) != 1 || last.Plan[0] != "SCAN items" {
		t.Errorf("got %+v", last)
	}
}

// State names who has the writer, and with TraceRows the rows that are open.
func TestState(t *testing.T) {
	plugin := hooks.New(hooks.Config{TraceRows: true})
	if got := plugin.State(); got.Writer.Site != "" || got.Rows != nil {
		t.Errorf("before its use: %+v", got)
	}
	db, _ := newPlainItems(t, "")
	must(t, db.Use(plugin))
	must(t, add(db))
	tx := mustBegin(t, db)
	rows, err := db.Model(&item{}).Rows()
	must(t, err)
	got := plugin.State()
	if !strings.Contains(got.Writer.Site, "helpers_test.go:") || got.Writer.Since.IsZero() {
		t.Errorf("writer %+v, want the helper that began", got.Writer)
	}
	if len(got.Rows) != 1 || !strings.Contains(got.Rows[0].Site, "observer_test.go:") || !strings.Contains(got.Rows[0].SQL, "SELECT") {
		t.Errorf("rows %+v, want one opened here", got.Rows)
	}
	if got.Readers.InUse != 1 {
		t.Errorf("%d readers in use, want 1", got.Readers.InUse)
	}
	must(t, errors.Join(rows.Close(), tx.Rollback().Error))
	if got := plugin.State(); got.Writer.Site != "" || len(got.Rows) != 0 || got.Readers.InUse != 0 {
		t.Errorf("afterwards %+v", got)
	}
}

// A slow script is shown without a plan: EXPLAIN stands before its first
// statement only, and the others would run again.
func TestMetrics_SlowScriptRunsOnce(t *testing.T) {
	metrics := &hooks.Metrics{}
	db, _ := newObservedItems(t, hooks.Config{Observer: metrics, SlowStatement: time.Nanosecond})
	const twoItems = "SELECT 1; INSERT INTO items (n) VALUES (1); INSERT INTO items (n) VALUES (2)"
	must(t, db.Exec(twoItems).Error)
	must(t, db.Transaction(func(tx *gorm.DB) error { return tx.Exec(twoItems).Error }))
	mustCount(t, db, 4)
	for _, slow := range metrics.Snapshot().Slow {
		if slow.SQL == twoItems && slow.Plan == nil {
			return
		}
	}
	t.Error("it is not among the slow statements")
}

// panics is an observer that panics at every event.
type panics struct{}

func (panics) Observe(hooks.Event) { panic("no") }

// An observer that panics takes neither the writer along nor the caller, and
// is spoken of.
func TestObserverPanics(t *testing.T) {
	var said strings.Builder
	logger := slog.New(slog.NewTextHandler(&said, nil))
	db, path := newObservedItems(t, hooks.Config{Observer: panics{}, Logger: logger, SlowStatement: time.Nanosecond})
	release := lockElsewhere(t, path)
	mustBe(t, add(db.WithContext(within(t, short))), context.DeadlineExceeded)
	release()
	must(t, add(db))
	must(t, db.Transaction(add))
	mustBeFree(t, db)
	mustCount(t, db, 2)
	if !strings.Contains(said.String(), "Observer panicked") {
		t.Errorf("the log says %q", said.String())
	}
}
