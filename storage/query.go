package storage

import (
	"cmp"
	"regexp"
)

// query is one statement of the library with the plan that it needs: what
// EXPLAIN QUERY PLAN must say of it on SQLite, line by line (N12). A test
// holds every one of them.
//
// In a query that runs often a variable stands in a CAST to its column's type.
// SQLite looks at the value of a bare one when it plans "column = ?" and "LIMIT
// ?"; since the driver clears all values between two runs, it then plans the
// statement again at each run, which can take longer than running it.
type query struct {
	sql      string // table names in braces take the prefix; "": there is none on SQLite
	postgres string // the text there, where it is another
	plan     []string
	why      string // a plan that reads a whole table or sorts by hand is right nevertheless
}

// queries are all of them.
var queries []*query

// declare makes a query. It is called for package variables only.
func declare(sql string, plan ...string) *query {
	q := &query{sql: sql, plan: plan}
	queries = append(queries, q)
	return q
}

// onPostgres gives a query another text there.
func (q *query) onPostgres(sql string) *query {
	q.postgres = sql
	return q
}

// because says why a query may read a whole table or sort by hand: a test
// refuses it without a reason, and a reason where there is no need for one.
func (q *query) because(why string) *query {
	q.why = why
	return q
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// text returns SQLite's text with the prefix before its table names.
func (q *query) text(prefix string) string { return withPrefix(q.sql, prefix) }

// textOnPostgres returns PostgreSQL's.
func (q *query) textOnPostgres(prefix string) string {
	return withPrefix(cmp.Or(q.postgres, q.sql), prefix)
}

// withPrefix puts the prefix before the names in braces.
func withPrefix(sql, prefix string) string { return placeholder.ReplaceAllString(sql, prefix+"$1") }
