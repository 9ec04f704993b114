package hooks_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
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
	fn := func() { cancel() }
	onTick.Store(&fn)
	defer onTick.Store(nil)
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

func TestT10_ReadOnlyTransaction(t *testing.T) {
	readOnly := &sql.TxOptions{ReadOnly: true}

	t.Run("plain", func(t *testing.T) {
		db, path := newPlainItems(t, "_busy_timeout=1")
		release := lockElsewhere(t, path)
		mustBeCode(t, db.Begin(readOnly).Error, sqlite3.ErrBusy) // it waits for the writer
		release()
		tx := mustBegin(t, db, readOnly)
		must(t, add(tx)) // and can write
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
	t.Run("hooks", func(t *testing.T) {
		db, _ := newItems(t)
		writer := mustBegin(t, db)
		must(t, add(writer))

		tx := mustBegin(t, db.WithContext(within(t, hang)), readOnly)
		mustCount(t, tx, 0)
		must(t, writer.Commit().Error)
		mustCount(t, db, 1)
		mustCount(t, tx, 0) // one moment, whoever commits meanwhile

		mustBeCode(t, add(tx), sqlite3.ErrReadonly)
		mustBeCode(t, tx.Create(&item{}).Error, sqlite3.ErrReadonly)
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
	t.Run("hooks/Transaction", func(t *testing.T) {
		db, _ := newItems(t)
		mustBegin(t, db)
		must(t, hooks.Transaction(within(t, hang), db, func(tx *gorm.DB) error {
			mustCount(t, tx, 0)
			mustBeCode(t, add(tx), sqlite3.ErrReadonly)
			return nil
		}, readOnly))
	})
	t.Run("hooks/many at once under a writer", func(t *testing.T) { // S24
		db, _ := newItems(t)
		must(t, add(db))
		must(t, add(mustBegin(t, db)))
		ctx := within(t, hang)
		var seen atomic.Int64
		must(t, atOnce(32, func(int) error {
			return hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
				var n int64
				err := tx.Model(&item{}).Count(&n).Error
				seen.Add(n)
				return err
			}, readOnly)
		}))
		if seen.Load() != 32 {
			t.Fatalf("32 readers saw %d items, want one each", seen.Load())
		}
	})
}

func TestCommitAndRollbackTwice(t *testing.T) {
	end := map[string]func(tx *gorm.DB) error{
		"commit":   func(tx *gorm.DB) error { return tx.Session(&gorm.Session{}).Commit().Error },
		"rollback": func(tx *gorm.DB) error { return tx.Session(&gorm.Session{}).Rollback().Error },
	}
	for first, one := range end {
		for second, two := range end {
			t.Run(first+" then "+second, func(t *testing.T) {
				db, _ := newItems(t)
				tx := mustBegin(t, db)
				must(t, add(tx))
				must(t, one(tx))
				mustBe(t, two(tx), sql.ErrTxDone)
				mustBe(t, add(tx), sql.ErrTxDone)
				mustCount(t, db, map[string]int64{"commit": 1, "rollback": 0}[first])
				mustBeFree(t, db)
			})
		}
	}
}

// A transaction whose context ends is rolled back and gives the writer free,
// though nobody calls Rollback.
func TestContextEndsATransaction(t *testing.T) {
	db, _ := newItems(t)
	ctx, cancel := context.WithCancel(t.Context())
	tx := db.WithContext(ctx).Begin()
	must(t, tx.Error)
	must(t, add(tx))
	patient := db.WithContext(within(t, hang))
	next := start(func() error { return add(patient) })
	cancel()
	must(t, await(t, next))
	mustCount(t, db, 1)
	if err := tx.Commit().Error; !errors.Is(err, sql.ErrTxDone) && !errors.Is(err, context.Canceled) {
		t.Fatalf("Commit returns %v", err)
	}
	mustCount(t, db, 1)
}

// It is the same connection afterwards: what it knows by itself, a temporary
// table for example, is still there.
func TestContextEndKeepsTheWriter(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Exec("CREATE TEMP TABLE kept (n INTEGER)").Error)
	ctx, cancel := context.WithCancel(t.Context())
	must(t, db.WithContext(ctx).Begin().Error)
	cancel()
	must(t, db.WithContext(within(t, hang)).Exec("INSERT INTO kept VALUES (1)").Error)
	if got := mustInt(t, db, "SELECT count(*) FROM kept"); got != 1 {
		t.Fatalf("the temporary table has %d rows, want 1", got)
	}
}

func TestPanicInATransaction(t *testing.T) {
	db, _ := newItems(t)
	for name, transaction := range map[string]func(fn func(tx *gorm.DB) error) error{
		"db.Transaction":    func(fn func(tx *gorm.DB) error) error { return db.Transaction(fn) },
		"hooks.Transaction": func(fn func(tx *gorm.DB) error) error { return hooks.Transaction(t.Context(), db, fn) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("the panic was swallowed")
				}
				mustBeFree(t, db)
				mustCount(t, db, 0)
			}()
			_ = transaction(func(tx *gorm.DB) error {
				must(t, add(tx))
				panic("no")
			})
		})
	}
}

