package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// figure is what one run of one candidate gave. Times are ns.
type figure struct {
	PerSecond       float64          `json:"per_second"`
	P50             int64            `json:"p50_ns"`
	P99             int64            `json:"p99_ns"`
	Max             int64            `json:"max_ns"`
	Failed          int64            `json:"failed"`
	Errors          map[string]int64 `json:"errors,omitempty"`
	Lost            int64            `json:"lost"` // acknowledged, and not in the file
	WritesPerSecond float64          `json:"writes_per_second,omitempty"`
	Memory          memory           `json:"memory"`
}

// record is what is known of one workload.
type record struct {
	Date       time.Time           `json:"date"`
	Seconds    float64             `json:"seconds"` // of each run
	Candidates map[string][]figure `json:"candidates"`
}

// results are all figures: what RESULTS.md is made of. A run that measures
// some workloads replaces those and leaves the others.
type results struct {
	Machine   machine            `json:"machine"`
	Workloads map[string]*record `json:"workloads"`
	Growth    *growth            `json:"growth,omitempty"`
	Parts     map[string]*part   `json:"parts,omitempty"` // by name
}

// loadResults reads earlier ones; no file is no results.
func loadResults(path string) (*results, error) {
	r := &results{Workloads: map[string]*record{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(text, r)
}

func (r *results) save(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// summary is a candidate's rounds in one: medians, but the longest wait of
// all, all errors and the most memory.
type summary struct {
	figure
	rounds   int
	low, top float64 // the slowest and the fastest round
}

// of returns a candidate's summary at a workload.
func (r *results) of(workload, candidate string) (s summary, ok bool) {
	rec := r.Workloads[workload]
	if rec == nil || len(rec.Candidates[candidate]) == 0 {
		return s, false
	}
	return summarize(rec.Candidates[candidate]), true
}

func summarize(rounds []figure) summary {
	s := summary{rounds: len(rounds)}
	s.Errors = map[string]int64{}
	pick := func(of func(figure) float64) float64 { return medianOf(rounds, of) }
	s.PerSecond = pick(func(f figure) float64 { return f.PerSecond })
	s.WritesPerSecond = pick(func(f figure) float64 { return f.WritesPerSecond })
	s.P50 = int64(pick(func(f figure) float64 { return float64(f.P50) }))
	s.P99 = int64(pick(func(f figure) float64 { return float64(f.P99) }))
	s.low, s.top = rounds[0].PerSecond, rounds[0].PerSecond
	for _, f := range rounds {
		s.low, s.top = min(s.low, f.PerSecond), max(s.top, f.PerSecond)
		s.Max, s.Memory = max(s.Max, f.Max), s.Memory.or(f.Memory)
		s.Failed += f.Failed
		s.Lost += f.Lost
		for text, n := range f.Errors {
			s.Errors[text] += n
		}
	}
	return s
}

func medianOf[T any](list []T, of func(T) float64) float64 {
	values := make([]float64, len(list))
	for i, v := range list {
		values[i] = of(v)
	}
	return median(values)
}

// median returns the middle of values, or 0 of none.
func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	if n == 0 {
		return 0
	}
	return (values[(n-1)/2] + values[n/2]) / 2
}
