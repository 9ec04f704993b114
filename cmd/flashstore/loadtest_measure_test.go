package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/cmd/flashstore/internal/loadreport"
)

// seriesOf returns a series of calls that ended one behind the other.
func seriesOf(took ...time.Duration) *series {
	s, at := newSeries(), time.Duration(0)
	for _, d := range took {
		at += d
		s.add(d, at, nil)
	}
	return s
}

func TestSeries(t *testing.T) {
	s := seriesOf(time.Millisecond, 2*time.Millisecond, 300*time.Millisecond, 2*time.Minute)
	s.add(time.Second, time.Second, errors.New("first"))
	s.add(time.Second, time.Second, errors.New("second"))
	if s.done() != 4 || s.Errors != 2 || s.First != "first" {
		t.Errorf("%d calls, %d errors, the first %q", s.done(), s.Errors, s.First)
	}
	if got := s.ms(50); got < 2 || got > 2.002 {
		t.Errorf("half of them took up to %v ms", got)
	}
	if got := s.ms(100); got < 60_000 || got > 60_100 { // three digits of a minute
		t.Errorf("the longest took %v ms", got)
	}
	if s.Buckets[0] != 2 || s.Buckets[1] != 1 || sumOf(s.Buckets) != 4 {
		t.Errorf("over time %v", s.Buckets[:2])
	}
	if none := newSeries(); none.ms(99) != 0 || none.done() != 0 || none.percentiles() != nil {
		t.Errorf("nothing is %v ms", none.ms(99))
	}
}

// What two processes measured is, merged, what one would have; it comes
// through a pipe as it was.
func TestMerged(t *testing.T) {
	a := measurement{Elapsed: time.Second, WALBytes: 5, Series: []*series{seriesOf(time.Millisecond, time.Second), newSeries()}}
	b := measurement{Elapsed: 2 * time.Second, WALBytes: 3, Series: []*series{seriesOf(3 * time.Millisecond), newSeries()}}
	b.Series[1].add(0, 0, errors.New("broken"))
	text, err := json.Marshal([]measurement{a, b})
	if err != nil {
		t.Fatal(err)
	}
	var read []measurement
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	got := merged(read)
	if got.Elapsed != 2*time.Second || got.WALBytes != 5 || len(got.Series) != 2 {
		t.Errorf("merged: %+v", got)
	}
	want := newSeries()
	for _, d := range []time.Duration{time.Millisecond, time.Second, 3 * time.Millisecond} {
		want.add(d, 0, nil)
	}
	if first := got.Series[0]; !first.Latencies.Equals(want.Latencies.Histogram) {
		t.Errorf("the latencies are %+v", first.Latencies.Distribution())
	}
	if diff := cmp.Diff([]int64{2, 0, 0, 0, 1}, got.Series[0].Buckets); diff != "" {
		t.Errorf("over time (-want +got):\n%s", diff)
	}
	if broken := got.Series[1]; broken.Errors != 1 || broken.First != "broken" || broken.done() != 0 {
		t.Errorf("the errors are %+v", broken)
	}
	if sum := got.sum(); sum.done() != 3 || sum.Errors != 1 {
		t.Errorf("in all %d calls, %d errors", sum.done(), sum.Errors)
	}
	if err := json.Unmarshal([]byte(`"bogus"`), &latencies{}); err == nil {
		t.Error("it reads what are no latencies")
	}
}

func TestRates(t *testing.T) {
	s := newSeries()
	s.Buckets = []int64{10, 0, 5, 1}
	got := s.rates(800 * time.Millisecond) // 50 ms of the fourth bucket
	want := []loadreport.Point{{X: 0.125, Y: 40}, {X: 0.375, Y: 0}, {X: 0.625, Y: 20}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rates (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]loadreport.Point{{X: 0.05, Y: 100}}, s.rates(100*time.Millisecond)); diff != "" {
		t.Errorf("of a short test (-want +got):\n%s", diff)
	}
	s.Buckets = make([]int64, 5000)
	for i := range s.Buckets {
		s.Buckets[i] = 1
	}
	long := s.rates(5000 * bucketWidth)
	if len(long) > plotPoints || long[0].Y != 4 || long[len(long)-1].Y != 4 {
		t.Errorf("a long test has %d points, from %v to %v", len(long), long[0], long[len(long)-1])
	}
}

func TestPercentiles(t *testing.T) {
	s := newSeries()
	for i := range 1000 {
		s.add(time.Duration(i+1)*time.Millisecond, 0, nil)
	}
	points := s.percentiles()
	for i, at := range points[1:] {
		if at.X <= points[i].X || at.Y < points[i].Y {
			t.Fatalf("%v comes behind %v", at, points[i])
		}
	}
	if first, last := points[0], points[len(points)-1]; first.X != 0 || first.Y > 1.001 || last.X != 3 || last.Y < 1000 || last.Y > 1001 {
		t.Errorf("they go from %v to %v", first, last)
	}
}

func TestLogSizes(t *testing.T) {
	var samples []walSample
	for i := range 1001 {
		samples = append(samples, walSample{time.Duration(i) * watchEvery, int64(i) << 20})
	}
	points := logSizes(samples)
	if last := points[len(points)-1]; len(points) > plotPoints || last.Y != 1000 || last.X != 100 {
		t.Errorf("%d points, the last %v", len(points), last)
	}
	if got := logSizes(nil); len(got) != 0 {
		t.Errorf("nothing is %v", got)
	}
}

// The shares are of a hundred, and clients keep to them.
func TestDraw(t *testing.T) {
	m, err := mixByName(mixed)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, w := range m.parts {
		sum += w.share
	}
	if sum != 100 {
		t.Errorf("the shares make %d", sum)
	}
	random, drawn := rand.New(rand.NewPCG(1, 2)), make([]int, len(m.parts))
	const times = 100_000
	for range times {
		drawn[m.draw(random)]++
	}
	for i, w := range m.parts {
		if want := times * w.share / 100; drawn[i] < want*9/10 || drawn[i] > want*11/10 {
			t.Errorf("%s was drawn %d times of %d", w.name, drawn[i], times)
		}
	}
}

// Clients are shared out among processes, each with a number of its own.
func TestTasks(t *testing.T) {
	r := &loadRun{flags: loadtestFlags{clients: 7, processes: 3, seconds: 1}}
	next := 0
	for _, task := range r.tasks() {
		if task.First != next || task.Clients < 2 || task.Clients > 3 {
			t.Errorf("a task of %d clients from %d, want %d", task.Clients, task.First, next)
		}
		next += task.Clients
	}
	if next != 7 {
		t.Errorf("there are %d clients", next)
	}
}
