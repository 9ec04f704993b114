package storagetest_test

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/internal/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

// engines are what the store is used on: each opens a new database.
var engines = []struct {
	name string
	open func(t *testing.T) *gorm.DB
}{
	{"SQLite", func(t *testing.T) *gorm.DB { return open(t, sqlite.Open(filepath.Join(t.TempDir(), "flashmath.db"))) }},
	{"SQLite in memory", func(t *testing.T) *gorm.DB { return open(t, sqlite.Open(":memory:")) }},
	{"PostgreSQL", func(t *testing.T) *gorm.DB { return open(t, postgres.Open(pgtest.Server(t).Schema(t))) }},
	{"PostgreSQL behind a pooler", func(t *testing.T) *gorm.DB {
		return open(t, postgres.Open(pgtest.Server(t).Schema(t)+" default_query_exec_mode=describe_exec"))
	}},
}

// onEach runs the test on each of the engines.
func onEach(t *testing.T, test func(t *testing.T, open func(t *testing.T) *gorm.DB)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) { test(t, engine.open) })
	}
}

// open opens a database that is closed with the test.
func open(t *testing.T, dialector gorm.Dialector) *gorm.DB {
	t.Helper()
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	must(t, err)
	pool, err := db.DB()
	must(t, err)
	t.Cleanup(func() { must(t, pool.Close()) })
	return db
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}
