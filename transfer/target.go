package transfer

import (
	"context"
	"fmt"
	"strings"
)

// writer writes to a target. Each call is one transaction: all of it or
// nothing. Until it is closed there is no other one to the same target.
type writer interface {
	// put stores rows that are not there, and others in place of those of the
	// same key.
	put(ctx context.Context, t *table, added, changed []row) error
	// each runs a statement once for the values of each row. Its variables are
	// question marks.
	each(ctx context.Context, statement string, rows []row) error
	// number sets what the next row's number is to be above.
	number(ctx context.Context, t *table, given int64) error
	close() error
}

// newWriter returns the writer to a side, or ErrOtherCopy.
func newWriter(ctx context.Context, to side, prefix string) (writer, error) {
	if to.postgres {
		return newToPostgres(ctx, to.db, prefix)
	}
	return newToSQLite(ctx, to.db)
}

// conflict is the end of an INSERT that overwrites.
func (t *table) conflict() string {
	var set []string
	for _, c := range t.columns[t.keys:] {
		set = append(set, c.name+" = excluded."+c.name)
	}
	action := "NOTHING"
	if len(set) > 0 {
		action = "UPDATE SET " + strings.Join(set, ", ")
	}
	return fmt.Sprintf(" ON CONFLICT (%s) DO %s", strings.Join(names(t.key()), ", "), action)
}

// remove is the statement that deletes the rows with these values of columns.
func (t *table) remove(columns []column) string {
	return "DELETE FROM " + t.name + where(columns)
}

// release is the statement that gives away one row's value of the column that
// moves.
func (t *table) release() string {
	return "UPDATE " + t.name + " SET " + t.moves + " = NULL" + where(t.key())
}

func where(columns []column) string {
	return " WHERE " + strings.Join(names(columns), " = ? AND ") + " = ?"
}
