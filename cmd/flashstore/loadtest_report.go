package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/flashstore/flashstore/cmd/flashstore/internal/loadreport"
)

// plotPoints is how many points a line over time has at the most: more are
// not seen, and a long test has many.
const plotPoints = 400

// report writes the report into a folder.
func (l *loadtest) report(dir string) error {
	r := loadreport.Report{
		Title: "flashstore load test", Setting: l.setting(),
		Columns: loadColumns, Rows: l.cells(), Machine: machine(),
	}
	for _, run := range l.runs {
		r.Seconds = max(r.Seconds, run.total.Elapsed.Seconds())
		for _, row := range run.rows() {
			r.Latency = append(r.Latency, loadreport.Line{Name: row.Mix, Points: row.series.percentiles()})
			r.Throughput = append(r.Throughput, loadreport.Line{Name: row.Mix, Points: row.series.rates(run.total.Elapsed)})
		}
		r.Log = append(r.Log, loadreport.Line{Name: run.mix.name, Points: logSizes(run.wal)})
	}
	if err := loadreport.Write(dir, r); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// machine says what a test ran on.
func machine() []loadreport.Fact {
	version, _, _ := sqlite3.Version()
	return []loadreport.Fact{
		{Name: "Measured", Value: time.Now().UTC().Format("2 January 2006, 15:04 UTC")},
		{Name: "System", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "Processors", Value: strconv.Itoa(runtime.NumCPU())},
		{Name: "Go", Value: runtime.Version()},
		{Name: "SQLite", Value: version},
	}
}

// percentiles returns the latencies along the percentile axis, to the slowest
// call, which is the last of all: one call in a thousand is at 99.9%.
func (s *series) percentiles() (points []loadreport.Point) {
	if s.done() == 0 {
		return nil
	}
	const step = 0.02
	last := math.Log10(float64(s.done()))
	for i := 0; float64(i)*step < last; i++ {
		x := float64(i) * step
		points = append(points, loadreport.Point{X: x, Y: s.ms(100 * (1 - math.Pow(10, -x)))})
	}
	return append(points, loadreport.Point{X: last, Y: s.ms(100)})
}

// rates returns the calls a second over the time that was measured. A last
// bucket that was cut short says little and is left out.
func (s *series) rates(elapsed time.Duration) (points []loadreport.Point) {
	buckets := int(max(elapsed/bucketWidth, 1))
	group := (buckets + plotPoints - 1) / plotPoints
	for from := 0; from < buckets; from += group {
		to := min(from+group, buckets)
		var done int64
		for _, n := range s.Buckets[min(from, len(s.Buckets)):min(to, len(s.Buckets))] {
			done += n
		}
		begin, end := bucketWidth*time.Duration(from), min(bucketWidth*time.Duration(to), elapsed)
		points = append(points, loadreport.Point{
			X: (begin + end).Seconds() / 2, Y: float64(done) / (end - begin).Seconds(),
		})
	}
	return points
}

// logSizes returns the log's size over time, in MiB.
func logSizes(samples []walSample) (points []loadreport.Point) {
	group := max((len(samples)+plotPoints-1)/plotPoints, 1)
	for part := range slices.Chunk(samples, group) {
		largest := slices.MaxFunc(part, func(a, b walSample) int { return int(a.bytes - b.bytes) })
		points = append(points, loadreport.Point{X: largest.at.Seconds(), Y: float64(largest.bytes) / (1 << 20)})
	}
	return points
}
