package models_test

import (
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
)

// engines are what the models are stored in: each makes a new database with
// the tables of ours. The two ways to ask PostgreSQL are pgx's own and the one
// that is for a pooler that knows no prepared statements.
var engines = []struct {
	name string
	new  func(tb testing.TB) *gorm.DB
}{
	{"SQLite", newTables},
	{"PostgreSQL", func(tb testing.TB) *gorm.DB { return newPostgres(tb, "cache_statement") }},
	{"PostgreSQL behind a pooler", func(tb testing.TB) *gorm.DB { return newPostgres(tb, "describe_exec") }},
}

// onEach runs the test on each of the engines.
func onEach(t *testing.T, test func(t *testing.T, db *gorm.DB)) {
	t.Helper()
	for _, engine := range engines {
		t.Run(engine.name, func(t *testing.T) { test(t, engine.new(t)) })
	}
}

// newPostgres asks in one of pgx's modes.
func newPostgres(tb testing.TB, mode string) *gorm.DB {
	tb.Helper()
	dsn := pgtest.Server(tb).Database(tb) + " default_query_exec_mode=" + mode
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	must(tb, err)
	pool, err := db.DB()
	must(tb, err)
	tb.Cleanup(func() { must(tb, pool.Close()) })
	_, err = migrations.Up(tb.Context(), db, migrations.Config{})
	must(tb, err)
	return db
}

// isPostgres reports which engine it is.
func isPostgres(db *gorm.DB) bool { return db.Name() == "postgres" }
