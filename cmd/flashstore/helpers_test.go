package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// outcome is what a call of the program left.
type outcome struct {
	code           int
	stdout, stderr string
}

// call runs the program with nothing on its standard input.
func call(tb testing.TB, args ...string) outcome {
	tb.Helper()
	return callWith(tb.Context(), "", args...)
}

func callWith(ctx context.Context, stdin string, args ...string) outcome {
	return callFrom(ctx, strings.NewReader(stdin), args...)
}

func callFrom(ctx context.Context, stdin io.Reader, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, stdin, &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// must fails the test unless the program ended with that status.
func (o outcome) must(tb testing.TB, code int) outcome {
	tb.Helper()
	if o.code != code {
		tb.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", o.code, code, o.stdout, o.stderr)
	}
	return o
}

// says fails the test unless all texts were printed, on either.
func (o outcome) says(tb testing.TB, texts ...string) outcome {
	tb.Helper()
	for _, text := range texts {
		if !strings.Contains(o.stdout+o.stderr, text) {
			tb.Errorf("nothing says %q\nstdout: %s\nstderr: %s", text, o.stdout, o.stderr)
		}
	}
	return o
}

// quiet fails the test if standard error was written to.
func (o outcome) quiet(tb testing.TB) outcome {
	tb.Helper()
	if o.stderr != "" {
		tb.Errorf("standard error is not empty: %q", o.stderr)
	}
	return o
}

// mustJSON reads standard output, which must be one JSON value, into v.
func (o outcome) mustJSON(tb testing.TB, v any) {
	tb.Helper()
	lines := json.NewDecoder(strings.NewReader(o.stdout))
	lines.DisallowUnknownFields()
	if err := lines.Decode(v); err != nil {
		tb.Fatalf("read %s: %v", o.stdout, err)
	}
	if lines.More() {
		tb.Fatalf("more than one value: %s", o.stdout)
	}
}

// tempDB returns the name of a file that is not there, with a space and a
// question mark in it.
func tempDB(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "class 1?.db")
}

// mustOpen opens a database as another program does.
func mustOpen(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	driver, dsn := "sqlite3", (&options{db: path}).dsn("rwc")
	if (&options{db: path}).isPostgres() {
		driver, dsn = "pgx", path
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// mustExec runs statements in one connection and closes it.
func mustExec(tb testing.TB, path string, statements ...string) {
	tb.Helper()
	db := mustOpen(tb, path)
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// mustAsk returns the first column of the first row.
func mustAsk(tb testing.TB, path, query string, args ...any) string {
	tb.Helper()
	rows := mustRows(tb, path, query, args...)
	if len(rows) == 0 {
		tb.Fatalf("%s: no row", query)
	}
	return rows[0][0]
}

// mustRows returns a query's rows as text.
func mustRows(tb testing.TB, path, query string, args ...any) [][]string {
	tb.Helper()
	db := mustOpen(tb, path)
	defer db.Close()
	rows, err := db.Query(query, args...)
	if err != nil {
		tb.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		tb.Fatal(err)
	}
	var all [][]string
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range dest {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			tb.Fatal(err)
		}
		row := make([]string, len(columns))
		for i, value := range values {
			row[i] = cell(value)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return all
}

func cell(value any) string {
	if blob, ok := value.([]byte); ok {
		return fmt.Sprintf("x%x", blob)
	}
	return fmt.Sprint(value)
}

// lines returns a query's rows as sorted lines.
func lines(tb testing.TB, path, query string) []string {
	tb.Helper()
	var list []string
	for _, row := range mustRows(tb, path, query) {
		list = append(list, strings.Join(row, "|"))
	}
	slices.Sort(list)
	return list
}

// dump returns every row of every table.
func dump(tb testing.TB, path string) map[string][]string {
	tb.Helper()
	all := map[string][]string{}
	for _, row := range mustRows(tb, path, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
		all[row[0]] = lines(tb, path, "SELECT * FROM "+row[0])
	}
	if len(all) == 0 {
		tb.Fatalf("%s has no tables", path)
	}
	return all
}

// digest returns the SHA-256 of a file.
func digest(tb testing.TB, path string) [sha256.Size]byte {
	tb.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return sha256.Sum256(content)
}

// files returns the names in the folder of path.
func files(tb testing.TB, path string) []string {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// foreign makes another program's database: in rollback journal mode, with
// tables that are not ours.
func foreign(tb testing.TB) string {
	tb.Helper()
	path := tempDB(tb)
	mustExec(tb, path,
		"CREATE TABLE users (id INTEGER PRIMARY KEY, nick TEXT)",
		"CREATE TABLE notes (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), body BLOB)",
		"INSERT INTO users (nick) VALUES ('ann')",
		"INSERT INTO notes (user_id, body) VALUES (1, randomblob(20000))")
	return path
}

// class makes a database with the demo's class in it.
func class(tb testing.TB) string {
	tb.Helper()
	path := tempDB(tb)
	callWith(tb.Context(), string(classRecording), "replay", "--db", path, "-").must(tb, 0)
	return path
}
