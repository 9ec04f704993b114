package hooks_test

import (
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// seedDSN is what the seed asks for, as far as a DSN of plain GORM can carry
// it.
const seedDSN = "?_journal_mode=WAL&_synchronous=NORMAL&_busy_timeout=5000&_foreign_keys=on&_cache_size=-64000&_txlock=immediate"

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

// BenchmarkCreateParallel has 32 writers of one row each. Their longest wait
// is reported besides: it is what a user sees.
func BenchmarkCreateParallel(b *testing.B) {
	compare(b, 0, func(b *testing.B, db *gorm.DB) {
		var worst longest
		if err := share(b.N, 32, func() error {
			defer worst.watch()()
			return db.Create(&item{Name: "one", N: 1}).Error
		}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(worst.milliseconds(), "longest-ms")
		b.StopTimer()
		mustCount(b, db, int64(b.N))
	})
}

// share runs fn n times on that many goroutines.
func share(n, goroutines int, fn func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	return atOnce(goroutines, func(int) error {
		for left.Add(-1) >= 0 {
			if err := fn(); err != nil {
				return err
			}
		}
		return nil
	})
}

// longest keeps the longest of many durations.
type longest struct{ nanoseconds atomic.Int64 }

// watch begins one, and returns what ends it.
func (l *longest) watch() (end func()) {
	begin := time.Now()
	return func() {
		took := int64(time.Since(begin))
		for kept := l.nanoseconds.Load(); took > kept && !l.nanoseconds.CompareAndSwap(kept, took); {
			kept = l.nanoseconds.Load()
		}
	}
}

func (l *longest) milliseconds() float64 { return float64(l.nanoseconds.Load()) / 1e6 }
