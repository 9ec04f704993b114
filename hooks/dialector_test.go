package hooks_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
)

func TestT9_Savepoints(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, "")
		tx := mustBegin(t, db)
		must(t, tx.RollbackTo("unknown").Error)
		must(t, tx.SavePoint("no name").Error)
	})
	t.Run("hooks", func(t *testing.T) {
		db, _ := newItems(t)
		mustBeCode(t, mustBegin(t, db).Session(&gorm.Session{}).RollbackTo("unknown").Error, sqlite3.ErrError)
	})
	t.Run("hooks/savepoint", func(t *testing.T) {
		db, _ := newItems(t)
		mustBeCode(t, mustBegin(t, db).Session(&gorm.Session{}).SavePoint("no name").Error, sqlite3.ErrError)
	})
	t.Run("hooks/outside of a transaction", func(t *testing.T) {
		db, _ := newItems(t)
		mustBe(t, db.Session(&gorm.Session{}).SavePoint("s").Error, hooks.ErrTransactionControl)
		mustBe(t, db.Session(&gorm.Session{}).RollbackTo("s").Error, hooks.ErrTransactionControl)
	})
	t.Run("hooks/there and back", func(t *testing.T) {
		db, _ := newItems(t)
		tx := mustBegin(t, db)
		must(t, add(tx))
		must(t, tx.SavePoint("s").Error)
		must(t, add(tx))
		must(t, tx.RollbackTo("s").Error)
		must(t, tx.Commit().Error)
		mustCount(t, db, 1)
	})
	t.Run("hooks/prepared", func(t *testing.T) {
		db := openHooks(t, newPath(t), hooks.Config{}, prepared())
		tx := mustBegin(t, db)
		must(t, tx.SavePoint("s").Error)
		mustBeCode(t, tx.RollbackTo("unknown").Error, sqlite3.ErrError)
	})
}

// A function whose context has ended is undone all the same.
func TestRollbackToAfterItsContext(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Transaction(func(tx *gorm.DB) error {
		ctx, cancel := context.WithCancel(t.Context())
		err := tx.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			defer cancel()
			must(t, add(tx))
			return context.Canceled
		})
		mustBe(t, err, context.Canceled)
		return nil
	}))
	mustCount(t, db, 0)
}

// Going back works on a handle that has met an error, as a nested
// transaction's has.
func TestRollbackToAfterAnError(t *testing.T) {
	db, _ := newItems(t)
	tx := mustBegin(t, db)
	must(t, tx.SavePoint("s").Error)
	must(t, add(tx))
	failed := tx.Session(&gorm.Session{})
	_ = failed.AddError(errors.New("an earlier error"))
	failed.RollbackTo("s")
	must(t, tx.Commit().Error)
	mustCount(t, db, 0)
}

// What GORM's dialector does, the plugin's does.
func TestDialectorTranslates(t *testing.T) {
	db := openHooks(t, newPath(t), hooks.Config{}, &gorm.Config{Logger: logger.Discard, TranslateError: true})
	must(t, db.AutoMigrate(&item{}))
	must(t, db.Create(&item{ID: 1}).Error)
	mustBe(t, db.Create(&item{ID: 1}).Error, gorm.ErrDuplicatedKey)
	if db.Name() != (sqlite.Dialector{}).Name() {
		t.Fatalf("it is called %q", db.Name())
	}
	if got := db.ToSQL(func(tx *gorm.DB) *gorm.DB { return tx.Find(&[]item{}, 7) }); got != "SELECT * FROM `items` WHERE `items`.`id` = 7" {
		t.Fatalf("it explains %s", got)
	}
}

// Outside of a transaction too an error is the driver's own: GORM's translator
// does not look inside of others.
func TestDialectorTranslatesOutsideOfTransactions(t *testing.T) {
	db := openHooks(t, newPath(t), hooks.Config{}, &gorm.Config{
		Logger: logger.Discard, TranslateError: true, SkipDefaultTransaction: true,
	})
	must(t, db.AutoMigrate(&item{}))
	must(t, db.Create(&item{ID: 1}).Error)
	for name, err := range map[string]error{
		"Create": db.Create(&item{ID: 1}).Error,
		"Exec":   db.Exec("INSERT INTO items (id) VALUES (1)").Error,
	} {
		if !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Errorf("%s: got %v, want %v", name, err, gorm.ErrDuplicatedKey)
		}
	}
}

// After an error of db.Use everything is GORM's.
func TestDialectorAfterAnErrorOfUse(t *testing.T) {
	db := openPlain(t, newPath(t), quiet())
	if db.Use(hooks.New(hooks.Config{CacheSize: -1})) == nil {
		t.Fatal("a bad config is taken")
	}
	if _, ok := db.Dialector.(*sqlite.Dialector); !ok {
		t.Fatalf("the dialector is %T", db.Dialector)
	}
	must(t, db.Use(hooks.New(hooks.Config{Logger: silent})))
	mustBe(t, db.Use(hooks.New(hooks.Config{})), gorm.ErrRegistered)
	must(t, db.AutoMigrate(&item{}))
}
