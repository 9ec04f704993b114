package hooks

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"gorm.io/gorm"
)

// planKind is what a step of a plan does, as far as the guard asks.
type planKind int

const (
	planOther  planKind = iota
	planScan            // reads all of a table, or of an index
	planSearch          // reads a part of a table by a key
	planSort            // sorts by hand for ORDER BY
	planView            // computes a subquery or a CTE under a name
)

// planStep is one line of EXPLAIN QUERY PLAN.
type planStep struct {
	detail    string // as SQLite wrote it
	depth     int    // how far it is indented
	kind      planKind
	table     string   // the table as the statement calls it, alias or name
	index     string   // the index that is read, or empty
	covering  bool     // the index has all that is asked for
	automatic bool     // the index is made for this statement alone
	columns   []string // of an automatic index
}

// A scan's detail is written by sqlite3WhereAddExplainText in SQLite's
// wherecode.c; the rest by the callers of ExplainQueryPlan in select.c.
var (
	planLoop  = regexp.MustCompile(`^(SCAN|SEARCH) (.+?)(?: EXISTS)?(?: USING (.+?))?(?: LEFT-JOIN)?(?: \(~\d+ rows?\))?$`)
	planUses  = regexp.MustCompile(`^(AUTOMATIC )?(?:PARTIAL )?(COVERING )?INDEX ?([^(]*?)(?: ?\((.*)\))?$`)
	planMade  = regexp.MustCompile(`^(?:CO-ROUTINE|MATERIALIZE) (.+)$`)
	notATable = regexp.MustCompile(`^(?:\d+ )?CONSTANT ROWS?$|^\d+-ROW VALUES CLAUSE$|^\((?:subquery|join)-\d+\)$| VIRTUAL TABLE INDEX `)
)

// parseStep reads one detail.
func parseStep(detail string) planStep {
	step := planStep{detail: detail}
	if made := planMade.FindStringSubmatch(detail); made != nil {
		step.kind, step.table = planView, made[1]
		return step
	}
	if strings.HasPrefix(detail, "USE TEMP B-TREE FOR ") && strings.HasSuffix(detail, "ORDER BY") {
		step.kind = planSort
		return step
	}
	loop := planLoop.FindStringSubmatch(detail)
	if loop == nil || notATable.MatchString(loop[2]) {
		return step
	}
	step.kind, step.table = planSearch, loop[2]
	if loop[1] == "SCAN" {
		step.kind = planScan
	}
	if uses := planUses.FindStringSubmatch(loop[3]); uses != nil {
		step.automatic, step.covering, step.index = uses[1] != "", uses[2] != "", uses[3]
		if step.automatic {
			step.columns = columnsOf(uses[4])
		}
	}
	return step
}

// columnsOf returns the columns of "a=? AND b>?".
func columnsOf(condition string) []string {
	var columns []string
	for _, term := range strings.Split(condition, " AND ") {
		if end := strings.IndexAny(term, "=<>"); end > 0 {
			columns = append(columns, term[:end])
		}
	}
	return columns
}

// planConn asks questions of the connection that a statement runs on. What it
// asks goes past GORM's callbacks, so that the guard never sees itself.
type planConn struct {
	ctx  context.Context
	pool gorm.ConnPool
}

// explain returns the plan of query. The values are those of the statement:
// SQLite wants as many as there are places.
//
// EXPLAIN does not look whether the schema that a connection knows is still
// the file's, and would plan without an index that another connection has made.
// A statement that reads the file does.
func (c planConn) explain(query string, vars []any) (plan []planStep, err error) {
	if _, err := c.texts(knowSchema); err != nil {
		return nil, err
	}
	rows, err := c.pool.QueryContext(c.ctx, "EXPLAIN QUERY PLAN "+strings.TrimLeft(query, "; \t\r\n"), vars...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	depths := map[int]int{}
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			return nil, err
		}
		step := parseStep(detail)
		step.depth = depths[parent]
		depths[id] = step.depth + 1
		plan = append(plan, step)
	}
	return plan, rows.Err()
}

// texts returns the first column of what query finds.
func (c planConn) texts(query string, args ...any) (list []string, err error) {
	rows, err := c.pool.QueryContext(c.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, rows.Err()
}

// moreThan reports whether a table has more than n rows. It reads at most n+1
// of them.
func (c planConn) moreThan(n int, table string) (bool, error) {
	counted, err := c.texts(fmt.Sprintf("SELECT count(*) FROM (SELECT 1 FROM %s LIMIT ?)", quoteName(table)), n+1)
	if err != nil {
		return false, err
	}
	return len(counted) == 1 && counted[0] == fmt.Sprint(n+1), nil
}

const (
	knowSchema  = "SELECT type FROM sqlite_schema LIMIT 1"
	findTable   = "SELECT type FROM pragma_table_list WHERE lower(name) = lower(?)"
	findColumns = "SELECT name FROM pragma_table_xinfo(?)"
	findRowid   = "SELECT name FROM pragma_table_xinfo(?) WHERE pk = 1 AND upper(type) = 'INTEGER'"
	findSchema  = `
		SELECT sql
		FROM sqlite_schema
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
		ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid`
	findIndexName = "SELECT name FROM sqlite_schema WHERE lower(name) = lower(?)"
)

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// quoteName returns name so that it can stand in a statement.
func quoteName(name string) string {
	if plainName.MatchString(name) && !planKeywords[strings.ToUpper(name)] {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
