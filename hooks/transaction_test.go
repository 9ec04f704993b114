package hooks_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

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

// fickle is an item whose hooks and whose value call what may panic.
type fickle struct {
	ID   int64
	Name fickleName
	N    int64
}

func (fickle) TableName() string                  { return "items" }
func (f *fickle) BeforeCreate(*gorm.DB) error     { f.Name.panicAt("before create"); return nil }
func (f *fickle) AfterCreate(tx *gorm.DB) error   { f.Name.panicAt("after create"); return nil }
func (f *fickle) BeforeUpdate(*gorm.DB) error     { f.Name.panicAt("before update"); return nil }
func (f *fickle) AfterUpdate(tx *gorm.DB) error   { f.Name.panicAt("after update"); return nil }
func (f *fickle) BeforeDelete(*gorm.DB) error     { f.Name.panicAt("before delete"); return nil }
func (f *fickle) AfterDelete(tx *gorm.DB) error   { f.Name.panicAt("after delete"); return nil }
func (n fickleName) Value() (driver.Value, error) { n.panicAt("value"); return string(n), nil }

type fickleName string

func (n fickleName) panicAt(place fickleName) {
	if n == place {
		panic("no")
	}
}

// GORM leaves the transaction open that it puts around a create, an update or a
// delete, where a function of the application's panics in it. Nobody could write
// any more.
func TestPanicInGORMsOwnTransaction(t *testing.T) {
	writes := map[fickleName]func(db *gorm.DB, f *fickle) error{
		"before create": func(db *gorm.DB, f *fickle) error { return db.Create(f).Error },
		"after create":  func(db *gorm.DB, f *fickle) error { return db.Create(f).Error },
		"value":         func(db *gorm.DB, f *fickle) error { return db.Create(f).Error },
		"before update": func(db *gorm.DB, f *fickle) error { f.ID = 1; return db.Save(f).Error },
		"after update":  func(db *gorm.DB, f *fickle) error { f.ID = 1; return db.Save(f).Error },
		"before delete": func(db *gorm.DB, f *fickle) error { f.ID = 1; return db.Delete(f).Error },
		"after delete":  func(db *gorm.DB, f *fickle) error { f.ID = 1; return db.Delete(f).Error },
	}
	for at, write := range writes {
		panics := func(t *testing.T, db *gorm.DB) {
			t.Helper()
			defer func() {
				if recover() == nil {
					t.Error("the panic was swallowed")
				}
			}()
			_ = write(db, &fickle{Name: at})
		}
		t.Run(string(at), func(t *testing.T) {
			db, _ := newItems(t)
			must(t, db.Exec("INSERT INTO items (id, name) VALUES (1, 'kept')").Error)
			panics(t, db)
			mustBeFree(t, db)
			if n := mustInt(t, db, "SELECT count(*) FROM items WHERE name = 'kept'"); n != 1 {
				t.Errorf("what was stored before is changed")
			}
			mustCount(t, db, 1)
		})
		t.Run(string(at)+", in a transaction of the application's", func(t *testing.T) {
			db, _ := newItems(t)
			must(t, db.Exec("INSERT INTO items (id) VALUES (1)").Error)
			tx := mustBegin(t, db)
			panics(t, tx)
			must(t, add(tx)) // it is not GORM's to roll back
			must(t, tx.Commit().Error)
			mustBeFree(t, db)
		})
	}
}

