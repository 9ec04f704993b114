package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// guard compares a rebuild of one table in a transaction with what there was
// before, as www.sqlite.org/lang_altertable.html ("Making Other Kinds Of Table
// Schema Changes") asks for.
type guard struct {
	tx       gorm.ConnPool
	ctx      context.Context
	table    string
	drops    string // the column that is to go, or ""
	enforced bool   // foreign keys are to hold afterwards
}

// around runs the rebuild, puts back what its DROP TABLE took along, and
// fails if anything is missing. After an error the transaction must be rolled
// back.
func (g *guard) around(rebuild func() error) error {
	before, err := g.look()
	if err != nil {
		return err
	}
	if err := g.withLegacyRename(rebuild); err != nil {
		return err
	}
	if err := g.complete(before); err != nil {
		return &RebuildError{Table: g.table, Err: err}
	}
	return nil
}

// withLegacyRename runs fn while ALTER TABLE … RENAME changes the name of the
// table only. By default it looks through every view and trigger too, and
// fails at those that mention the table that was just dropped.
func (g *guard) withLegacyRename(fn func() error) (err error) {
	if err := g.exec("PRAGMA legacy_alter_table=ON"); err != nil {
		return err
	}
	defer func() {
		_, undo := g.tx.ExecContext(context.WithoutCancel(g.ctx), "PRAGMA legacy_alter_table=OFF")
		if err == nil {
			err = undo // on a transaction that is dead it is an echo
		}
	}()
	return fn()
}

// complete finishes the rebuild and compares.
func (g *guard) complete(before *look) error {
	steps := []func(before *look) error{
		g.compareColumns, g.putBackObjects, g.putBackSequence, g.compareRows, g.checkForeignKeys,
	}
	for _, step := range steps {
		if err := step(before); err != nil {
			return err
		}
	}
	return nil
}

// compareColumns fails if a column went that was to stay, or the other way
// round: GORM reads the table's SQL with regular expressions, which know
// only some ways to write it.
func (g *guard) compareColumns(before *look) error {
	after, err := g.columns()
	if err != nil {
		return err
	}
	for name := range before.columns {
		_, stays := after[name]
		if drop := strings.EqualFold(name, g.drops); drop && stays {
			return fmt.Errorf("column %q would stay: GORM finds only quoted names; run ALTER TABLE … DROP COLUMN", name)
		} else if !drop && !stays {
			return fmt.Errorf("column %q would be lost", name)
		}
	}
	options, err := g.options()
	if err == nil && options != before.options {
		err = fmt.Errorf("the table is %s and would be %s: write this change in SQL", before.options, options)
	}
	return err
}

// compareRows fails if a table has more or fewer rows than before, or a
// column other values.
func (g *guard) compareRows(before *look) error {
	for table, want := range before.rows {
		got, err := g.count(table)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("table %q has %d rows and would have %d", table, want, got)
		}
	}
	return g.compareValues(before)
}

// compareValues compares what the columns hold, where they still have their
// type. A column that was not copied has one value in all rows.
func (g *guard) compareValues(before *look) error {
	after, err := g.columns()
	if err != nil {
		return err
	}
	if err := g.readValues(after); err != nil {
		return err
	}
	for name, was := range before.columns {
		is, ok := after[name]
		sameType := ok && strings.EqualFold(is.typ, was.typ)
		if ok && (is.filled != was.filled || sameType && (is.least != was.least || is.most != was.most)) {
			return fmt.Errorf("column %q would lose what it holds: GORM copies only columns whose names are quoted "+
				"or do not begin like a constraint; write this change in SQL", name)
		}
	}
	return nil
}

// putBackSequence keeps AUTOINCREMENT from giving the number of a deleted row
// a second time.
func (g *guard) putBackSequence(before *look) error {
	if !before.sequence.Valid {
		return nil
	}
	const set = "UPDATE sqlite_sequence SET seq = ? WHERE name = ? COLLATE NOCASE"
	res, err := g.tx.ExecContext(g.ctx, set, before.sequence.Int64, g.table)
	if err != nil {
		return fmt.Errorf("put back the last number of AUTOINCREMENT: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return g.exec("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", g.table, before.sequence.Int64)
}

// ForeignKeyError says that rows refer to rows that are not there.
type ForeignKeyError struct {
	Rows   int           // how many
	Table  string        // the table of the first of them
	RowID  sql.NullInt64 // its rowid, where the table has one
	Parent string        // the table it refers to
}

func (e *ForeignKeyError) Error() string {
	first := fmt.Sprintf("a row of %q", e.Table)
	if e.RowID.Valid {
		first = fmt.Sprintf("row %d of %q", e.RowID.Int64, e.Table)
	}
	return fmt.Sprintf("%d rows refer to rows that are not there, the first is %s, to %q: "+
		"repair them first (PRAGMA foreign_key_check lists them)", e.Rows, first, e.Parent)
}

// checkForeignKeys reads the violations in the table and in those that refer
// to it. Others are none of the rebuild's.
func (g *guard) checkForeignKeys(before *look) error {
	if !g.enforced {
		return nil
	}
	var broken ForeignKeyError
	for _, table := range before.tables() {
		err := g.each("PRAGMA foreign_key_check("+inSQL(table)+")", nil, func(rows *sql.Rows) error {
			var child, parent string
			var rowID, key sql.NullInt64
			if err := rows.Scan(&child, &rowID, &parent, &key); err != nil {
				return err
			}
			if broken.Rows++; broken.Rows == 1 {
				broken.Table, broken.RowID, broken.Parent = child, rowID, parent
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("check the foreign keys of %q: %w", table, err)
		}
	}
	if broken.Rows > 0 {
		return &broken
	}
	return nil
}

func (g *guard) exec(query string, args ...any) error {
	_, err := g.tx.ExecContext(g.ctx, query, args...)
	return err
}

// each calls fn for each row of query.
func (g *guard) each(query string, args []any, fn func(rows *sql.Rows) error) (err error) {
	rows, err := g.tx.QueryContext(g.ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// tables returns the tables whose rows were counted.
func (l *look) tables() []string {
	var names []string
	for name := range l.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// inSQL returns a name, always quoted.
func inSQL(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
