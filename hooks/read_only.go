package hooks

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// ReadOnly reports whether err is SQLite's answer to a write where nothing can
// be written: in a read-only transaction, or to a file that is open read-only.
func ReadOnly(err error) bool {
	var said sqlite3.Error
	return errors.As(err, &said) && said.Code == sqlite3.ErrReadonly
}
