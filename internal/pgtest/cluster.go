package pgtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
)

// Cluster is a PostgreSQL server of the tests' own, with a database for each.
// It is safe for concurrent use.
type Cluster struct {
	*server
	databases atomic.Int64
}

func start() (*Cluster, error) {
	s, err := startServer("")
	if err != nil {
		return nil, err
	}
	return &Cluster{server: s}, nil
}

// Database makes an empty database that is dropped at the end of the test,
// and returns its DSN, for gorm.io/driver/postgres and for pgx. It takes some
// tens of milliseconds.
func (c *Cluster) Database(tb testing.TB) (dsn string) {
	tb.Helper()
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	if err := c.exec(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The test's own context has ended. FORCE: what the test left open is
		// for the test to find, not for the next one to wait for.
		if err := c.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			tb.Error(err)
		}
	})
	return c.dsn(name)
}
