package main

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	latencyMost = 60 * time.Second // longer ones count as this long
	latencySigs = 3                // significant digits
	bucketWidth = 250 * time.Millisecond
)

// series is what became of the calls of one kind.
type series struct {
	Latencies latencies `json:"latencies"`
	Buckets   []int64   `json:"buckets"` // calls done in each bucketWidth
	Errors    int64     `json:"errors"`
	First     string    `json:"first"` // of the errors
}

// latencies are counts of microseconds. As text they are the base64 of HDR's
// own encoding, so that they lose nothing between processes.
type latencies struct{ *hdrhistogram.Histogram }

func newLatencies() latencies {
	return latencies{hdrhistogram.New(1, latencyMost.Microseconds(), latencySigs)}
}

func (l latencies) MarshalText() ([]byte, error) {
	return l.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
}

func (l *latencies) UnmarshalText(text []byte) (err error) {
	if l.Histogram, err = hdrhistogram.Decode(text); err != nil {
		return fmt.Errorf("read the latencies of a process: %w", err)
	}
	return nil
}

func newSeries() *series { return &series{Latencies: newLatencies()} }

// add notes a call: how long it took, and how long after the start it ended.
// One that failed has no latency, for it did nothing.
func (s *series) add(took, at time.Duration, err error) {
	if err != nil {
		s.fail(1, err.Error())
		return
	}
	_ = s.Latencies.RecordValue(min(max(took, 0), latencyMost).Microseconds()) // it is in the range
	bucket := int(at / bucketWidth)
	for len(s.Buckets) <= bucket {
		s.Buckets = append(s.Buckets, 0)
	}
	s.Buckets[bucket]++
}

func (s *series) fail(times int64, first string) {
	if s.Errors == 0 {
		s.First = first
	}
	s.Errors += times
}

// merge adds what other has.
func (s *series) merge(other *series) {
	s.Latencies.Merge(other.Latencies.Histogram)
	for i, n := range other.Buckets {
		if i == len(s.Buckets) {
			s.Buckets = append(s.Buckets, 0)
		}
		s.Buckets[i] += n
	}
	if other.Errors > 0 {
		s.fail(other.Errors, other.First)
	}
}

// done is how many calls succeeded.
func (s *series) done() int64 { return s.Latencies.TotalCount() }

// ms returns the latency that so many of a hundred calls do not exceed.
func (s *series) ms(percentile float64) float64 {
	if s.done() == 0 {
		return 0
	}
	return float64(s.Latencies.ValueAtPercentile(percentile)) / 1000
}

// measurement is what one process measured, or all of them together.
type measurement struct {
	Elapsed  time.Duration `json:"elapsed"` // until the last call ended
	Series   []*series     `json:"series"`  // by the parts of the mix
	WALBytes int64         `json:"wal_bytes"`
}

// merged returns what several processes measured at one time, as one.
func merged(all []measurement) measurement {
	total := measurement{}
	for _, m := range all {
		total.Elapsed = max(total.Elapsed, m.Elapsed)
		total.WALBytes = max(total.WALBytes, m.WALBytes)
		for i, s := range m.Series {
			if i == len(total.Series) {
				total.Series = append(total.Series, newSeries())
			}
			total.Series[i].merge(s)
		}
	}
	return total
}

// sum returns all kinds as one.
func (m measurement) sum() *series {
	all := newSeries()
	for _, s := range m.Series {
		all.merge(s)
	}
	return all
}
