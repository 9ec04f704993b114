package pgtest

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func TestReplica(t *testing.T) {
	c := Server(t)
	var folder string
	t.Run("follows", func(t *testing.T) {
		r := c.Replica(t)
		folder = r.folder
		// A database that was made after the replica, too.
		dsn := c.Database(t)
		mustDo(t, dsn, "CREATE TABLE letters AS SELECT 'a' AS letter")
		r.CatchUp(t)
		for round := range 3 {
			if n := ask[int](t, r.DSN(dsn), "SELECT count(*) FROM letters"); n != round+1 {
				t.Errorf("the replica has %d letters, want %d", n, round+1)
			}
			mustDo(t, dsn, "INSERT INTO letters VALUES ('b')")
			r.CatchUp(t)
		}
		if !ask[bool](t, r.DSN(dsn), "SELECT pg_is_in_recovery()") || ask[bool](t, dsn, "SELECT pg_is_in_recovery()") {
			t.Error("it is not clear which is the replica")
		}
		var refused *pgconn.PgError
		if err := do(t, r.DSN(dsn), "INSERT INTO letters VALUES ('c')"); !errors.As(err, &refused) || refused.Code != "25006" {
			t.Errorf("a write at the replica: %v, want read_only_sql_transaction", err)
		}
	})
	mustBeGone(t, folder)
}

func mustDo(tb testing.TB, dsn, statement string) {
	tb.Helper()
	must(tb, do(tb, dsn, statement))
}

func do(tb testing.TB, dsn, statement string) error {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	must(tb, err)
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
