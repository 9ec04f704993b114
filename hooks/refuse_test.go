package hooks_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/flashstore/flashstore/hooks"
)

func TestRefuseWrites(t *testing.T) {
	db, _ := newItems(t)
	because := errors.New("the log is too long")
	open := mustBegin(t, db)
	must(t, hooks.RefuseWrites(db, because))

	must(t, add(open)) // it has begun
	must(t, open.Commit().Error)
	mustBe(t, add(db), because)
	mustBe(t, db.Begin().Error, because)
	mustBe(t, db.Raw("INSERT INTO items (n) VALUES (1) RETURNING id").Scan(new(int64)).Error, because)
	mustCount(t, db, 1)
	must(t, db.Begin(&sql.TxOptions{ReadOnly: true}).Rollback().Error)
	must(t, hooks.WithWriter(t.Context(), db, func(conn *sql.Conn) error { return conn.PingContext(t.Context()) }))

	must(t, hooks.RefuseWrites(db, nil))
	must(t, add(db))
	mustCount(t, db, 2)
}

func TestRefuseWritesWithoutThePlugin(t *testing.T) {
	db := openPlain(t, newPath(t), quiet())
	mustBe(t, hooks.RefuseWrites(db, errors.New("full")), hooks.ErrNoPlugin)
}
