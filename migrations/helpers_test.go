package migrations_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
)

const (
	practice = "0001_practice"
	shop     = "0002_shop"
)

// history are all of them, in their order.
var history = []string{practice, shop, "0003_archive", "0004_set_aside", "0005_search", "0006_board_ranges", "0007_versions", "0008_board_moves"}

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
	goleak.VerifyTestMain(pgtest.Main(m),
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

// run runs a script of plain SQL on the database. A name in braces takes the prefix.
func run(tb testing.TB, at, prefix, script string) {
	tb.Helper()
	db := openSQL(tb, at)
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

// newMigrated returns the path of a plain file that is up to date.
func newMigrated(tb testing.TB, cfg migrations.Config) string {
	tb.Helper()
	return plainSQLite.migrated(tb, cfg)
}

func versions(result migrations.Result) []string {
	list := []string{}
	for _, step := range result.Steps {
		list = append(list, step.Version)
	}
	return list
}

// contentsOf returns the schema and all rows of the database.
func contentsOf(tb testing.TB, at string) map[string]string {
	tb.Helper()
	all := schemaOf(tb, at)
	for name, rows := range rowsOf(tb, at) {
		all["rows of "+name] = strings.Join(rows, "\n")
	}
	return all
}

// rowsOf returns the rows of every table of the database, as texts, sorted.
func rowsOf(tb testing.TB, at string) map[string][]string {
	tb.Helper()
	all := map[string][]string{}
	for _, name := range tablesOf(tb, at) {
		rows := []string{}
		for _, row := range query(tb, at, "SELECT * FROM "+name) {
			rows = append(rows, strings.Join(row, "|"))
		}
		slices.Sort(rows)
		all[name] = rows
	}
	return all
}

// query returns the rows that a plain connection gets, as texts.
func query(tb testing.TB, at, text string, args ...any) (all [][]string) {
	tb.Helper()
	db := openSQL(tb, at)
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