// A value that panics in a query gives back the connection that it was for, and
// the writer.
func TestPanicInAQuery(t *testing.T) {
	const insert = "INSERT INTO items (name) VALUES (?) RETURNING id"
	var n int64
	for name, query := range map[string]func(db *gorm.DB){
		"Scan":              func(db *gorm.DB) { db.Raw(insert, fickleName("value")).Scan(&n) },
		"Row":               func(db *gorm.DB) { _ = db.Raw(insert, fickleName("value")).Row().Scan(&n) },
		"Scan of a reading": func(db *gorm.DB) { db.Raw("SELECT ?", fickleName("value")).Scan(&n) },
		"Row of a reading":  func(db *gorm.DB) { _ = db.Raw("SELECT ?", fickleName("value")).Row().Scan(&n) },
	} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, newPath(t), hooks.Config{MaxReaders: 1}, quiet())
			must(t, db.Exec(createItems).Error)
			for _, transaction := range []func(fn func(tx *gorm.DB) error) error{
				func(fn func(tx *gorm.DB) error) error { return fn(db) },
				func(fn func(tx *gorm.DB) error) error { return db.Transaction(fn) },
			} {
				panicked := start(func() error {
					defer func() { _ = recover() }()
					return transaction(func(tx *gorm.DB) error { query(tx); return nil })
				})
				must(t, await(t, panicked))
				mustBeFree(t, db)
				mustCount(t, db.WithContext(within(t, hang)), 0)
			}
		})
	}
}

// What a driver.Valuer says is what is stored, nothing for a nil one, and an
// error of it comes back.
func TestValuers(t *testing.T) {
	db, _ := newItems(t)
	var name sql.NullString
	must(t, db.Raw("SELECT ?", fickleName("Ada")).Scan(&name).Error)
	if name.String != "Ada" {
		t.Errorf("it is %q", name.String)
	}
	must(t, db.Raw("SELECT ?", (*sql.NullString)(nil)).Row().Scan(&name))
	if name.Valid {
		t.Errorf("a nil one is %q", name.String)
	}
	if err := db.Raw("SELECT ?", refusing{}).Scan(&name).Error; !errors.Is(err, errRefused) {
		t.Errorf("got error %v, want %v", err, errRefused)
	}
}

var errRefused = errors.New("no")

// refusing is a driver.Valuer without a value.
type refusing struct{}

func (refusing) Value() (driver.Value, error) { return nil, errRefused }

// Nor is half of a long slice stored when a value panics in the other half.
func TestPanicInABatch(t *testing.T) {
	db, _ := newItems(t)
	many := make([]fickle, 40000)
	many[len(many)-1].Name = "value"
	func() {
		defer func() { _ = recover() }()
		_ = db.Session(&gorm.Session{SkipDefaultTransaction: true, SkipHooks: true}).Create(&many).Error
	}()
	mustBeFree(t, db)
	mustCount(t, db, 0)
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

// A nested transaction whose context has ended is undone all the same, and the
// outer one goes on.
func TestNestedTransactionWhoseContextEnds(t *testing.T) {
	nest := func(t *testing.T, db *gorm.DB, transaction func(ctx context.Context, tx *gorm.DB, fn func(tx *gorm.DB) error) error) {
		t.Helper()
		tx := mustBegin(t, db)
		must(t, add(tx))
		ctx, cancel := context.WithCancel(t.Context())
		mustBe(t, transaction(ctx, tx, func(nested *gorm.DB) error {
			must(t, add(nested))
			cancel()
			return add(nested)
		}), context.Canceled)
		must(t, add(tx))
		must(t, tx.Commit().Error)
	}
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, sitOut)
		nest(t, db, func(ctx context.Context, tx *gorm.DB, fn func(tx *gorm.DB) error) error {
			return tx.WithContext(ctx).Transaction(fn)
		})
		mustCount(t, db, 3) // its item is kept, which this test is about
	})
	t.Run("hooks", func(t *testing.T) {
		db, _ := newItems(t)
		nest(t, db, hooksTransaction)
		mustCount(t, db, 2)
	})
	t.Run("hooks/panic", func(t *testing.T) {
		db, _ := newItems(t)
		tx := mustBegin(t, db)
		func() {
			defer func() { _ = recover() }()
			_ = hooks.Transaction(t.Context(), tx, func(nested *gorm.DB) error {
				must(t, add(nested))
				panic("no")
			})
		}()
		must(t, add(tx))
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
}

// hooksTransaction is hooks.Transaction without options.
func hooksTransaction(ctx context.Context, db *gorm.DB, fn func(tx *gorm.DB) error) error {
	return hooks.Transaction(ctx, db, fn)
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
