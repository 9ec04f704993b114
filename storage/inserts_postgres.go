package storage

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// listText returns the SQL for any number of rows on PostgreSQL, with a list
// for each column.
func (i *insertion) listText(prefix string) string {
	lists := make([]string, i.columns)
	for n, kind := range i.types {
		lists[n] = fmt.Sprintf("CAST($%d AS %s[])", n+1, kind)
	}
	return withPrefix(i.before+" SELECT * FROM unnest("+strings.Join(lists, ", ")+") "+i.after, prefix)
}

// putLists is put on PostgreSQL: one round trip.
func (u *unit) putLists(i *insertion, args []any) (written int64, err error) {
	if len(args) == 0 {
		return 0, nil
	}
	lists := make([]any, i.columns)
	for n, kind := range i.types {
		if lists[n], err = listOf(kind, args, n, i.columns); err != nil {
			return 0, err
		}
	}
	result := u.exec(u.lists[i], lists)
	return result.RowsAffected, result.Error
}

// listOf gathers the values of a column from rows that stand one behind the
// other, as the driver takes them for its type.
func listOf(kind string, args []any, first, step int) (any, error) {
	switch kind {
	case "bigint":
		return gatherList[int64](args, first, step)
	case "boolean":
		return gatherList[bool](args, first, step)
	case "double precision":
		return gatherList[float64](args, first, step)
	case "text":
		return gatherList[string](args, first, step)
	}
	return gatherList[[]byte](args, first, step) // uuid and bytea; nil is NULL
}

func gatherList[T any](args []any, first, step int) ([]T, error) {
	list := make([]T, 0, len(args)/step)
	for n := first; n < len(args); n += step {
		value := args[n]
		if v, ok := value.(driver.Valuer); ok {
			var err error
			if value, err = v.Value(); err != nil {
				return nil, err
			}
		}
		item, ok := value.(T)
		if !ok && value != nil {
			return nil, fmt.Errorf("a value of type %T cannot be in a list of %T", value, item)
		}
		list = append(list, item)
	}
	return list, nil
}
