package hooks

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// look is what a rebuild must leave as it was.
type look struct {
	objects  []object          // everything in the schema
	columns  map[string]column // of the table, by name
	options  string            // STRICT, WITHOUT ROWID
	rows     map[string]int64  // of the table and of all that refer to it, by name
	sequence sql.NullInt64     // the last number of AUTOINCREMENT
}

// column is a column and, in text, what can be said of its values at once.
type column struct {
	typ         string
	filled      int64 // rows that are not NULL
	least, most string
}

// look reads what there is now.
func (g *guard) look() (now *look, err error) {
	now = &look{rows: map[string]int64{}}
	if now.objects, err = g.objects(); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	if now.columns, err = g.columns(); err != nil {
		return nil, fmt.Errorf("read the columns of %q: %w", g.table, err)
	}
	if len(now.columns) == 0 {
		return nil, fmt.Errorf("no such table: %s", g.table)
	}
	if err = g.readValues(now.columns); err != nil {
		return nil, fmt.Errorf("read what %q holds: %w", g.table, err)
	}
	if now.options, err = g.options(); err != nil {
		return nil, fmt.Errorf("read the options of %q: %w", g.table, err)
	}
	if now.sequence, err = g.sequence(); err != nil {
		return nil, fmt.Errorf("read the last number of AUTOINCREMENT: %w", err)
	}
	tables, err := g.referring()
	if err != nil {
		return nil, fmt.Errorf("find the tables that refer to %q: %w", g.table, err)
	}
	for _, table := range tables {
		if now.rows[table], err = g.count(table); err != nil {
			return nil, err
		}
	}
	return now, nil
}

// referringTables finds a table, those that refer to it, those that refer to
// these, and so on.
const referringTables = `
	WITH RECURSIVE
		refers(child, parent) AS (
			SELECT t.name, f."table"
			FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
			WHERE t.type = 'table'
		),
		reached(name) AS (
			SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE
			UNION
			SELECT child FROM refers JOIN reached ON parent = name COLLATE NOCASE
		)
	SELECT name FROM reached`

func (g *guard) referring() (tables []string, err error) {
	err = g.each(referringTables, []any{g.table}, func(rows *sql.Rows) error {
		var name string
		err := rows.Scan(&name)
		tables = append(tables, name)
		return err
	})
	return tables, err
}

func (g *guard) count(table string) (n int64, err error) {
	row := g.tx.QueryRowContext(g.ctx, "SELECT count(*) FROM "+inSQL(table))
	if err := row.Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of %q: %w", table, err)
	}
	return n, nil
}

// columns returns the columns that hold something; generated ones do not.
func (g *guard) columns() (map[string]column, error) {
	columns := map[string]column{}
	err := g.each("SELECT name, type FROM pragma_table_info(?)", []any{g.table}, func(rows *sql.Rows) error {
		var name, typ string
		err := rows.Scan(&name, &typ)
		columns[name] = column{typ: typ}
		return err
	})
	return columns, err
}

// columnsAtOnce bounds what one SELECT is asked for, far below SQLite's 2000.
const columnsAtOnce = 100

func (g *guard) readValues(columns map[string]column) error {
	for names := range slices.Chunk(slices.Sorted(maps.Keys(columns)), columnsAtOnce) {
		if err := g.readSome(columns, names); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) readSome(columns map[string]column, names []string) error {
	var asked []string
	found := make([]column, len(names))
	var into []any
	for i, name := range names {
		quoted := inSQL(name)
		asked = append(asked, fmt.Sprintf("count(%[1]s), quote(min(%[1]s COLLATE BINARY)), quote(max(%[1]s COLLATE BINARY))", quoted))
		into = append(into, &found[i].filled, &found[i].least, &found[i].most)
	}
	row := g.tx.QueryRowContext(g.ctx, "SELECT "+strings.Join(asked, ", ")+" FROM "+inSQL(g.table))
	if err := row.Scan(into...); err != nil {
		return err
	}
	for i, name := range names {
		found[i].typ = columns[name].typ
		columns[name] = found[i]
	}
	return nil
}

func (g *guard) options() (string, error) {
	var withoutRowID, strict bool
	row := g.tx.QueryRowContext(g.ctx,
		"SELECT wr, strict FROM pragma_table_list(?) WHERE schema = 'main' AND type = 'table'", g.table)
	if err := row.Scan(&withoutRowID, &strict); err != nil {
		return "", err
	}
	options := map[bool]string{true: "STRICT", false: "not STRICT"}[strict]
	return options + map[bool]string{true: ", WITHOUT ROWID", false: ""}[withoutRowID], nil
}

// sequence returns nothing where no table of the file has AUTOINCREMENT, or
// this one never had a row.
func (g *guard) sequence() (seq sql.NullInt64, err error) {
	var exists bool
	row := g.tx.QueryRowContext(g.ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'")
	if err := row.Scan(&exists); err != nil || !exists {
		return seq, err
	}
	row = g.tx.QueryRowContext(g.ctx, "SELECT seq FROM sqlite_sequence WHERE name = ? COLLATE NOCASE", g.table)
	if err := row.Scan(&seq); !errors.Is(err, sql.ErrNoRows) {
		return seq, err
	}
	return seq, nil
}
