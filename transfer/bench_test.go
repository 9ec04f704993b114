package transfer_test

import (
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/transfer"
)

// fill makes users with answers and all that 300 answers of a user bring.
const (
	fillUsers = `INSERT INTO users (id, uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		SELECT i, 'user-' || i, 'Name of ' || i, 1, 0, 0, 1, 1778688000000, 1778688000000, 1778688000000 FROM n`
	fillAnswers = `INSERT INTO answer_events
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
		SELECT u.id, CAST(printf('%08d%08d', u.id, i) AS BLOB), NULL, 'addition', (i % 12) || '+' || (i % 9), i % 4 <> 0, 900 + i, 1778688000000 + i
		FROM users u, n`
	fillMastery = `INSERT INTO mastery_stats
		SELECT user_id, operation, fact, 2.55, -0.2, max(id), count(*), 0, 4000, 900, 1778688000000
		FROM answer_events GROUP BY user_id, operation, fact`
)

// A row is read, written, read again and compared.
func BenchmarkCopy(b *testing.B) {
	from := newSQLite(b)
	_, err := migrations.Up(b.Context(), from, migrations.Config{})
	must(b, err)
	for _, statement := range []string{fillUsers, fillAnswers, fillMastery} {
		must(b, from.Exec(statement).Error)
	}
	full := newPostgres(b)
	mustCopy(b, from, full, transfer.Config{})
	for _, way := range []struct {
		name string
		from *gorm.DB
		to   func(testing.TB) *gorm.DB
	}{
		{"to PostgreSQL", from, newPostgres},
		{"to SQLite", full, newSQLite},
		{"again", from, func(testing.TB) *gorm.DB { return full }},
	} {
		b.Run(way.name, func(b *testing.B) {
			var rows int64
			for b.Loop() {
				b.StopTimer()
				to := way.to(b)
				b.StartTimer()
				rows += mustCopy(b, way.from, to, transfer.Config{}).Rows()
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
