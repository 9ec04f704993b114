package hooks

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// ForeignKeyViolated reports whether a row was refused because the one that it
// refers to does not exist, or because others refer to it: on SQLite, and on
// PostgreSQL.
func ForeignKeyViolated(err error) bool {
	if err == nil {
		return false // errors.As needs room for what it finds
	}
	var pg interface{ SQLState() string }
	if errors.As(err, &pg) {
		return pg.SQLState() == "23503"
	}
	var se sqlite3.Error
	return errors.As(err, &se) && se.ExtendedCode == sqlite3.ErrConstraintForeignKey
}
