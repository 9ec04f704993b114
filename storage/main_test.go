package storage_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/flashstore/flashstore/internal/pgtest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(settlerEnv); path != "" {
		os.Exit(settlerMain(path))
	}
	// GORM's store of prepared statements never ends its goroutine
	// (go-gorm/gorm#7832); one test opens a database with it.
	goleak.VerifyTestMain(pgtest.Main(m), goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1"))
}
