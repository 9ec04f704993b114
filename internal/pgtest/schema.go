package pgtest

import (
	"context"
	"fmt"
	"testing"
)

// Schema makes an empty schema that is dropped at the end of the test, and
// returns a DSN in which it is the only one of the search path. It takes a few
// milliseconds, for the server waits for no checkpoint as it does with a
// Database; but all schemas are in one database, whose advisory locks and
// activity they share.
func (c *Cluster) Schema(tb testing.TB) (dsn string) {
	tb.Helper()
	name := fmt.Sprintf("test_%d", c.databases.Add(1))
	if err := c.exec(tb.Context(), "CREATE SCHEMA "+name); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		// The test's own context has ended.
		if err := c.exec(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			tb.Error(err)
		}
	})
	return c.dsn("postgres") + " search_path=" + name
}
