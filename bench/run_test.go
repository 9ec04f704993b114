package main

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// kinds are workloads of every kind: others differ in a number only.
var kinds = regexp.MustCompile(`^(answers-full-8|processes-normal|batch-normal|purchase-full|read-.*|beside-board|paced-recent)$`)

// Every candidate runs every kind of workload for a moment in processes of its
// own, and what it acknowledged is in the file.
func TestEveryKindOfWorkload(t *testing.T) {
	measuring := &runs{templates: files, measured: 20 * time.Millisecond, say: io.Discard}
	r := &results{Workloads: map[string]*record{}}
	list := slices.DeleteFunc(workloads(), func(w workload) bool { return !kinds.MatchString(w.Name) })
	must(t, measuring.round(t.Context(), list, 0, 1, r.Workloads))
	for _, w := range list {
		for _, c := range contenders {
			s, ok := r.of(w.Name, c.Name)
			if !ok {
				t.Fatalf("%s, %s: no figure", w.Name, c.Name)
			}
			if s.Lost != 0 {
				t.Errorf("%s, %s: %d acknowledged rows are not stored", w.Name, c.Name, s.Lost)
			}
			if c.Name == nameFlashstore && s.Failed != 0 {
				t.Errorf("%s: flashstore failed: %v", w.Name, s.Errors)
			}
		}
	}
	text := render(r, "plots")
	for _, w := range list {
		if !strings.Contains(text, "## "+w.Title+"\n") {
			t.Errorf("RESULTS.md has no table %q", w.Title)
		}
	}
	must(t, drawPlots(r, t.TempDir()))
}

// Growth ends with the number of answers that it says, and keeps them.
func TestGrowth(t *testing.T) {
	o := options{rounds: 1, seconds: 0.2, json: t.TempDir() + "/results.json", dir: t.TempDir(), stops: "40000,50000", limit: time.Minute}
	r := &results{Workloads: map[string]*record{}}
	must(t, o.grow(t.Context(), r, io.Discard))
	again, err := loadResults(o.json)
	must(t, err)
	if again.Growth == nil || len(again.Growth.Stops) != 2 {
		t.Fatalf("stops are missing: %+v", again.Growth)
	}
	for i, s := range again.Growth.Stops {
		if s.Answers < int64(40000+10000*i) || s.Bytes == 0 || s.Submit == 0 || s.Failed != 0 || s.BackupSeconds == 0 {
			t.Errorf("stop %d: %+v", i, s)
		}
	}
	if text := render(r, "plots"); !strings.Contains(text, "bytes per answer") {
		t.Error("RESULTS.md has no growth")
	}
}

func TestTargets(t *testing.T) {
	figures := func(rate float64, p99 int64) []figure {
		return []figure{{PerSecond: rate, P99: p99, Memory: memory{Own: 1000}}}
	}
	r := &results{Workloads: map[string]*record{
		answersName(Full, 64): {Candidates: map[string][]figure{
			nameFlashstore: figures(800, 10), nameGormSeed: figures(100, 200), nameHandwritten: figures(200, 100),
		}},
	}}
	var met, missed int
	for _, v := range r.targets() {
		if v.Known && v.Met {
			met++
		}
		if v.Known && !v.Met {
			missed++
		}
	}
	// Met: 8 × GORM, a twentieth of its p99, no errors, memory. Missed: 5 × by hand.
	if met != 4 || missed != 1 {
		t.Errorf("%d met, %d missed: %+v", met, missed, r.targets())
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {3, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("the median of %v is %g", values, got)
		}
	}
}

func TestTexts(t *testing.T) {
	for want, got := range map[string]string{
		"1,234,567": thousands(1234567), "999": thousands(999), "3.4": thousands(3.4), "0": thousands(0),
		"1.5 s": nanos(1.5e9), "12.3 ms": nanos(12.34e6), "850 ns": "850 ns", "950 µs": nanos(950e3),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
