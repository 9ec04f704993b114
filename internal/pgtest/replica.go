package pgtest

import (
	"fmt"
	"strings"
	"testing"
)

// Replica is a hot standby: a server that follows a Cluster, all databases of
// it, and can only be read. It is safe for concurrent use.
type Replica struct {
	*server
	primary *Cluster
}

// Replica starts a standby that streams from the cluster and is stopped at the
// end of the test. It takes a second or two. What is written to the cluster is
// there a moment later: CatchUp waits for it.
func (c *Cluster) Replica(tb testing.TB) *Replica {
	tb.Helper()
	s, err := startServer(c.folder)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.stop(); err != nil {
			tb.Error(err)
		}
	})
	return &Replica{server: s, primary: c}
}

// DSN returns the DSN of the same database at the replica.
func (r *Replica) DSN(primary string) string {
	return strings.Replace(primary, r.primary.folder, r.folder, 1)
}

// CatchUp returns when everything can be read at the replica that had been
// committed at the cluster when it was called. PostgreSQL has no event for
// that in the versions of today, and so the server is asked, in short pauses.
func (r *Replica) CatchUp(tb testing.TB) {
	tb.Helper()
	var written string
	err := r.primary.ask(tb.Context(), &written, "SELECT pg_current_wal_lsn()::text")
	if err == nil {
		err = r.exec(tb.Context(), fmt.Sprintf(awaitReplay, written))
	}
	if err != nil {
		tb.Fatal(err)
	}
}

const awaitReplay = `
DO $$ BEGIN
	WHILE pg_last_wal_replay_lsn() < '%s'::pg_lsn LOOP
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$`
