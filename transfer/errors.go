package transfer

import (
	"errors"
	"fmt"
	"strings"
)

// ErrInTransaction means that one of the databases is a *gorm.DB inside a
// transaction. Nothing was changed.
var ErrInTransaction = errors.New("a copy does not run inside a transaction: give it the outer *gorm.DB, not tx")

// ErrNoWAL means that the target is a SQLite database without a write-ahead
// log: it could not be read for comparison while it is written to. Nothing was
// changed.
var ErrNoWAL = errors.New("the target has no write-ahead log: " +
	"open it as a file, with db.Use(hooks.New(hooks.Config{})) or db.Use(storage.New(storage.Config{}))")

// ForeignTargetError says that the target holds what the source never had: it
// is another store, or a copy that has been written to since. Nothing was
// changed.
type ForeignTargetError struct {
	Table string // its name, with the prefix
	Rows  int64  // such rows in it
	Why   string
}

func (e *ForeignTargetError) Error() string {
	return fmt.Sprintf("the target is not a copy of the source: %d of the rows of its table %q %s; no row was changed: "+
		"give an empty target, or swap the two", e.Rows, e.Table, e.Why)
}

// DisagreementError says which tables are not the same on both sides after a
// copy. What was written stays: run it again while nobody else writes to the
// target.
type DisagreementError struct {
	Tables []TableReport // those that disagree
}

func (e *DisagreementError) Error() string {
	said := make([]string, len(e.Tables))
	for i, t := range e.Tables {
		said[i] = fmt.Sprintf("%s (%d rows at the source, %d at the target)", t.Table, t.Rows, t.TargetRows)
		if t.Rows == t.TargetRows {
			said[i] = fmt.Sprintf("%s (%d rows on both sides, with other contents)", t.Table, t.Rows)
		}
	}
	return "source and target disagree after the copy about " + strings.Join(said, ", ") +
		": run it again while nobody else writes to the target"
}
