package pgtest

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/flashstore/flashstore/internal/pghost"
)

// shared is the one cluster of this process.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Server returns the server of this test process and starts it if it is the
// first to ask; that takes a second or two. It is safe for concurrent use.
//
// Where PostgreSQL is not installed the test is skipped, but fails if the
// environment has CI=true. Whoever calls Server has Main in TestMain.
func Server(tb testing.TB) *Cluster {
	tb.Helper()
	shared.once.Do(func() { shared.cluster, shared.err = start() })
	if shared.err != nil {
		refuse(tb, shared.err, os.Getenv("CI") == "true")
	}
	return shared.cluster
}

// refuse ends a test that cannot have its server: a machine without PostgreSQL
// is no fault of the code's, but nobody would see that CI tests nothing.
func refuse(tb testing.TB, err error, ci bool) {
	tb.Helper()
	if errors.Is(err, pghost.ErrMissing) && !ci {
		tb.Skip(err)
	}
	tb.Fatal(err)
}

// Runner is what a TestMain is given, and what goleak.VerifyTestMain takes.
type Runner interface{ Run() int }

// Main returns m with the end of the server after it: in TestMain, say
// os.Exit(pgtest.Main(m).Run()) or goleak.VerifyTestMain(pgtest.Main(m)).
func Main(m Runner) Runner { return stopping{m} }

type stopping struct{ Runner }

// Run runs the tests and then stops the server, if any of them started it.
func (s stopping) Run() int {
	code := s.Runner.Run()
	// From here on nobody starts it.
	shared.once.Do(func() { shared.err = errors.New("the tests have ended") })
	if shared.cluster == nil {
		return code
	}
	if err := shared.cluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(code, 1)
	}
	return code
}
