package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/flashstore/flashstore/internal/pghost"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(childMain())
	}
	goleak.VerifyTestMain(Main(m))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// ask returns the one value that a query gives on a connection of its own.
func ask[T any](tb testing.TB, dsn, query string) (value T) {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	must(tb, err)
	defer func() { must(tb, conn.Close(ctx)) }()
	must(tb, conn.QueryRow(ctx, query).Scan(&value))
	return value
}

func TestServerIsShared(t *testing.T) {
	first := Server(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if Server(t) != first {
				t.Error("there are two servers")
			}
		})
	}
	all.Wait()
	if n := ask[int](t, first.Database(t), "SELECT 40 + 2"); n != 42 {
		t.Errorf("got %d", n)
	}
}

func TestSettings(t *testing.T) {
	dsn := Server(t).Database(t)
	for setting, want := range map[string]string{
		"listen_addresses":              "",
		"max_connections":               "200",
		"server_encoding":               "UTF8",
		"TimeZone":                      "UTC",
		"default_transaction_isolation": "read committed",
		"autovacuum":                    "on",
	} {
		if got := ask[string](t, dsn, "SHOW "+setting); got != want {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
}

// What the developer's shell says of another server is not listened to.
func TestEnvironmentIsIgnored(t *testing.T) {
	for _, name := range []string{"PGHOST", "PGPORT", "PGUSER", "PGDATABASE"} {
		t.Setenv(name, "elsewhere")
	}
	t.Setenv("PGSSLMODE", "verify-full")
	c := Server(t)
	if got := ask[string](t, c.Database(t), "SELECT current_setting('data_directory')"); got != c.folder+"/data" {
		t.Errorf("the server's data is in %s, want %s", got, c.folder)
	}
}

func TestMissingServer(t *testing.T) {
	tests := []struct {
		name string
		err  error
		ci   bool
		want string
	}{
		{"not installed", fmt.Errorf("look: %w", pghost.ErrMissing), false, "skip"},
		{"not installed for CI", pghost.ErrMissing, true, "fatal"},
		{"does not start", errors.New("no space left"), false, "fatal"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tb := &verdict{TB: t}
			refuse(tb, test.err, test.ci)
			if len(tb.said) == 0 || !strings.HasPrefix(tb.said[0], test.want+" ") || !strings.Contains(tb.said[0], test.err.Error()) {
				t.Errorf("the test's end is %q, want %s", tb.said, test.want)
			}
		})
	}
	if !strings.Contains(pghost.ErrMissing.Error(), "apt-get install postgresql") {
		t.Errorf("%q does not say what to do", pghost.ErrMissing)
	}
}

// verdict notes how a test would have ended.
type verdict struct {
	testing.TB
	said []string
}

func (v *verdict) Skip(args ...any)  { v.said = append(v.said, "skip "+fmt.Sprint(args...)) }
func (v *verdict) Fatal(args ...any) { v.said = append(v.said, "fatal "+fmt.Sprint(args...)) }
