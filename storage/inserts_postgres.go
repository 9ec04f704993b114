package storage

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"
)

// makeListTexts makes the texts that write any number of rows on PostgreSQL,
// with a list for each column: one round trip, and a plan that is there.
func (e *engine) makeListTexts() {
	e.lists = make(map[*insertion]string, len(insertions))
	for _, i := range insertions {
		e.lists[i] = withPrefix(i.listText(1), e.cfg.TablePrefix)
	}
	e.allOf = make(map[*together]string, len(togethers))
	for _, t := range togethers {
		e.allOf[t] = withPrefix(t.listText(), e.cfg.TablePrefix)
	}
	e.atOnce = withPrefix(appendAtOnce, e.cfg.TablePrefix)
}

// listText returns the SQL with its variables numbered from first.
func (i *insertion) listText(first int) string {
	lists := make([]string, i.columns)
	for n, kind := range i.types {
		lists[n] = fmt.Sprintf("CAST($%d AS %s[])", first+n, kind)
	}
	return i.before + " SELECT * FROM unnest(" + strings.Join(lists, ", ") + ") " + i.after
}

// listText returns the SQL that does all of t in one round trip and counts the
// rows that each has written.
func (t *together) listText() string {
	var with, counts []string
	first := 1
	for n, i := range *t {
		with = append(with, fmt.Sprintf("rows%d AS (%s RETURNING 1)", n, i.listText(first)))
		counts = append(counts, fmt.Sprintf("(SELECT count(*) FROM rows%d)", n))
		first += i.columns
	}
	return "WITH " + strings.Join(with, ",\n") + "\nSELECT " + strings.Join(counts, ", ")
}

// putLists is put on PostgreSQL.
func (u *unit) putLists(i *insertion, args []any) (written int64, err error) {
	if len(args) == 0 {
		return 0, nil
	}
	lists, err := i.lists(nil, args)
	if err != nil {
		return 0, err
	}
	result := u.exec(u.lists[i], lists)
	return result.RowsAffected, result.Error
}

// putAllLists is putAll on PostgreSQL.
func (u *unit) putAllLists(t *together, args [][]any) (written []int64, err error) {
	written = make([]int64, len(*t))
	var lists []any
	var counts []any
	for n, i := range *t {
		if lists, err = i.lists(lists, args[n]); err != nil {
			return written, err
		}
		counts = append(counts, &written[n])
	}
	return written, eachRow(u.ready(u.allOf[t], lists), func(rows *sql.Rows) error { return rows.Scan(counts...) })
}

// lists appends a list for each column of rows that stand one after the other.
func (i *insertion) lists(to []any, args []any) ([]any, error) {
	for n, kind := range i.types {
		list, err := listOf(kind, args, n, i.columns)
		if err != nil {
			return nil, err
		}
		to = append(to, list)
	}
	return to, nil
}

// listOf gathers the values of a column as the driver takes them for its type.
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
