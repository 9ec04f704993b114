package hooks

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// object is a row of the schema.
type object struct {
	kind, name, table string
	sql               string
	columns           []string // of an index, without those that are expressions
	expressions       bool     // the index has such
}

// same reports whether the two are called the same.
func (o object) same(other object) bool { return o.kind == other.kind && o.name == other.name }

// everyObject lists the schema, and the writer's own triggers on its tables,
// which a DROP TABLE takes along too.
const everyObject = `
	SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
	UNION ALL
	SELECT 'temporary trigger', name, tbl_name, 'CREATE TEMP' || substr(sql, 7) FROM sqlite_temp_schema WHERE type = 'trigger'`

func (g *guard) objects() (list []object, err error) {
	err = g.each(everyObject, nil, func(rows *sql.Rows) error {
		var o object
		err := rows.Scan(&o.kind, &o.name, &o.table, &o.sql)
		list = append(list, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, o := range list {
		if o.kind == "index" && o.sql != "" && strings.EqualFold(o.table, g.table) {
			if err := g.readIndex(&list[i]); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

func (g *guard) readIndex(index *object) error {
	return g.each("SELECT name FROM pragma_index_info(?)", []any{index.name}, func(rows *sql.Rows) error {
		var name sql.NullString
		err := rows.Scan(&name)
		index.expressions = index.expressions || !name.Valid
		index.columns = append(index.columns, name.String)
		return err
	})
}

// onlyOver reports whether o is an index over that column and nothing else.
func (o object) onlyOver(column string) bool {
	return o.kind == "index" && !o.expressions && len(o.columns) > 0 &&
		!slices.ContainsFunc(o.columns, func(name string) bool { return !strings.EqualFold(name, column) })
}

// putBackObjects makes the table's indexes and triggers again, and fails if
// anything else in the schema is not what it was, or would not work any more.
func (g *guard) putBackObjects(before *look) error {
	after, err := g.objects()
	if err != nil {
		return err
	}
	for _, was := range before.objects {
		if err := g.putBack(was, after); err != nil {
			return err
		}
	}
	if g.drops == "" {
		return nil
	}
	return g.tryRename()
}

func (g *guard) putBack(was object, after []object) error {
	ours := strings.EqualFold(was.table, g.table)
	if was.kind == "table" && ours || was.kind == "index" && was.sql == "" {
		return nil // they come with the table's SQL
	}
	if ours && g.drops != "" && was.onlyOver(g.drops) {
		return nil
	}
	if g.drops != "" && was.uses(g.table, g.drops) {
		return fmt.Errorf("%s %q mentions column %q, which is to go: drop it first, and make it again without the column",
			was.kind, was.name, g.drops)
	}
	i := slices.IndexFunc(after, was.same)
	switch {
	case i >= 0 && after[i].sql == was.sql:
		return nil
	case i >= 0 || !ours:
		return fmt.Errorf("%s %q would be changed or lost", was.kind, was.name)
	}
	if err := g.exec(was.sql); err != nil {
		return fmt.Errorf("make %s %q again: %w", was.kind, was.name, err)
	}
	return nil
}

// silences finds texts and comments: what is in them mentions nothing.
var silences = regexp.MustCompile(`(?s)'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/`)

// uses reports whether the SQL of o, an index, a trigger or a view, mentions
// the table and the column. SQLite itself does not see every use of a column
// that is gone: it takes "column" for a text, and leaves UPDATE OF column be.
func (o object) uses(table, column string) bool {
	if o.kind == "table" {
		return false
	}
	text := silences.ReplaceAllLiteralString(o.sql, " ")
	return mentions(text, table) && mentions(text, column)
}

// mentions reports whether name stands in text as a word of its own.
func mentions(text, name string) bool {
	return regexp.MustCompile(`(?i)(^|[^\pL\pN_$])` + regexp.QuoteMeta(name) + `($|[^\pL\pN_$])`).MatchString(text)
}

// tryRename has SQLite look through every view and trigger, which it does when
// a table gets a new name, and takes the new name back.
func (g *guard) tryRename() error {
	for _, query := range []string{
		"SAVEPOINT flashstore_rename",
		"ALTER TABLE " + inSQL(g.table) + " RENAME TO " + inSQL(g.table+"__renamed"),
		"ROLLBACK TO SAVEPOINT flashstore_rename",
		"RELEASE SAVEPOINT flashstore_rename",
	} {
		if err := g.exec(query); err != nil {
			return fmt.Errorf("look through views and triggers: %w", err)
		}
	}
	return nil
}
