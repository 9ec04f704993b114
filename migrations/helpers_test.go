package migrations_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
)

const (
	practice = "0001_practice"
	shop     = "0002_shop"
)

var (
	none     = migrations.Config{}
	prefixed = migrations.Config{TablePrefix: "fm_"}
)

// hang bounds every wait of these tests. Who reaches it hangs; a slow machine
// does not.
const hang = time.Minute

func TestMain(m *testing.M) {
	if what := os.Getenv(childEnv); what != "" {
		os.Exit(childMain(what))
	}
	// The files of these tests are not new to the hooks plugin, and it says so.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m,
		// GORM's store of prepared statements sweeps itself by the clock, and
		// has no way to be stopped: gorm.Open starts it where PrepareStmt is on.
		goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// newPath returns the path of a database that does not exist yet, alone in
// its directory.
func newPath(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "test.db")
}

// quiet returns a config whose GORM does not print the errors that a test is about.
func quiet() *gorm.Config { return &gorm.Config{Logger: logger.Discard} }

// openPlain opens dsn as an application without the plugins does.
func openPlain(tb testing.TB, dsn string, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(sqlite.Open(dsn), config)
	must(tb, err)
	tb.Cleanup(func() { closeDB(tb, db) })
	return db
}

// openHooks opens the file with the hooks plugin.
func openHooks(tb testing.TB, path string) *gorm.DB {
	tb.Helper()
	db := openPlain(tb, path, quiet())
	must(tb, db.Use(hooks.New(hooks.Config{})))
	return db
}

// closeDB closes all connections of db. It may be called more than once.
func closeDB(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	pool, err := db.DB()
	must(tb, err)
	must(tb, pool.Close())
}

// openSQL opens the file without GORM, with foreign keys on.
func openSQL(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite3", path+"?_foreign_keys=1&_txlock=immediate")
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	return db
}

// run runs a script of plain SQL on the file. A name in braces takes the prefix.
func run(tb testing.TB, path, prefix, script string) {
	tb.Helper()
	db := openSQL(tb, path)
	defer func() { must(tb, db.Close()) }()
	_, err := db.Exec(placeholder.ReplaceAllString(script, prefix+"$1"))
	must(tb, err)
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

func mustUp(tb testing.TB, db *gorm.DB, cfg migrations.Config) migrations.Result {
	tb.Helper()
	result, err := migrations.Up(tb.Context(), db, cfg)
	must(tb, err)
	return result
}

func mustDown(tb testing.TB, db *gorm.DB, cfg migrations.Config, steps int) migrations.Result {
	tb.Helper()
	result, err := migrations.Down(tb.Context(), db, cfg, steps)
	must(tb, err)
	return result
}

// newMigrated returns the path of a plain file, in SQLite's own journal mode,
// that is up to date and that nobody has open.
func newMigrated(tb testing.TB, cfg migrations.Config) string {
	tb.Helper()
	path := newPath(tb)
	db := openPlain(tb, path, quiet())
	mustUp(tb, db, cfg)
	closeDB(tb, db)
	return path
}

func versions(result migrations.Result) []string {
	list := []string{}
	for _, step := range result.Steps {
		list = append(list, step.Version)
	}
	return list
}

// schemaOf returns the text of every table, index, view and trigger of the
// file, by its kind and name.
func schemaOf(tb testing.TB, path string) map[string]string {
	tb.Helper()
	all := map[string]string{}
	// SQLite makes sqlite_sequence by itself and never drops it.
	for _, row := range query(tb, path, `
		SELECT type || ' ' || name, 'on ' || tbl_name || ': ' || coalesce(sql, '')
		FROM sqlite_schema WHERE name <> 'sqlite_sequence'`) {
		all[row[0]] = row[1]
	}
	return all
}

// contentsOf returns the schema and all rows of the file.
func contentsOf(tb testing.TB, path string) map[string]string {
	tb.Helper()
	all := schemaOf(tb, path)
	for name, rows := range rowsOf(tb, path) {
		all["rows of "+name] = strings.Join(rows, "\n")
	}
	return all
}

// rowsOf returns the rows of every table of the file, as texts.
func rowsOf(tb testing.TB, path string) map[string][]string {
	tb.Helper()
	all := map[string][]string{}
	for _, name := range tablesOf(tb, path) {
		rows := []string{}
		for _, row := range query(tb, path, "SELECT * FROM "+name) {
			rows = append(rows, strings.Join(row, "|"))
		}
		all[name] = rows
	}
	return all
}

func tablesOf(tb testing.TB, path string) []string {
	tb.Helper()
	names := []string{}
	for _, row := range query(tb, path, `
		SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_sequence' ORDER BY name`) {
		names = append(names, row[0])
	}
	return names
}

// query returns the rows that a plain connection gets, as texts.
func query(tb testing.TB, path, text string, args ...any) (all [][]string) {
	tb.Helper()
	db := openSQL(tb, path)
	defer func() { must(tb, db.Close()) }()
	rows, err := db.Query(text, args...)
	must(tb, err)
	defer func() { must(tb, rows.Close()) }()
	columns, err := rows.Columns()
	must(tb, err)
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		must(tb, rows.Scan(row...))
		texts := make([]string, len(row))
		for i := range row {
			texts[i] = fmt.Sprint(*row[i].(*any))
		}
		all = append(all, texts)
	}
	must(tb, rows.Err())
	return all
}

// bytesOf returns the SHA-256 of the database file and of whatever lies
// beside it: a log or a journal that was left there would show.
func bytesOf(tb testing.TB, path string) map[string]string {
	tb.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	must(tb, err)
	sums := map[string]string{}
	for _, entry := range entries {
		bytes, err := os.ReadFile(filepath.Join(filepath.Dir(path), entry.Name()))
		must(tb, err)
		sum := sha256.Sum256(bytes)
		sums[entry.Name()] = hex.EncodeToString(sum[:])
	}
	return sums
}

// lock takes the write lock of the file on a connection of its own, as
// another program would, for as long as the test runs.
func lock(tb testing.TB, path string) {
	tb.Helper()
	tx, err := openSQL(tb, path).Begin()
	must(tb, err)
	tb.Cleanup(func() { must(tb, tx.Rollback()) })
}
