package flashstore_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/hooks"
)

// The traps of transactions: what they keep, and what they say of it.

// tickDriver is a driver whose connections know the function tick: it returns
// its argument, and calls onTick when that is 1000. So a test can end a
// context in the middle of a statement, and no clock is needed for it.
const tickDriver = "sqlite3_tick"

var onTick atomic.Pointer[func()]

func init() {
	sql.Register(tickDriver, &sqlite3.SQLiteDriver{
		ConnectHook: func(conn *sqlite3.SQLiteConn) error { return conn.RegisterFunc("tick", tick, false) },
	})
}

func tick(n int64) int64 {
	if fn := onTick.Load(); n == 1000 && fn != nil {
		(*fn)()
	}
	return n
}

// cutOff runs a statement without an end on tx, whose context ends as it runs.
func cutOff(t *testing.T, tx *gorm.DB) {
	t.Helper()
	const endless = `
		WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
		INSERT INTO items (n) SELECT tick(n) FROM numbers`
	ctx, cancel := context.WithCancel(within(t, hang))
	once := sync.OnceFunc(cancel)
	onTick.Store(&once)
	defer onTick.Store(nil)
	mustBe(t, tx.WithContext(ctx).Exec(endless).Error, context.Canceled)
}

func trapDeadTransaction(t *testing.T) {
	// half writes, is cut off in a nested transaction, writes again and commits.
	half := func(t *testing.T, db *gorm.DB) (written, committed error) {
		must(t, db.Exec(createItems).Error)
		tx := begin(t, db)
		must(t, add(tx))
		_ = tx.Transaction(func(nested *gorm.DB) error {
			cutOff(t, nested)
			return context.Canceled
		})
		return add(tx), tx.Commit().Error
	}
	ticking := func(t *testing.T, dsn string) *gorm.DB {
		return open(t, sqlite.New(sqlite.Config{DriverName: tickDriver, DSN: dsn}), quiet())
	}
	t.Run("plain", func(t *testing.T) {
		db := ticking(t, newPath(t)+inWAL)
		written, _ := half(t, db)
		must(t, written)
		mustCount(t, db, 1) // the half that this trap is about: neither none nor all
	})
	t.Run("flashstore", func(t *testing.T) {
		db := ticking(t, newPath(t))
		use(t, db, hooks.Config{})
		written, committed := half(t, db)
		for _, err := range []error{written, committed} {
			var dead *hooks.DeadTransactionError
			if !errors.As(err, &dead) || !errors.Is(err, context.Canceled) {
				t.Fatalf("got error %v, want a *hooks.DeadTransactionError that names the cause", err)
			}
		}
		mustCount(t, db, 0)
		must(t, add(db))
	})
}

var forUpdate = clause.Locking{Strength: clause.LockingStrengthUpdate}

// lockRow asks for a row's lock in a transaction, and returns what becomes of
// somebody who changes the row meanwhile.
func lockRow(t *testing.T, db *gorm.DB, path string) (tx *gorm.DB, other error) {
	t.Helper()
	must(t, add(db))
	tx = begin(t, db)
	must(t, tx.Clauses(forUpdate).First(&item{}, 1).Error)
	_, other = elsewhere(t, path).Exec("UPDATE items SET n = n + 1")
	return tx, other
}

func trapForUpdateAndSavepoints(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		path := newPath(t)
		db := openPlain(t, path+"?_journal_mode=WAL", quiet())
		must(t, db.Exec(createItems).Error)
		tx, other := lockRow(t, db, path)
		must(t, other)                          // nothing was locked
		must(t, tx.RollbackTo("unknown").Error) // and nothing rolled back
	})
	t.Run("flashstore", func(t *testing.T) {
		var log strings.Builder
		path := newPath(t)
		db := openPlain(t, path, quiet())
		must(t, db.Use(hooks.New(hooks.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})))
		must(t, db.Exec(createItems).Error)
		for range 3 { // outside of a transaction it is said once for each place
			must(t, db.Clauses(forUpdate).Find(&[]item{}).Error)
		}
		if n := strings.Count(log.String(), "FOR UPDATE"); n != 1 {
			t.Errorf("it warned %d times, want once: %s", n, log.String())
		}
		tx, other := lockRow(t, db, path)
		mustBeCode(t, other, sqlite3.ErrBusy)
		if err := tx.Session(&gorm.Session{}).RollbackTo("unknown").Error; err == nil {
			t.Error("RollbackTo of a savepoint that does not exist returns nil")
		}
		must(t, tx.SavePoint("known").Error)
		must(t, add(tx))
		must(t, tx.RollbackTo("known").Error)
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
}

var errUndo = errors.New("undo")

func trapToldBeforeTheCommit(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		told := 0
		db, _ := newPlainItems(t, "")
		must(t, db.Callback().Create().After("gorm:commit_or_rollback_transaction").
			Register("tell", func(*gorm.DB) { told++ }))
		mustBe(t, db.Transaction(func(tx *gorm.DB) error {
			must(t, tx.Create(&item{}).Error)
			return errUndo
		}), errUndo)
		mustCount(t, db, 0)
		if told != 1 {
			t.Fatalf("told %d times, want the one lie that this trap is about", told)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		var told []string
		db, _ := newItems(t)
		// create adds an item in a transaction, or in a savepoint of one, that
		// ends with err.
		create := func(in *gorm.DB, what string, err error) error {
			return hooks.Transaction(t.Context(), in, func(tx *gorm.DB) error {
				must(t, hooks.AfterCommit(tx, func() { told = append(told, what) }))
				return errors.Join(tx.Create(&item{}).Error, err)
			})
		}
		mustBe(t, create(db, "rolled back", errUndo), errUndo)
		must(t, db.Transaction(func(tx *gorm.DB) error {
			must(t, create(tx, "first", nil))
			mustBe(t, create(tx, "rolled back inside", errUndo), errUndo)
			told = append(told, "before the commit")
			return create(tx, "second", nil)
		}))
		mustCount(t, db, 2)
		if want := []string{"before the commit", "first", "second"}; !slices.Equal(told, want) {
			t.Fatalf("told %q, want %q", told, want)
		}
	})
}
