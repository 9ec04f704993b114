//go:build sqlite_fts5

package storage

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSearchPlans holds the queries of FTS5's index to their plans.
func TestSearchPlans(t *testing.T) {
	db, store := openPlanned(t)
	if store.engine.words != &wordsFTS5 {
		t.Fatal("there is no FTS5")
	}
	for _, q := range append([]*query{wordsFTS5.users, wordsFTS5.items}, queueQueries...) {
		if diff := cmp.Diff(q.plan, explain(t, db, strings.TrimSpace(q.text("")))); diff != "" {
			t.Errorf("plan of\n%s\n(-declared +is)\n%s", q.text(""), diff)
		}
		if bad := badStep(q.plan); (bad != "") != (q.why != "") {
			t.Errorf("declares %q, and as its reason %q", bad, q.why)
		}
	}
}
