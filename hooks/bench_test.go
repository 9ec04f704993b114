package hooks_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// seedDSN is what the seed asks for, as far as a DSN of plain GORM can carry
// it.
const seedDSN = "?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000&_foreign_keys=on&_cache_size=-64000"

// compare runs bench on plain GORM and on GORM with the plugin, each with a new
// file that holds a number of items.
func compare(b *testing.B, items int, bench func(b *testing.B, db *gorm.DB)) {
	for _, name := range []string{"plain", "hooks"} {
		b.Run(name, func(b *testing.B) {
			var db *gorm.DB
			if name == "plain" {
				db = openPlain(b, newPath(b)+seedDSN, quiet())
			} else {
				db = openHooks(b, newPath(b), hooks.Config{}, quiet())
			}
			must(b, db.Exec(createItems).Error)
			if items > 0 {
				rows := make([]item, items)
				must(b, db.CreateInBatches(&rows, 500).Error)
			}
			b.ReportAllocs()
			b.ResetTimer()
			bench(b, db)
		})
	}
}

func BenchmarkCreateOne(b *testing.B) {
	compare(b, 0, func(b *testing.B, db *gorm.DB) {
		for b.Loop() {
			if err := db.Create(&item{Name: "one", N: 1}).Error; err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReadOne(b *testing.B) {
	compare(b, 1000, func(b *testing.B, db *gorm.DB) {
		for b.Loop() {
			var got item
			if err := db.First(&got, 500).Error; err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReadHundred(b *testing.B) {
	compare(b, 1000, func(b *testing.B, db *gorm.DB) {
		for b.Loop() {
			var got []item
			if err := db.Where("id > ?", 400).Limit(100).Find(&got).Error; err != nil || len(got) != 100 {
				b.Fatalf("%d rows, %v", len(got), err)
			}
		}
	})
}

// BenchmarkCreateParallel has 32 writers of one row each, one row after the
// other. The longest wait is reported besides. Beware of a percentile here:
// without a queue a few writers write nearly all rows while the others starve,
// so that nearly all waits are short.
func BenchmarkCreateParallel(b *testing.B) {
	compare(b, 0, func(b *testing.B, db *gorm.DB) {
		took := make([]time.Duration, b.N)
		if err := share(b.N, 32, createTimed(db, took)); err != nil {
			b.Fatal(err)
		}
		reportWaits(b, took)
	})
}

// BenchmarkCreateBurst has 32 writers come at once with one row each, again
// and again: what one in a hundred of them waits.
func BenchmarkCreateBurst(b *testing.B) {
	const writers = 32
	compare(b, 0, func(b *testing.B, db *gorm.DB) {
		took := make([]time.Duration, b.N*writers)
		for i := range b.N {
			if err := atOnce(writers, createTimed(db, took[i*writers:])); err != nil {
				b.Fatal(err)
			}
		}
		reportWaits(b, took)
	})
}

// createTimed returns a function that creates a row and notes how long the
// i-th took.
func createTimed(db *gorm.DB, took []time.Duration) func(i int) error {
	return func(i int) error {
		begin := time.Now()
		defer func() { took[i] = time.Since(begin) }()
		return db.Create(&item{Name: "one", N: 1}).Error
	}
}

func reportWaits(b *testing.B, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1e3, "longest-ms")
}

// share calls fn for 0 to n-1 on that many goroutines.
func share(n, goroutines int, fn func(i int) error) error {
	var next atomic.Int64
	return atOnce(goroutines, func(int) error {
		for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
			if err := fn(int(i)); err != nil {
				return err
			}
		}
		return nil
	})
}
