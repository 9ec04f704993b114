package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// tickDriver is a driver whose connections know the function tick: it returns
// its argument, and calls onTick when that is 1000. So a test can end a
// context in the middle of a statement, and no clock is needed for it.
const tickDriver = "sqlite3_tick"

var onTick atomic.Pointer[func()]

func init() {
	sql.Register(tickDriver, &sqlite3.SQLiteDriver{
		ConnectHook: func(conn *sqlite3.SQLiteConn) error {
			return conn.RegisterFunc("tick", tick, false)
		},
	})
}

func tick(n int64) int64 {
	if n == 1000 {
		if fn := onTick.Load(); fn != nil {
			(*fn)()
		}
	}
	return n
}

// onNextTick has fn called once. It runs inside of SQLite: it must not end the
// test.
func onNextTick(t *testing.T, fn func()) {
	t.Helper()
	once := sync.OnceFunc(fn)
	onTick.Store(&once)
	t.Cleanup(func() { onTick.Store(nil) })
}

// numbers has no end: a statement over it ends with its context.
const numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)"

// endless are statements that tick; cut says whether SQLite rolls back the
// whole transaction when they are interrupted.
var endless = []struct {
	name string
	cut  bool
	run  func(tx *gorm.DB) error
}{
	{"Exec of an INSERT", true, func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO items (n) " + numbers + " SELECT tick(n) FROM numbers").Error
	}},
	{"Scan of an INSERT RETURNING", true, func(tx *gorm.DB) error {
		var ids []int64
		return tx.Raw("INSERT INTO items (n) " + numbers + " SELECT tick(n) FROM numbers RETURNING id").Scan(&ids).Error
	}},
	{"Scan of a SELECT", false, func(tx *gorm.DB) error {
		var sum int64
		return tx.Raw(numbers + " SELECT sum(tick(n)) FROM numbers").Scan(&sum).Error
	}},
}

// cutOff runs one endless statement of tx, whose context ends as it runs.
func cutOff(t *testing.T, tx *gorm.DB, statement func(tx *gorm.DB) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(within(t, hang))
	onNextTick(t, cancel)
	mustBe(t, statement(tx.WithContext(ctx)), context.Canceled)
}

func openTick(t *testing.T, dsn string) *gorm.DB {
	t.Helper()
	return open(t, sqlite.New(sqlite.Config{DriverName: tickDriver, DSN: dsn}), quiet())
}

func TestT06_DeadTransaction(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := openTick(t, newPath(t)+wal)
		must(t, db.Exec(createItems).Error)
		tx := mustBegin(t, db)
		must(t, add(tx))
		_ = tx.Transaction(func(nested *gorm.DB) error {
			cutOff(t, nested, endless[0].run)
			return context.Canceled
		})
		must(t, add(tx))
		if err := tx.Commit().Error; err == nil {
			t.Fatal("the commit went well, though SQLite had rolled back")
		}
		mustCount(t, db, 1) // the half that this test is about: neither none nor all
	})
	for _, statement := range endless[:2] {
		t.Run("hooks/"+statement.name, func(t *testing.T) {
			db := openTick(t, newPath(t))
			must(t, db.Use(hooks.New(hooks.Config{})))
			must(t, db.Exec(createItems).Error)
			tx := mustBegin(t, db)
			must(t, add(tx))
			_ = tx.Transaction(func(nested *gorm.DB) error {
				cutOff(t, nested, statement.run)
				return context.Canceled
			})
			mustBeDead(t, tx, context.Canceled)
			mustCount(t, db, 0)
			must(t, add(db))
			mustCount(t, db, 1)
		})
	}
}

// mustBeDead fails unless every way to go on with tx, and its Commit, say what
// killed it.
func mustBeDead(t *testing.T, tx *gorm.DB, cause error) {
	t.Helper()
	var n int64
	ways := map[string]error{
		"Exec":      add(tx),
		"Create":    tx.Create(&item{}).Error,
		"First":     tx.First(&item{}).Error,
		"Row":       tx.Raw("SELECT 1").Row().Scan(&n),
		"Returning": tx.Raw("INSERT INTO items (n) VALUES (1) RETURNING id").Scan(&n).Error,
		"nested":    tx.Transaction(add),
		"Commit":    tx.Commit().Error,
	}
	for way, err := range ways {
		var dead *hooks.DeadTransactionError
		if !errors.As(err, &dead) || !errors.Is(err, cause) {
			t.Errorf("%s: got error %v, want a *hooks.DeadTransactionError for %v", way, err, cause)
		}
	}
	mustBe(t, tx.Rollback().Error, sql.ErrTxDone)
}

