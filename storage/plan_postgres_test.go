package storage

import (
	"strings"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/internal/pgtest"
)

// Whether a season has a result is asked of the index on PostgreSQL, in which
// those of other seasons are not met.
func TestPlans_ResultsOnPostgres(t *testing.T) {
	db, err := gorm.Open(postgres.Open(pgtest.Server(t).Database(t)), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	if err := db.Use(New(Config{})); err != nil {
		t.Fatal(err)
	}
	err = db.Transaction(func(tx *gorm.DB) error {
		for _, statement := range []string{
			"SET LOCAL session_replication_role = replica", // no foreign keys
			"SET LOCAL plan_cache_mode = force_generic_plan",
			"INSERT INTO seasons SELECT n, n, n + 1, 'UTC' FROM generate_series(1, 10) AS n",
			"INSERT INTO season_results SELECT season, player, 1, 1, 1, 1, 0 FROM generate_series(1, 9) AS season, generate_series(1, 2000) AS player",
			"ANALYZE seasons, season_results",
		} {
			if err := tx.Exec(statement).Error; err != nil {
				return err
			}
		}
		for _, q := range []*query{lastClosed, anyResult} {
			var plan []string
			if err := tx.Exec("PREPARE looks AS " + strings.Replace(q.text(""), "?", "$1", 1)).Error; err != nil {
				return err
			}
			if err := tx.Raw("EXPLAIN EXECUTE looks (10)").Scan(&plan).Error; err != nil {
				return err
			}
			if text := strings.Join(plan, "\n"); !strings.Contains(text, "using season_results_pkey on season_results") {
				t.Errorf("%s\nis\n%s", q.text(""), text)
			}
			if err := tx.Exec("DEALLOCATE looks").Error; err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
