package models_test

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// newFile opens a new file with plain GORM: models need no plugin.
func newFile(tb testing.TB) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(tb.TempDir(), "test.db")+"?_foreign_keys=1"), &gorm.Config{Logger: logger.Discard})
	must(tb, err)
	pool, err := db.DB()
	must(tb, err)
	tb.Cleanup(func() { must(tb, pool.Close()) })
	return db
}

// newTables returns a new file with the tables of ours.
func newTables(tb testing.TB) *gorm.DB {
	tb.Helper()
	db := newFile(tb)
	_, err := migrations.Up(tb.Context(), db, migrations.Config{})
	must(tb, err)
	return db
}

var (
	noon  = time.Date(2026, time.March, 1, 12, 0, 0, 123e6, time.UTC)
	tokyo = time.FixedZone("Tokyo", 9*60*60)
)

// newUser returns a user that the tables take. Everything in it is set, so
// that what is not written or not read shows.
func newUser(uid string) models.User {
	return models.User{
		UID: uid, Email: uid + "@example.org", Name: "Ada", Level: 2, TotalXP: 1234, Coins: 105, LeagueID: 3, Version: 4,
		CreatedAt: noon, UpdatedAt: noon.Add(time.Hour), LastActiveAt: noon.Add(time.Minute),
	}
}