// SQLite rolls a whole transaction back for other reasons too.
func TestT06_DeadByConflictClause(t *testing.T) {
	for name, query := range map[string]string{
		"Exec": "INSERT OR ROLLBACK INTO items (id, n) VALUES (1, 1)",
		"Rows": "INSERT OR ROLLBACK INTO items (id, n) VALUES (1, 1) RETURNING id",
	} {
		t.Run(name, func(t *testing.T) {
			db, _ := newItems(t)
			must(t, db.Exec("INSERT INTO items (id, n) VALUES (1, 1)").Error)
			tx := mustBegin(t, db)
			must(t, add(tx))
			var id int64
			err := tx.Raw(query).Row().Scan(&id)
			mustBeCode(t, err, sqlite3.ErrConstraint)
			mustBeDead(t, tx, err)
			mustCount(t, db, 1)
			mustBeFree(t, db)
		})
	}
}

// Statements that were prepared before are no way around it.
func TestT06_DeadByAPreparedStatement(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Exec("INSERT INTO items (id, n) VALUES (1, 1)").Error)
	tx := mustBegin(t, db)
	insert, err := tx.Statement.ConnPool.PrepareContext(t.Context(), "INSERT OR ROLLBACK INTO items (id, n) VALUES (?, 1) RETURNING id")
	must(t, err)
	defer func() { must(t, insert.Close()) }()
	_, err = insert.ExecContext(t.Context(), 1)
	mustBeCode(t, err, sqlite3.ErrConstraint)

	var dead *hooks.DeadTransactionError
	if _, err := insert.ExecContext(t.Context(), 2); !errors.As(err, &dead) {
		t.Errorf("Exec: got error %v, want a *hooks.DeadTransactionError", err)
	}
	var id int64
	if err := insert.QueryRowContext(t.Context(), 3).Scan(&id); !errors.As(err, &dead) {
		t.Errorf("QueryRow: got error %v, want a *hooks.DeadTransactionError", err)
	}
	mustBeDead(t, tx, err)
	mustCount(t, db, 1)
}

// db.Transaction and hooks.Transaction return the one error, too, when the
// function goes on as though nothing had happened.
func TestT06_TransactionThatGoesOn(t *testing.T) {
	for name, transaction := range map[string]func(db *gorm.DB, fn func(tx *gorm.DB) error) error{
		"db.Transaction": func(db *gorm.DB, fn func(tx *gorm.DB) error) error { return db.Transaction(fn) },
		"hooks.Transaction": func(db *gorm.DB, fn func(tx *gorm.DB) error) error {
			return hooks.Transaction(context.Background(), db, fn)
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := openTick(t, newPath(t))
			must(t, db.Use(hooks.New(hooks.Config{})))
			must(t, db.Exec(createItems).Error)
			err := transaction(db, func(tx *gorm.DB) error {
				cutOff(t, tx, endless[0].run)
				return nil
			})
			var dead *hooks.DeadTransactionError
			if !errors.As(err, &dead) || !errors.Is(dead, context.Canceled) {
				t.Fatalf("got error %v, want a *hooks.DeadTransactionError", err)
			}
			mustCount(t, db, 0)
			must(t, add(db))
		})
	}
}

// What SQLite does not roll back lives on: an interrupted read, and a
// statement that failed by itself.
func TestT06_TransactionThatLives(t *testing.T) {
	db := openTick(t, newPath(t))
	must(t, db.Use(hooks.New(hooks.Config{})))
	must(t, db.Exec(createItems).Error)
	tx := mustBegin(t, db)
	must(t, add(tx))
	cutOff(t, tx, endless[2].run)
	must(t, add(tx))
	mustBeCode(t, tx.Exec("INSERT INTO items (n) VALUES (-1)").Error, sqlite3.ErrConstraint)
	must(t, add(tx))
	must(t, tx.Commit().Error)
	mustCount(t, db, 3)
}
