package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// statement is one that GORM has run.
type statement struct {
	text string
	rows int64 // that it returned or changed
}

// ran are the statements that a database has run.
type ran struct {
	mu   sync.Mutex
	list []statement
}

// MustNote returns the statements that db runs from now on.
func MustNote(tb testing.TB, db *gorm.DB) *ran {
	tb.Helper()
	var r ran
	note := func(tx *gorm.DB) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.list = append(r.list, statement{strings.TrimSpace(tx.Statement.SQL.String()), tx.RowsAffected})
	}
	calls := db.Callback()
	must(tb, errors.Join(
		calls.Create().After("*").Register("test:note", note),
		calls.Query().After("*").Register("test:note", note),
		calls.Update().After("*").Register("test:note", note),
		calls.Delete().After("*").Register("test:note", note),
		calls.Row().After("*").Register("test:note", note),
		calls.Raw().After("*").Register("test:note", note),
	))
	return &r
}

// take returns what was run since it was last asked.
func (r *ran) take() []statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// errDisk is what a failing database says.
var errDisk = errors.New("the disk is full")

// MustFail makes statements fail for which fn says so.
func MustFail(tb testing.TB, db *gorm.DB, fn func(tx *gorm.DB) bool) {
	tb.Helper()
	fail := func(tx *gorm.DB) {
		if fn(tx) {
			_ = tx.AddError(errDisk)
		}
	}
	must(tb, errors.Join(
		db.Callback().Delete().Before("*").Register("test:fail", fail),
		db.Callback().Raw().Before("*").Register("test:fail", fail),
	))
}

