package storage_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// The queries find their indexes on PostgreSQL: where reading all of a small
// table is not the cheaper way, no other is taken.
func TestSearch_PlansOnPostgres(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL only: TestPlans has SQLite's")
	}
	f := MustOpen(t)
	MustUsers(t, f, 100)
	must(t, f.db.Transaction(func(tx *gorm.DB) error {
		MustExec(t, tx, "SET LOCAL enable_seqscan = off")
		for index, query := range storage.PostgresSearches() {
			args := []any{"ada", "adb", 50}
			var plan []string
			must(t, tx.Raw("EXPLAIN "+query, args[3-strings.Count(query, "?"):]...).Scan(&plan).Error)
			if text := strings.Join(plan, "\n"); !strings.Contains(text, index) {
				t.Errorf("%s is not used by\n%s\n%s", index, query, text)
			}
		}
		return nil
	}))
}
