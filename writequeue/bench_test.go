package writequeue_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// BenchmarkRows writes rows one by one from several callers: each through
// db.Create, through Do, and through a Bulk.
func BenchmarkRows(b *testing.B) {
	for _, durability := range []hooks.Durability{hooks.Balanced, hooks.Safe} {
		for _, callers := range []int{1, 8, 64} {
			for name, writer := range writers {
				b.Run(fmt.Sprintf("%s/%d/%s", durability, callers, name), func(b *testing.B) {
					db := open(b, hooks.Config{Durability: durability})
					q := writequeue.New(db, writequeue.Config{})
					write := writer(b, db, q)
					var next atomic.Int64
					b.ReportAllocs()
					b.ResetTimer()
					must(b, atOnce(callers, func(caller int) error {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							if err := write(row{Caller: caller, N: int(n)}); err != nil {
								return err
							}
						}
						return nil
					}))
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
					if name != "create" {
						b.ReportMetric(q.Stats().Group.Mean(), "rows/commit")
					}
					must(b, q.Close())
					mustCount(b, db, int64(b.N))
				})
			}
		}
	}
}

var writers = map[string]func(b *testing.B, db *gorm.DB, q *writequeue.Queue) func(row) error{
	"create": func(_ *testing.B, db *gorm.DB, _ *writequeue.Queue) func(row) error {
		return func(r row) error { return db.Create(&r).Error }
	},
	"do": func(b *testing.B, _ *gorm.DB, q *writequeue.Queue) func(row) error {
		return func(r row) error {
			return q.Do(b.Context(), func(tx *gorm.DB) error { return tx.Create(&r).Error })
		}
	},
	"bulk": func(b *testing.B, _ *gorm.DB, q *writequeue.Queue) func(row) error {
		bulk := writequeue.NewBulk(q, insertRows)
		return func(r row) error {
			_, err := bulk.Do(b.Context(), r)
			return err
		}
	},
}

func insertRows(tx *gorm.DB, jobs []*writequeue.Job[row, int64]) error {
	rows := make([]row, len(jobs))
	for i, j := range jobs {
		rows[i] = j.In
	}
	if err := tx.Create(&rows).Error; err != nil {
		return err
	}
	for i, j := range jobs {
		j.Out = rows[i].ID
	}
	return nil
}
