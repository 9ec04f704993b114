package hooks

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const planSchema = `
	CREATE TABLE t (id INTEGER PRIMARY KEY, a INT, b INT, c INT);
	CREATE INDEX t_a ON t (a);
	CREATE TABLE u (id INTEGER PRIMARY KEY, a INT, d INT);
	CREATE TABLE "two words" (x INT);
	CREATE TABLE k (x INT, y INT, PRIMARY KEY (x, y)) WITHOUT ROWID;`

// TestParseStep reads the plans that the SQLite of this build makes.
func TestParseStep(t *testing.T) {
	db, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "plan.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(planSchema); err != nil {
		t.Fatal(err)
	}
	conn := planConn{ctx: context.Background(), pool: db}
	type step = planStep
	for query, want := range map[string][]step{
		"SELECT * FROM t":                {{detail: "SCAN t", kind: planScan, table: "t"}},
		"SELECT * FROM t AS x":           {{detail: "SCAN x", kind: planScan, table: "x"}},
		"SELECT * FROM main.t":           {{detail: "SCAN main.t", kind: planScan, table: "main.t"}},
		`SELECT * FROM "two words"`:      {{detail: "SCAN two words", kind: planScan, table: "two words"}},
		"SELECT * FROM k":                {{detail: "SCAN k", kind: planScan, table: "k"}},
		"SELECT a FROM t":                {{detail: "SCAN t USING COVERING INDEX t_a", kind: planScan, table: "t", index: "t_a", covering: true}},
		"SELECT * FROM t ORDER BY a":     {{detail: "SCAN t USING INDEX t_a", kind: planScan, table: "t", index: "t_a"}},
		"SELECT * FROM t WHERE id = ?":   {{detail: "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)", kind: planSearch, table: "t"}},
		"SELECT * FROM t WHERE a > ?":    {{detail: "SEARCH t USING INDEX t_a (a>?)", kind: planSearch, table: "t", index: "t_a"}},
		"SELECT a FROM t WHERE a = ?":    {{detail: "SEARCH t USING COVERING INDEX t_a (a=?)", kind: planSearch, table: "t", index: "t_a", covering: true}},
		"SELECT * FROM k WHERE x = ?":    {{detail: "SEARCH k USING PRIMARY KEY (x=?)", kind: planSearch, table: "k"}},
		"SELECT max(b) FROM t":           {{detail: "SEARCH t", kind: planSearch, table: "t"}},
		"SELECT ?":                       {{detail: "SCAN CONSTANT ROW"}},
		"SELECT * FROM json_each(?)":     {{detail: "SCAN json_each VIRTUAL TABLE INDEX 1:"}},
		"SELECT * FROM t GROUP BY b":     {{detail: "SCAN t", kind: planScan, table: "t"}, {detail: "USE TEMP B-TREE FOR GROUP BY"}},
		"SELECT DISTINCT b FROM t":       {{detail: "SCAN t", kind: planScan, table: "t"}, {detail: "USE TEMP B-TREE FOR DISTINCT"}},
		"SELECT * FROM t ORDER BY b":     {{detail: "SCAN t", kind: planScan, table: "t"}, {detail: "USE TEMP B-TREE FOR ORDER BY", kind: planSort}},
		"UPDATE t SET b = ? WHERE b=?":   {{detail: "SCAN t", kind: planScan, table: "t"}},
		"DELETE FROM t WHERE b IN (?,?)": {{detail: "SCAN t", kind: planScan, table: "t"}},
		"SELECT * FROM t WHERE a = ? ORDER BY a, b": {
			{detail: "SEARCH t USING INDEX t_a (a=?)", kind: planSearch, table: "t", index: "t_a"},
			{detail: "USE TEMP B-TREE FOR LAST TERM OF ORDER BY", kind: planSort},
		},
		"SELECT * FROM t ORDER BY a, b": {
			{detail: "SCAN t USING INDEX t_a", kind: planScan, table: "t", index: "t_a"},
			{detail: "USE TEMP B-TREE FOR LAST TERM OF ORDER BY", kind: planSort},
		},
		"SELECT * FROM t ORDER BY a, b, c": {
			{detail: "SCAN t USING INDEX t_a", kind: planScan, table: "t", index: "t_a"},
			{detail: "USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY", kind: planSort},
		},
		"SELECT * FROM t JOIN u ON t.b = u.d AND u.a = t.c": {
			{detail: "SCAN t", kind: planScan, table: "t"},
			{detail: "BLOOM FILTER ON u (a=? AND d=?)"},
			{detail: "SEARCH u USING AUTOMATIC COVERING INDEX (a=? AND d=?)", kind: planSearch, table: "u", automatic: true, covering: true, columns: []string{"a", "d"}},
		},
		"SELECT * FROM t LEFT JOIN u ON t.b = u.id": {
			{detail: "SCAN t", kind: planScan, table: "t"},
			{detail: "SEARCH u USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN", kind: planSearch, table: "u"},
		},
		"SELECT * FROM (SELECT b, count(*) AS n FROM t GROUP BY b) AS s": {
			{detail: "CO-ROUTINE s", kind: planView, table: "s"},
			{detail: "SCAN t", depth: 1, kind: planScan, table: "t"},
			{detail: "USE TEMP B-TREE FOR GROUP BY", depth: 1},
			{detail: "SCAN s", kind: planScan, table: "s"},
		},
	} {
		got, err := conn.explain(query, make([]any, strings.Count(query, "?")))
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(planStep{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}

// TestReadText shows what is understood of a statement, and what is left out.
func TestReadText(t *testing.T) {
	column := func(table, name string, test planTest) planColumn {
		return planColumn{table: table, name: name, test: test}
	}
	for query, want := range map[string][]planColumn{
		"SELECT 1 FROM t WHERE a = ? AND `t`.`b` > 3":              {column("", "a", testEqual), column("t", "b", testRange)},
		"SELECT 1 FROM t WHERE a IS NULL AND b IS NOT NULL":        {column("", "a", testNull)},
		"SELECT 1 FROM t WHERE a BETWEEN ? AND ? AND b in (?,?)":   {column("", "a", testRange), column("", "b", testIn)},
		"SELECT 1 FROM t WHERE (a = 1 OR b = 2) AND c = 'x OR y'":  {column("", "c", testEqual)},
		"SELECT 1 FROM t WHERE a = 1 OR b = 2":                     nil,
		"SELECT 1 FROM t WHERE NOT a = 1 AND b != 2":               nil,
		"SELECT 1 FROM t WHERE lower(a) = ? AND b LIKE ?":          nil,
		"SELECT 1 FROM t WHERE ? = a -- AND b = 1\n AND c = 2":     {column("", "a", testEqual), column("", "c", testEqual)},
		"SELECT 1 FROM t JOIN u ON t.a = u.b WHERE c = 1":          {column("u", "b", testJoin), column("t", "a", testJoin), column("", "c", testEqual)},
		"UPDATE t SET a = 1, b = 2 WHERE c = 3":                    {column("", "c", testEqual)},
		"SELECT 1 FROM t WHERE a IN (SELECT b FROM u WHERE d = 1)": {column("", "a", testIn), column("", "d", testEqual)},
	} {
		if diff := cmp.Diff(want, readText(query).conditions, cmp.AllowUnexported(planColumn{})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
	for query, want := range map[string]map[string]string{
		"SELECT 1 FROM `two words` AS w, main.t x, u WHERE 1": {"w": "two words", "x": "t", "u": "u"},
		"SELECT 1 FROM t LEFT JOIN u o ON o.id = t.id":        {"t": "t", "o": "u"},
		"UPDATE t SET a = 1":                                  {"t": "t"},
	} {
		if diff := cmp.Diff(want, readText(query).aliases); diff != "" {
			t.Errorf("%s (-want +got)\n%s", query, diff)
		}
	}
}

// FuzzReadText shows that no text makes the reading panic.
func FuzzReadText(f *testing.F) {
	for _, query := range []string{
		"", "SELECT", "WHERE a", "WHERE a =", "ORDER BY", "ORDER BY a COLLATE", "FROM t AS", "FROM (", ")))", "WHERE ((a))",
		"SELECT max", "SELECT max(", "FROM \"", "WHERE a IS", "FROM t.", "\"\"\"", "WHERE é = ?", "ON a BETWEEN", "''",
	} {
		f.Add(query)
	}
	f.Fuzz(func(_ *testing.T, query string) { readText(query) })
}
