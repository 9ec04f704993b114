package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// Two schemas have tables of the same name, and nothing is left of them.
func TestSchema(t *testing.T) {
	server := Server(t)
	var dsn string
	for _, name := range []string{"First", "Second"} {
		t.Run(name, func(t *testing.T) {
			dsn = server.Schema(t)
			conn, err := pgx.Connect(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close(t.Context()) }()
			if _, err := conn.Exec(t.Context(), "CREATE TABLE notes (id bigint)"); err != nil {
				t.Fatal(err)
			}
		})
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var left int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'test\\_%'").Scan(&left); err != nil {
		t.Fatal(err)
	}
	if left != 0 {
		t.Errorf("%d schemas are left", left)
	}
}
