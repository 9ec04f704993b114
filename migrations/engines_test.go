package migrations_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
)

// stack is a way to have GORM over a database. Where a database is, is said
// by the path of its file, or by its DSN on PostgreSQL.
type stack struct {
	name string
	new  func(tb testing.TB) (at string) // where a database is to be that is empty, or not there yet
	open func(tb testing.TB, at string) *gorm.DB
}

var (
	plainSQLite = stack{"plain GORM", newPath, func(tb testing.TB, path string) *gorm.DB { return openPlain(tb, path, quiet()) }}
	hooksSQLite = stack{"hooks", newPath, openHooks}
	onPostgres  = stack{"PostgreSQL", newDatabase, func(tb testing.TB, dsn string) *gorm.DB { return openPostgres(tb, dsn, quiet()) }}
)

// stacks are all of them, engines one for each engine.
var (
	stacks  = []stack{plainSQLite, hooksSQLite, onPostgres}
	engines = []stack{plainSQLite, onPostgres}
)

// migrated returns where a database is that is up to date and that nobody has
// open; on SQLite it is a plain file in SQLite's own journal mode.
func (s stack) migrated(tb testing.TB, cfg migrations.Config) (at string) {
	tb.Helper()
	at = s.new(tb)
	db := s.open(tb, at)
	mustUp(tb, db, cfg)
	closeDB(tb, db)
	return at
}

func newDatabase(tb testing.TB) (dsn string) {
	tb.Helper()
	return pgtest.Server(tb).Database(tb)
}

func isPostgres(at string) bool { return strings.HasPrefix(at, "host=") }

// openPostgres opens the database as an application does.
func openPostgres(tb testing.TB, dsn string, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(postgres.Open(dsn), config)
	must(tb, err)
	tb.Cleanup(func() { closeDB(tb, db) })
	return db
}

// openSQL opens the database without GORM, on SQLite with foreign keys on.
func openSQL(tb testing.TB, at string) *sql.DB {
	tb.Helper()
	driver, dsn := "sqlite3", at+"?_foreign_keys=1&_txlock=immediate"
	if isPostgres(at) {
		driver, dsn = "pgx", at
	}
	db, err := sql.Open(driver, dsn)
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	return db
}

// sqliteSchema and postgresSchema give every object of the application's and
// ours by its kind and name, with all that makes it what it is. SQLite makes
// sqlite_sequence by itself and never drops it.
const (
	sqliteSchema = `
		SELECT type || ' ' || name, 'on ' || tbl_name || ': ' || coalesce(sql, '')
		FROM sqlite_schema WHERE name <> 'sqlite_sequence'`
	postgresSchema = `
		SELECT CASE c.relkind WHEN 'r' THEN 'table ' WHEN 'v' THEN 'view ' WHEN 'S' THEN 'sequence ' ELSE 'other ' END || c.relname,
			coalesce(string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
				nullif(a.attidentity, ''), (SELECT collname FROM pg_collation WHERE oid = a.attcollation),
				(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = c.oid AND adnum = a.attnum)), ', ' ORDER BY a.attnum), '')
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE n.nspname = 'public' AND c.relkind <> 'i' GROUP BY c.relkind, c.relname
		UNION ALL SELECT 'index ' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT 'constraint ' || conname, 'on ' || conrelid::regclass || ': ' || pg_get_constraintdef(oid)
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT 'function ' || proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace`
)

// schemaOf returns the text of every table, index, view and the like of the
// database, by its kind and name.
func schemaOf(tb testing.TB, at string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	for _, row := range query(tb, at, pick(at, sqliteSchema, postgresSchema)) {
		all[row[0]] = row[1]
	}
	return all
}

func tablesOf(tb testing.TB, at string) []string {
	tb.Helper()
	names := []string{}
	for _, row := range query(tb, at, pick(at,
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name",
		`SELECT quote_ident(relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C"`)) {
		names = append(names, row[0])
	}
	return names
}

// pick returns what is for the engine of the database.
func pick[T any](at string, onSQLite, onPostgres T) T {
	if isPostgres(at) {
		return onPostgres
	}
	return onSQLite
}

// lock keeps other changes off, as another program's does, for as long as the
// test runs: the file's write lock, or the migrations' own on PostgreSQL.
func lock(tb testing.TB, at string) {
	tb.Helper()
	if !isPostgres(at) {
		tx, err := openSQL(tb, at).Begin()
		must(tb, err)
		tb.Cleanup(func() { must(tb, tx.Rollback()) })
		return
	}
	tx := openPostgres(tb, at, quiet()).Begin()
	must(tb, tx.Error)
	tb.Cleanup(func() { must(tb, tx.Rollback().Error) })
	must(tb, migrations.LockAdvisory(tx, ""))
}
