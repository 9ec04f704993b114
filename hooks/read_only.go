package hooks

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// ReadOnly reports whether err is SQLite's answer to a write where nothing can
// be written: in a transaction for reading only, or to a file that is open for
// reading only.
func ReadOnly(err error) bool {
	var said sqlite3.Error
	return errors.As(err, &said) && said.Code == sqlite3.ErrReadonly
}
