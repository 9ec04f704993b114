package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

// loadRow is one row of what a load test found: a kind of work, or the whole
// mix.
type loadRow struct {
	Mix          string  `json:"mix"`
	Clients      int     `json:"clients"`
	Processes    int     `json:"processes"`
	Durability   string  `json:"durability"`
	Seconds      float64 `json:"seconds"`    // measured, until the last call ended
	PerSecond    float64 `json:"per_second"` // calls that succeeded
	P50          float64 `json:"p50_ms"`
	P95          float64 `json:"p95_ms"`
	P99          float64 `json:"p99_ms"`
	Max          float64 `json:"max_ms"`
	Errors       int64   `json:"errors"`
	WALPeakBytes int64   `json:"wal_peak_bytes"`
	DBBytes      int64   `json:"db_bytes"`
	Answers      int64   `json:"answers"` // in the database at the end

	series *series
}

// rows returns a row for each kind of the mix and, where there are several,
// one for all of them.
func (r *loadRun) rows() (rows []loadRow) {
	for i, w := range r.mix.parts {
		rows = append(rows, r.row(r.mix.nameOf(w), r.total.Series[i]))
	}
	if len(rows) > 1 {
		rows = append(rows, r.row(r.mix.name, r.total.sum()))
	}
	return rows
}

func (r *loadRun) row(name string, s *series) loadRow {
	seconds := r.total.Elapsed.Seconds()
	return loadRow{
		Mix: name, Clients: r.flags.clients, Processes: r.flags.processes, Durability: r.opts.durability,
		Seconds: rounded(seconds, 3), PerSecond: rounded(float64(s.done())/seconds, 1),
		P50: s.ms(50), P95: s.ms(95), P99: s.ms(99), Max: s.ms(100), Errors: s.Errors,
		WALPeakBytes: r.walPeak, DBBytes: r.dbBytes, Answers: r.answers,
		series: s,
	}
}

// rounded returns value with that many decimals.
func rounded(value float64, decimals int) float64 {
	unit := math.Pow10(decimals)
	return math.Round(value*unit) / unit
}

// rows returns all rows.
func (l *loadtest) rows() (rows []loadRow) {
	for _, r := range l.runs {
		rows = append(rows, r.rows()...)
	}
	return rows
}

// print writes the rows: as JSON an object a line, else as a table.
func (l *loadtest) print(opts *options, out io.Writer) error {
	if !opts.json {
		return l.text(out)
	}
	lines := json.NewEncoder(out)
	for _, row := range l.rows() {
		if err := lines.Encode(row); err != nil {
			return err
		}
	}
	return nil
}

func (l *loadtest) text(out io.Writer) error {
	if _, err := fmt.Fprintf(out, "%s; latencies in milliseconds\n", l.setting()); err != nil {
		return err
	}
	return table(out, "", func(row func(...any)) {
		for i, cells := range append([][]string{loadColumns}, l.cells()...) {
			if i == 0 {
				cells = strings.Split(strings.ToUpper(strings.Join(cells, "\t")), "\t")
			}
			values := make([]any, len(cells))
			for i, cell := range cells {
				values[i] = cell
			}
			row(values...)
		}
	})
}

// setting says what all rows have in common.
func (l *loadtest) setting() string {
	r := l.runs[0]
	processes := "1 process"
	if r.flags.processes > 1 {
		processes = fmt.Sprint(r.flags.processes, " processes")
	}
	return fmt.Sprintf("%s in %s, durability %s", count(int64(r.flags.clients), "client"), processes, r.opts.durability)
}

// loadColumns are the columns of the table and of the report's.
var loadColumns = []string{"mix", "seconds", "per second", "p50", "p95", "p99", "max", "errors", "log", "database", "answers"}

// cells returns the rows as people read them.
func (l *loadtest) cells() (cells [][]string) {
	for _, row := range l.rows() {
		texts := []string{row.Mix, fmt.Sprintf("%.2f", row.Seconds), fmt.Sprintf("%.0f", row.PerSecond)}
		for _, ms := range []float64{row.P50, row.P95, row.P99, row.Max} {
			texts = append(texts, fmt.Sprintf("%.2f", ms))
		}
		texts = append(texts, fmt.Sprint(row.Errors), size(row.WALPeakBytes), size(row.DBBytes), fmt.Sprint(row.Answers))
		cells = append(cells, texts)
	}
	return cells
}

// complain names the first error of each kind and returns how many there were.
func (l *loadtest) complain(out io.Writer) (errors int64) {
	for _, r := range l.runs {
		for i, s := range r.total.Series {
			if errors += s.Errors; s.Errors > 0 {
				_, _ = fmt.Fprintf(out, "%s: %s, the first of them: %s\n", r.mix.nameOf(r.mix.parts[i]), count(s.Errors, "error"), s.First)
			}
		}
	}
	return errors
}