func TestMastery_Rebuild(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		practised(t, f, "bob")
		want := MustDump(t, f.db)
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE user_id = ? AND fact IN ('1+1', '9-1')", user.ID)
		MustExec(t, f.db, "UPDATE mastery_stats SET mastery_level = 4.5, attempts = 9 WHERE user_id = ? AND fact = '2+2'", user.ID)
		MustExec(t, f.db, `INSERT INTO mastery_stats SELECT user_id, 'division', fact, mastery_level, last_delta, last_answer_id,
			attempts, correct_count, total_response_ms, last_response_time, updated_at FROM mastery_stats WHERE user_id = ?`, user.ID)
		got, err := f.Mastery.Rebuild(ctx, user.ID)
		must(t, err)
		equal(t, got, storage.RebuildResult{Users: 1, Added: 2, Changed: 1, Removed: 2})
		equal(t, got.Rows(), 5)
		equal(t, MustDump(t, f.db), want)
		MustVerify(t, f.Store)
		MustReconcile(t, f.Store)
	})
	t.Run("OK/OnlyWhatDiffers", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		MustExec(t, f.db, "UPDATE mastery_stats SET mastery_level = 4.5 WHERE fact = '2+2'")
		run := MustNote(t, f.db)
		got, err := f.Mastery.Rebuild(ctx, user.ID)
		must(t, err)
		equal(t, got, storage.RebuildResult{Users: 1, Changed: 1})
		var rows []int64
		for _, s := range run.take() {
			if !strings.HasPrefix(s.text, "SELECT") && strings.Contains(s.text, "mastery_stats") {
				rows = append(rows, s.rows)
			}
		}
		equal(t, rows, []int64{1})
		MustVerify(t, f.Store)
	})
	t.Run("OK/NothingToDo", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		run := MustNote(t, f.db)
		for range 2 {
			got, err := f.Mastery.Rebuild(ctx, user.ID)
			must(t, err)
			equal(t, got, storage.RebuildResult{Users: 1})
		}
		for _, s := range run.take() {
			if !strings.HasPrefix(s.text, "SELECT") {
				t.Errorf("it ran %s", s.text)
			}
		}
	})
	t.Run("OK/NothingToWaitFor", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		soon, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			MustExec(t, tx, "UPDATE users SET name = 'A' WHERE id = ?", user.ID)
			_, err := f.Mastery.Rebuild(soon, user.ID)
			return err
		}))
	})
	t.Run("OK/Rollups", func(t *testing.T) {
		f := MustOpen(t)
		user, other := practised(t, f, "ada"), practised(t, f, "bob")
		_, err := f.Rollups.Run(ctx)
		must(t, err)
		want, err := f.Rollups.OfUser(ctx, user.ID)
		must(t, err)
		MustExec(t, f.db, "UPDATE mastery_stats SET correct_count = 0 WHERE fact = '1+1'")
		MustExec(t, f.db, "UPDATE mastery_stats SET fact = '4+4' WHERE fact = '2+2'")
		MustExec(t, f.db, "INSERT INTO rollup_queue SELECT id FROM users")
		_, err = f.Rollups.Run(ctx)
		must(t, err)
		_, err = f.Mastery.Rebuild(ctx, user.ID)
		must(t, err)
		ran, err := f.Rollups.Run(ctx)
		must(t, err)
		equal(t, ran.Users, 1) // not the other one
		got, err := f.Rollups.OfUser(ctx, user.ID)
		must(t, err)
		equal(t, got, want)
		got, err = f.Rollups.OfUser(ctx, other.ID)
		must(t, err)
		equal(t, len(got), len(want)+1) // the surplus is still there
	})
	t.Run("OK/InATransaction", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		want := MustDump(t, f.db)
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		undo := errors.New("undo")
		MustNotChange(t, f, func() {
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				got, err := f.In(tx).Mastery.Rebuild(ctx, user.ID)
				must(t, err)
				equal(t, got.Added, 4)
				MustVerify(t, f.In(tx))
				return undo
			}), undo)
		})
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			_, err := f.In(tx).Mastery.RebuildAll(ctx)
			return err
		}))
		equal(t, MustDump(t, f.db), want)
	})
	t.Run("ErrRolledBack", func(t *testing.T) {
		f := MustOpen(t)
		user := practised(t, f, "ada")
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE fact = '1+1'")
		MustExec(t, f.db, "UPDATE mastery_stats SET fact = '4+4' WHERE fact = '2+2'")
		MustFail(t, f.db, func(tx *gorm.DB) bool { return tx.Statement.Table == "mastery_stats" }) // the delete
		MustNotChange(t, f, func() {
			got, err := f.Mastery.Rebuild(ctx, user.ID)
			mustBe(t, err, errDisk)
			equal(t, got, storage.RebuildResult{})
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		_, err := MustOpen(t).Mastery.Rebuild(ctx, 99)
		mustBe(t, err, storage.ErrNotFound)
	})
}

func TestMastery_RebuildAll(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		users := []models.User{practised(t, f, "ada"), practised(t, f, "bob"), practised(t, f, "eve")}
		MustUser(t, f.Store, "new")
		want := MustDump(t, f.db)
		MustExec(t, f.db, "DELETE FROM mastery_stats WHERE user_id <> ?", users[1].ID)
		for _, want := range []storage.RebuildResult{{Users: 4, Added: 8}, {Users: 4}} {
			got, err := f.Mastery.RebuildAll(ctx)
			must(t, err)
			equal(t, got, want)
		}
		equal(t, MustDump(t, f.db), want)
	})
	t.Run("OK/AnotherRule", func(t *testing.T) {
		f := MustOpen(t)
		for _, uid := range []string{"ada", "bob"} {
			practised(t, f, uid)
		}
		speed := withRules(func(r *storage.Rules) { r.Mastery = storage.SpeedMastery })
		same := MustOpen(t, speed, func(s *setup) { s.path = f.path })
		_, err := same.Mastery.RebuildAll(ctx)
		must(t, err)
		MustVerify(t, same.Store)

		always := MustOpen(t, speed)
		for _, uid := range []string{"ada", "bob"} {
			practised(t, always, uid)
		}
		equal(t, MustDump(t, f.db)["mastery_stats"], MustDump(t, always.db)["mastery_stats"])
	})
	t.Run("OK/WhileOthersWrite", func(t *testing.T) {
		f := MustOpen(t)
		second := MustOpen(t, func(s *setup) { s.path = f.path })
		users := []models.User{practised(t, f, "ada"), practised(t, f, "bob"), practised(t, f, "eve")}
		MustExec(t, f.db, "UPDATE mastery_stats SET mastery_level = 2.5, attempts = 99 WHERE fact <> '3+3'")
		MustExec(t, f.db, "UPDATE mastery_stats SET fact = '5+5' WHERE fact = '3+3'")
		rebuilt := storage.RebuildResult{}
		must(t, errors.Join(atOnce(9, func(i int) error {
			if i == 0 {
				result, err := f.Mastery.RebuildAll(ctx)
				rebuilt = result
				return err
			}
			store := []*storage.Store{f.Store, second.Store}[i%2]
			for n := range 20 {
				answer := right(1000-20*i-n, []string{"1+1", "2+2", "3+3"}[n%3], 10) // ever earlier
				if _, err := store.Answers.Append(ctx, users[n%len(users)].ID, singles(models.ID{}, answer)...); err != nil {
					return err
				}
			}
			return nil
		})...))
		equal(t, rebuilt.Users, 3)
		MustVerify(t, second.Store)
		equal(t, MustInt(t, f.db, "SELECT sum(attempts) FROM mastery_stats"), MustInt(t, f.db, "SELECT count(*) FROM answer_events"))
	})
	t.Run("ErrStopped", func(t *testing.T) {
		f := MustOpen(t)
		practised(t, f, "ada")
		second := practised(t, f, "bob")
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		full := true
		MustFail(t, f.db, func(tx *gorm.DB) bool {
			if !full || !strings.Contains(tx.Statement.SQL.String(), "mastery_stats") {
				return false
			}
			first := tx.Statement.Vars[0]
			if list, ok := first.([]int64); ok { // of many rows, on PostgreSQL
				return list[0] == second.ID
			}
			return first == second.ID
		})
		got, err := f.Mastery.RebuildAll(ctx)
		mustBe(t, err, errDisk)
		if !strings.Contains(err.Error(), fmt.Sprint("user ", second.ID)) {
			t.Errorf("the error %v does not name the user", err)
		}
		equal(t, got, storage.RebuildResult{Users: 1, Added: 4})
		full = false
		got, err = f.Mastery.RebuildAll(ctx)
		must(t, err)
		equal(t, got, storage.RebuildResult{Users: 2, Added: 4})
		ended, cancel := context.WithCancel(ctx)
		cancel()
		_, err = f.Mastery.RebuildAll(ended)
		mustBe(t, err, context.Canceled)
	})
	t.Run("OK/SomebodyLeaves", func(t *testing.T) {
		f := MustOpen(t)
		practised(t, f, "ada")
		left := practised(t, f, "bob")
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		MustFail(t, f.db, func(tx *gorm.DB) bool {
			if strings.Contains(tx.Statement.SQL.String(), "mastery_stats") { // of the first one
				must(t, tx.Session(&gorm.Session{NewDB: true}).Exec("DELETE FROM users WHERE id = ?", left.ID).Error)
			}
			return false
		})
		got, err := f.Mastery.RebuildAll(ctx)
		must(t, err)
		equal(t, got, storage.RebuildResult{Users: 1, Added: 4})
	})
	t.Run("OK/EachInItsOwnTransaction", func(t *testing.T) {
		f := MustOpen(t)
		for _, uid := range []string{"ada", "bob", "eve"} {
			practised(t, f, uid)
		}
		MustExec(t, f.db, "DELETE FROM mastery_stats")
		commits := f.Queue().Stats().Commit.TotalCount()
		_, err := f.Mastery.RebuildAll(ctx)
		must(t, err)
		equal(t, f.Queue().Stats().Commit.TotalCount()-commits, 3)
	})
}
