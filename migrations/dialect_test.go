package migrations_test

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"
	"gorm.io/gorm/utils/tests"

	"github.com/flashstore/flashstore/migrations"
)

// The engines have the same tables, columns, keys, foreign keys and indexes.
// What SQLite calls no type of its own is in the texts.
func TestSameSchemaOnEveryEngine(t *testing.T) {
	questions := []struct {
		name               string
		sqlite, postgresql string // each gives texts
	}{
		{"columns that may be NULL or not", `
			SELECT m.name || '.' || c.name || iif(c."notnull" OR c.pk, ' NOT NULL', '')
			FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`, `
			SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'NO' THEN ' NOT NULL' ELSE '' END
			FROM information_schema.columns WHERE table_schema = 'public'`},
		{"primary keys", `
			SELECT name || ': ' || key FROM (
				SELECT m.name, group_concat(c.name, ', ' ORDER BY c.pk) AS key
				FROM sqlite_schema AS m JOIN pragma_table_info(m.name) AS c
				WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND c.pk > 0 GROUP BY m.name)`, `
			SELECT conrelid::regclass || ': ' || (
				SELECT string_agg(a.attname, ', ' ORDER BY k.n)
				FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, n) JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.attnum)
			FROM pg_constraint AS c WHERE contype = 'p' AND connamespace = 'public'::regnamespace`},
		{"foreign keys", `
			SELECT m.name || '.' || f."from" || ' -> ' || f."table" || '.' || f."to" || ' ' || f.on_delete || ' ' || f.on_update
			FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table'`, `
			SELECT c.conrelid::regclass || '.' || a.attname || ' -> ' || c.confrelid::regclass || '.' || b.attname || ' ' ||
				CASE c.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' ELSE c.confdeltype::text END || ' ' ||
				CASE c.confupdtype WHEN 'a' THEN 'NO ACTION' ELSE c.confupdtype::text END
			FROM pg_constraint AS c CROSS JOIN LATERAL unnest(c.conkey, c.confkey) AS k (here, there)
			JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k.here
			JOIN pg_attribute AS b ON b.attrelid = c.confrelid AND b.attnum = k.there
			WHERE c.contype = 'f'`},
		{"indexes but for those of words, of which that of sessions' ids is unique on SQLite alone", `
			SELECT name || iif("unique" AND name <> 'idx_sessions_id', ' unique', '') || ' on ' || tbl_name || ': ' || columns FROM (
				SELECT m.name, l."unique", m.tbl_name, group_concat(coalesce(x.name, 'expression') || iif(x.desc, ' DESC', ''), ', ' ORDER BY x.seqno) AS columns
				FROM sqlite_schema AS m JOIN pragma_index_list(m.tbl_name) AS l ON l.name = m.name JOIN pragma_index_xinfo(m.name) AS x
				WHERE m.type = 'index' AND m.sql IS NOT NULL AND x.key GROUP BY m.name)`, `
			SELECT i.indexrelid::regclass || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || ' on ' || i.indrelid::regclass || ': ' || (
				SELECT string_agg(coalesce(a.attname, 'expression') || CASE WHEN i.indoption[k.n - 1] & 1 = 1 THEN ' DESC' ELSE '' END, ', ' ORDER BY k.n)
				FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n) LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum)
			FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
			WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
				AND c.relam = (SELECT oid FROM pg_am WHERE amname = 'btree')`},
		{"how many CHECKs, but for lengths and flags", `
			SELECT name || ': ' || ((length(text) - length(replace(text, 'CHECK', ''))) / 5) FROM (
				SELECT name, replace(replace(replace(sql, 'CHECK (length(', ''), 'CHECK (correct IN', ''), 'CHECK (active IN', '') AS text
				FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%')`, `
			SELECT c.relname || ': ' || count(k.oid) FROM pg_class AS c LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'c'
			WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname`},
	}
	file, database := newMigrated(t, none), onPostgres.migrated(t, none)
	for _, question := range questions {
		t.Run(question.name, func(t *testing.T) {
			want, got := firsts(query(t, file, question.sqlite)), firsts(query(t, database, question.postgresql))
			if diff := cmp.Diff(want, got); diff != "" || len(want) < 10 {
				t.Errorf("%d (-SQLite +PostgreSQL)\n%s", len(want), diff)
			}
		})
	}
}

// ofOneEngine matches what is said of tables that the other one does not have:
// archived answers are in a file beside SQLite's, and in a table on PostgreSQL.
var ofOneEngine = regexp.MustCompile(`^(archive_files|answer_archive)\b`)

// firsts returns the first values of rows, sorted, but those of one engine.
func firsts(rows [][]string) (texts []string) {
	for _, row := range rows {
		if !ofOneEngine.MatchString(row[0]) {
			texts = append(texts, row[0])
		}
	}
	slices.Sort(texts)
	return texts
}

// A database of another kind is refused by a type of error of its own.
func TestUnknownDialect(t *testing.T) {
	db, err := gorm.Open(tests.DummyDialector{}, quiet())
	must(t, err)
	_, up := migrations.Up(t.Context(), db, none)
	_, down := migrations.Down(t.Context(), db, none, 0)
	_, status := migrations.Status(t.Context(), db, none)
	for _, err := range []error{up, down, status, migrations.Check(t.Context(), db, none)} {
		var refused *migrations.DialectError
		if !errors.As(err, &refused) || refused.Dialect != "dummy" || !strings.Contains(err.Error(), "gorm.io/driver/postgres") {
			t.Errorf("got error %v, want a *DialectError that says what to do", err)
		}
	}
}
