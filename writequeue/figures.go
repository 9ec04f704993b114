package writequeue

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Stats are a queue's figures since New.
type Stats struct {
	Waiting int // calls that wait at this moment

	Depth  *hdrhistogram.Histogram // calls that waited when one came, itself among them
	Group  *hdrhistogram.Histogram // calls that shared a transaction, of those committed
	Wait   *hdrhistogram.Histogram // µs from the arrival of such a call to its commit's beginning
	Commit *hdrhistogram.Histogram // µs of a COMMIT
}

// figures are the histograms as they grow. It is safe for concurrent use.
type figures struct {
	mu                         sync.Mutex
	depth, group, wait, commit *hdrhistogram.Histogram
}

// digits is the precision of the histograms: a hundredth.
const digits = 2

func newFigures() *figures {
	count := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 1<<20, digits) }
	micros := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, time.Minute.Microseconds(), digits) }
	return &figures{depth: count(), group: count(), wait: micros(), commit: micros()}
}

// came notes a call's arrival.
func (f *figures) came(depth int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	record(f.depth, int64(depth))
}

// committed notes a group whose commit began at that time and is done.
func (f *figures) committed(calls []*call, began time.Time) {
	took := time.Since(began)
	f.mu.Lock()
	defer f.mu.Unlock()
	record(f.group, int64(len(calls)))
	record(f.commit, took.Microseconds())
	for _, c := range calls {
		record(f.wait, began.Sub(c.came).Microseconds())
	}
}

// record notes a value; what is above a histogram counts as its highest.
func record(h *hdrhistogram.Histogram, value int64) {
	_ = h.RecordValue(min(value, h.HighestTrackableValue()))
}

// Stats returns a copy of the figures.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	waiting := q.waiting.Len()
	q.mu.Unlock()
	f := q.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	return Stats{Waiting: waiting, Depth: clone(f.depth), Group: clone(f.group), Wait: clone(f.wait), Commit: clone(f.commit)}
}

func clone(h *hdrhistogram.Histogram) *hdrhistogram.Histogram { return hdrhistogram.Import(h.Export()) }
