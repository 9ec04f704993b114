package hooks_test

import (
	"database/sql"
	"errors"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

func TestReadOnly(t *testing.T) {
	path := newPath(t)
	write := func(db *gorm.DB) error { return db.Exec("CREATE TABLE more (n INTEGER)").Error }
	db := openHooks(t, path, hooks.Config{}, quiet())
	must(t, db.Exec("CREATE TABLE notes (n INTEGER NOT NULL)").Error)
	err := hooks.Transaction(t.Context(), db, write, &sql.TxOptions{ReadOnly: true})
	if !hooks.ReadOnly(err) {
		t.Errorf("in a transaction for reading only: %v", err)
	}
	if err := write(openHooks(t, "file:"+path+"?mode=ro", hooks.Config{}, quiet())); !hooks.ReadOnly(err) {
		t.Errorf("in a file that is open for reading only: %v", err)
	}
	for _, err := range []error{nil, errors.New("attempt to write a readonly database"), db.Exec("INSERT INTO notes VALUES (NULL)").Error} {
		if hooks.ReadOnly(err) {
			t.Errorf("%v", err)
		}
	}
}
