package hooks

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// planIndex is an index that may help.
type planIndex struct {
	table   string
	columns []string // as CREATE INDEX has them: quoted, with COLLATE and DESC
	names   []string // the bare names
}

// sql returns the statement that creates the index under name.
func (i planIndex) sql(name string) string {
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s);", quoteName(name), quoteName(i.table), strings.Join(i.columns, ", "))
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9]+`)

// name returns what people call such an index.
func (i planIndex) name() string {
	return strings.ToLower(notInName.ReplaceAllString("idx_"+i.table+"_"+strings.Join(i.names, "_"), "_"))
}

// planAdviser derives indexes from what a statement asks for.
type planAdviser struct {
	text    planText
	columns map[string][]string // the columns of each table
	keys    map[string][]string // the INTEGER PRIMARY KEY of each table, or none
}

// newPlanAdviser asks conn for the columns of the tables.
func newPlanAdviser(conn planConn, text planText, tables []string) (planAdviser, error) {
	a := planAdviser{text: text, columns: map[string][]string{}, keys: map[string][]string{}}
	for _, table := range tables {
		columns, err := conn.texts(findColumns, table)
		if err != nil {
			return a, err
		}
		keys, err := conn.texts(findRowid, table)
		if err != nil {
			return a, err
		}
		a.columns[table], a.keys[table] = columns, keys
	}
	return a, nil
}

// of returns those of refs that are columns of table.
func (a planAdviser) of(table string, refs []planColumn, tests ...planTest) []planColumn {
	var found []planColumn
	for _, ref := range refs {
		if ref.table != "" && !strings.EqualFold(a.text.table(ref.table), table) {
			continue
		}
		has := slices.ContainsFunc(a.columns[table], func(name string) bool { return strings.EqualFold(name, ref.name) })
		if has && (len(tests) == 0 || slices.Contains(tests, ref.test)) {
			found = append(found, ref)
		}
	}
	return found
}

// indexes returns indexes on table that may help, the likelier first: the
// columns that are compared for equality, then one with bounds or those of
// the ORDER BY; once without and once with the columns of joins.
func (a planAdviser) indexes(table string) []planIndex {
	conditions := a.text.conditions
	equal := a.of(table, conditions, testEqual)
	in := a.of(table, conditions, testIn)
	null := a.of(table, conditions, testNull)
	join := a.of(table, conditions, testJoin)
	bounds := a.of(table, conditions, testRange)
	bounds = bounds[:min(1, len(bounds))]

	var list []planIndex
	add := func(parts ...[]planColumn) { list = append(list, newPlanIndex(table, slices.Concat(parts...))...) }
	for _, order := range a.text.orders {
		// A list of values would break the order, and bounds come after it.
		if mine := a.of(table, order); len(mine) == len(order) {
			add(equal, null, a.withoutKey(table, mine))
			add(equal, null, mine)
			add(equal, join, null, mine)
		}
	}
	if len(equal)+len(in)+len(bounds) > 0 {
		add(equal, in, null, bounds)
	}
	if len(join) > 0 {
		add(equal, in, join, null, bounds)
		add(join)
	}
	for _, extreme := range a.of(table, a.text.extremes) {
		add(equal, null, []planColumn{extreme})
	}
	return list
}

// withoutKey returns order without the INTEGER PRIMARY KEY at its end: every
// index ends with that already.
func (a planAdviser) withoutKey(table string, order []planColumn) []planColumn {
	last := len(order) - 1
	if slices.ContainsFunc(a.keys[table], func(key string) bool { return strings.EqualFold(key, order[last].name) }) {
		return order[:last]
	}
	return order
}

// newPlanIndex returns the index on columns, each of them once, or nothing if
// there are none.
func newPlanIndex(table string, columns []planColumn) []planIndex {
	index := planIndex{table: table}
	mixed := slices.ContainsFunc(columns, func(c planColumn) bool { return c.desc }) && !allDescend(columns)
	for _, column := range columns {
		if slices.ContainsFunc(index.names, func(name string) bool { return strings.EqualFold(name, column.name) }) {
			continue
		}
		definition := quoteName(column.name)
		if column.collate != "" {
			definition += " COLLATE " + column.collate
		}
		if column.desc && mixed {
			definition += " DESC"
		}
		index.columns = append(index.columns, definition)
		index.names = append(index.names, column.name)
	}
	if len(index.names) == 0 {
		return nil
	}
	return []planIndex{index}
}

// allDescend reports whether an index could be read backwards: no column of
// an ORDER BY ascends. A column of a condition has no direction.
func allDescend(columns []planColumn) bool {
	for _, column := range columns {
		if !column.desc && column.ordered {
			return false
		}
	}
	return true
}