func TestNestedTransactions(t *testing.T) {
	db, _ := newItems(t)
	no := errors.New("no")
	must(t, db.Transaction(func(tx *gorm.DB) error {
		must(t, add(tx))
		mustBe(t, tx.Transaction(func(nested *gorm.DB) error {
			must(t, add(nested))
			must(t, nested.Transaction(add))
			return no
		}), no)
		return tx.Transaction(add)
	}))
	mustCount(t, db, 2)

	mustBe(t, db.Transaction(func(tx *gorm.DB) error {
		must(t, tx.Transaction(add))
		return no
	}), no)
	mustCount(t, db, 2)
}

func TestSavepoints(t *testing.T) {
	db, _ := newItems(t)
	tx := mustBegin(t, db)
	must(t, add(tx))
	must(t, tx.SavePoint("here").Error)
	must(t, add(tx))
	must(t, tx.RollbackTo("here").Error)
	must(t, add(tx))
	must(t, tx.Commit().Error)
	mustCount(t, db, 2)
}

// A commit that SQLite refuses leaves its transaction open; database/sql takes
// it for ended. It is rolled back, and the writer is free.
func TestCommitThatFails(t *testing.T) { // S7
	db, _ := newItems(t)
	must(t, db.Exec(`CREATE TABLE parts (
		item_id INTEGER NOT NULL REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED)`).Error)
	err := db.Transaction(func(tx *gorm.DB) error {
		must(t, add(tx))
		return tx.Exec("INSERT INTO parts VALUES (99)").Error
	})
	mustBeCode(t, err, sqlite3.ErrConstraint)
	mustCount(t, db, 0)
	must(t, add(db))
}

func TestInTransaction(t *testing.T) {
	for name, config := range map[string]*gorm.Config{"plain config": quiet(), "PrepareStmt": prepared()} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, newPath(t), hooks.Config{}, config)
			if hooks.InTransaction(db) {
				t.Error("the handle itself is in a transaction")
			}
			tx := mustBegin(t, db)
			if !hooks.InTransaction(tx) || !hooks.InTransaction(tx.Session(&gorm.Session{PrepareStmt: true})) {
				t.Error("a transaction is in none")
			}
		})
	}
}

// The statements of database/sql work in a transaction as well.
func TestStatementsOfATransaction(t *testing.T) {
	db, _ := newItems(t)
	tx := mustBegin(t, db)
	pool := tx.Statement.ConnPool
	insert, err := pool.PrepareContext(t.Context(), "INSERT INTO items (n) VALUES (?) RETURNING n")
	must(t, err)
	defer func() { must(t, insert.Close()) }()
	for n := range int64(3) {
		var got int64
		must(t, insert.QueryRowContext(t.Context(), n).Scan(&got))
		if got != n {
			t.Fatalf("it returned %d, want %d", got, n)
		}
	}
	_, err = insert.ExecContext(t.Context(), 3)
	must(t, err)
	if _, err = insert.ExecContext(t.Context(), -1); err == nil || errors.Is(err, driver.ErrBadConn) {
		t.Fatalf("got error %v, want the CHECK constraint's", err)
	}
	must(t, tx.Commit().Error)
	mustCount(t, db, 4)
}
