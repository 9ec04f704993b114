package storage_test

import (
	"os"
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// onPostgres has MustOpen open PostgreSQL: FLASHSTORE_TEST_ENGINE=postgres runs
// the tests of this package a second time, on it. What can only be said of
// SQLite says why it is skipped there.
var onPostgres = os.Getenv(engineEnv) == "postgres"

const engineEnv = "FLASHSTORE_TEST_ENGINE"

// onlySQLite skips a test about something that PostgreSQL does not have.
func onlySQLite(t *testing.T, why string) {
	t.Helper()
	if onPostgres {
		t.Skip("of SQLite only: " + why)
	}
}

// dialectorOf opens the path of a file, or a DSN of PostgreSQL.
func dialectorOf(path string) gorm.Dialector {
	if strings.HasPrefix(path, "host=") {
		return postgres.Open(path)
	}
	return sqlite.Open(path)
}

// pick returns what is for the engine of the database.
func pick[T any](db *gorm.DB, onSQLite, onPostgres T) T {
	if db.Name() == "postgres" {
		return onPostgres
	}
	return onSQLite
}
