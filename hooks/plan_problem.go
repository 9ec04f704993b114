package hooks

import (
	"fmt"
	"slices"
	"strings"
)

// planProblem is one step of a plan that the guard does not let through.
type planProblem struct {
	step  planStep
	table string // the table's own name; of a sort, that of its first column
	text  string // what is wrong with it
}

// readsWhole reports whether step reads a table or an index from end to end.
// A SEARCH with nothing to search in is SQLite's way to say that of a table
// whose min() or max() is asked for.
func readsWhole(step planStep) bool {
	return step.kind == planScan || step.kind == planSearch && !strings.Contains(step.detail, " USING ")
}

// planLook is one look at the plan of one statement.
type planLook struct {
	conn  planConn
	cfg   PlanGuardConfig
	query string
	vars  []any
	plan  []planStep
	text  planText
	large func(table string) (bool, error) // whether it may not be read whole

	problems []planProblem
	excused  []int    // the exceptions of cfg.Allow that let a problem through
	small    []string // tables that are read whole and may be, small as they are
}

// newPlanLook prepares to look at query as conn sees it.
func newPlanLook(conn planConn, cfg PlanGuardConfig, query string, vars []any) *planLook {
	return &planLook{
		conn: conn, cfg: cfg, query: query, vars: vars, text: readText(query),
		large: func(table string) (bool, error) { return conn.moreThan(cfg.MinRows, table) },
	}
}

// run explains the statement and finds what is wrong with its plan.
func (l *planLook) run() (err error) {
	l.problems, l.excused, l.small = nil, nil, nil
	if l.plan, err = l.conn.explain(l.query, l.vars); err != nil {
		return err
	}
	for _, step := range l.plan {
		if err := l.judge(step); err != nil {
			return err
		}
	}
	return nil
}

// judge adds what is wrong with step.
func (l *planLook) judge(step planStep) error {
	table := l.text.table(step.table)
	if step.kind == planSort {
		table = l.sortedTable()
	}
	switch {
	case strings.HasPrefix(strings.ToLower(table), "sqlite_"):
		// The schema itself, which GORM's migrator reads; it can have no index.
	case step.kind == planSort:
		l.add(step, table, "sorts the rows by hand, all of them before the first one comes out")
	case step.automatic:
		l.add(step, table, "builds an index on "+table+" for this statement alone, every time")
	case !readsWhole(step) || l.computed(step.table) || len(l.plan) == 1 && l.text.cutShort():
	case step.covering && !l.cfg.FailCoveringScans:
	default:
		return l.judgeScan(step, table)
	}
	return nil
}

// judgeScan looks at what a whole table is read for.
func (l *planLook) judgeScan(step planStep, table string) error {
	kind, err := l.conn.texts(findTable, table)
	if err != nil {
		return err
	}
	if len(kind) > 0 && kind[0] == "virtual" || step.kind == planSearch && l.extremeOfRowid(table) {
		return nil
	}
	if len(kind) == 0 {
		l.add(step, table, "reads all of "+table+", whose rows cannot be counted under this name (an alias inside of a view?)")
		return nil
	}
	large, err := l.large(table)
	switch {
	case err != nil:
		return err
	case !large:
		l.small = append(l.small, table)
	case step.covering:
		l.add(step, table, fmt.Sprintf("reads all of the index %s, and of the table nothing; %s has more than %d rows", step.index, table, l.cfg.MinRows))
	default:
		l.add(step, table, fmt.Sprintf("reads all of %s, which has more than %d rows", table, l.cfg.MinRows))
	}
	return nil
}

// add adds a problem, unless an exception excuses it.
func (l *planLook) add(step planStep, table, text string) {
	if i := l.cfg.excuse(l.query, table); i >= 0 {
		l.excused = append(l.excused, i)
		return
	}
	l.problems = append(l.problems, planProblem{step: step, table: table, text: text})
}

// computed reports whether name is that of a subquery or a CTE in the plan.
func (l *planLook) computed(name string) bool {
	return slices.ContainsFunc(l.plan, func(step planStep) bool {
		return step.kind == planView && (strings.EqualFold(step.table, name) || strings.EqualFold(step.table, l.text.table(name)))
	})
}

// extremeOfRowid reports whether min() or max() is asked of the key that the
// rows lie in the order of: SQLite then reads the first or the last row.
func (l *planLook) extremeOfRowid(table string) bool {
	keys, err := l.conn.texts(findRowid, table)
	return err == nil && slices.ContainsFunc(l.text.extremes, func(column planColumn) bool {
		return strings.EqualFold(column.name, "rowid") ||
			slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, column.name) })
	})
}

// sortedTable returns the table of the first column that is sorted by, or the
// first table of the plan.
func (l *planLook) sortedTable() string {
	for _, order := range l.text.orders {
		if order[0].table != "" {
			return l.text.table(order[0].table)
		}
	}
	for _, step := range l.plan {
		if step.kind == planScan || step.kind == planSearch {
			return l.text.table(step.table)
		}
	}
	return ""
}
