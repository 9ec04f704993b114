package main

import (
	"fmt"
	"strings"
)

// verdict is one line of the checklist.
type verdict struct {
	What, Target, Measured string
	Known, Met             bool
}

// targets compares what was measured with what the project must reach.
func (r *results) targets() (list []verdict) {
	for _, t := range []struct {
		sync         Sync
		gorm, byHand float64
	}{{Full, 8, 5}, {Normal, 3, 2}} {
		name, title := answersName(t.sync, 64), fmt.Sprintf("64 clients, single answers, %s: ", t.sync)
		list = append(list,
			r.rate(title+"rate against GORM with pragmas", name, nameGormSeed, t.gorm),
			r.rate(title+"rate against database/sql by hand", name, nameHandwritten, t.byHand),
			r.tail(title+"p99 against GORM with pragmas", name, 1.0/20))
	}
	list = append(list, r.noErrors(), r.noErrorsIn(processesName(Full)), r.noErrorsIn(processesName(Normal)))
	for _, sync := range []Sync{Full, Normal} {
		list = append(list, r.rate(fmt.Sprintf("One client, single answers, %s: rate against database/sql by hand", sync),
			answersName(sync, 1), nameHandwritten, 1))
	}
	for _, sync := range []Sync{Full, Normal} {
		list = append(list, r.rate(fmt.Sprintf("A session of 10,000 answers, %s: rate against a prepared loop by hand", sync),
			batchName(sync), nameHandwritten, 0.8))
	}
	for _, read := range readOps {
		list = append(list, r.rate(read.title+", beside 16 writers: rate against database/sql by hand",
			besideName(read.op), nameHandwritten, 0.9))
	}
	for _, read := range readOps {
		list = append(list, r.rate(read.title+", beside 16 writers at one pace: rate against database/sql by hand",
			pacedName(read.op), nameHandwritten, 0.9))
	}
	list = append(append(list, r.Growth.targets()...), r.memoryTarget())
	return append(list, r.partTargets()...)
}

// unknown is a target for which nothing was measured yet.
func unknown(what, target string) verdict {
	return verdict{What: what, Target: target, Measured: "not measured"}
}

// rate asks for a multiple of another candidate's rate.
func (r *results) rate(what, workload, rival string, least float64) verdict {
	target := fmt.Sprintf("≥ %g", least)
	ours, ok := r.of(workload, nameFlashstore)
	theirs, there := r.of(workload, rival)
	if !ok || !there || theirs.PerSecond == 0 {
		return unknown(what, target)
	}
	ratio := ours.PerSecond / theirs.PerSecond
	return verdict{what, target, fmt.Sprintf("%.2f", ratio), true, ratio >= least}
}

// tail asks for a part of plain GORM's 99th percentile.
func (r *results) tail(what, workload string, most float64) verdict {
	target := fmt.Sprintf("≤ %g", most)
	ours, ok := r.of(workload, nameFlashstore)
	theirs, there := r.of(workload, nameGormSeed)
	if !ok || !there || theirs.P99 == 0 {
		return unknown(what, target)
	}
	ratio := float64(ours.P99) / float64(theirs.P99)
	measured := fmt.Sprintf("%.3f (%s : %s)", ratio, nanos(ours.P99), nanos(theirs.P99))
	return verdict{what, target, measured, true, ratio <= most}
}

// noErrors asks for none in any workload.
func (r *results) noErrors() verdict {
	v := verdict{What: "Errors and lost answers in all workloads", Target: "0", Met: true}
	var failed, lost int64
	for _, w := range workloads() {
		if s, ok := r.of(w.Name, nameFlashstore); ok {
			v.Known = true
			failed, lost = failed+s.Failed, lost+s.Lost
		}
	}
	if !v.Known {
		return unknown(v.What, v.Target)
	}
	v.Measured, v.Met = fmt.Sprintf("%d, %d", failed, lost), failed+lost == 0
	return v
}

func (r *results) noErrorsIn(workload string) verdict {
	what := "Errors and lost answers, four processes on the file, " + strings.ToUpper(strings.TrimPrefix(workload, "processes-"))
	s, ok := r.of(workload, nameFlashstore)
	if !ok {
		return unknown(what, "0")
	}
	return verdict{what, "0", fmt.Sprintf("%d, %d", s.Failed, s.Lost), true, s.Failed+s.Lost == 0}
}

// memoryTarget asks for less than 200 MB of its own in every process: the pages
// of the mapped file are the kernel's, which takes them back when it likes.
func (r *results) memoryTarget() verdict {
	const most = 200e6
	what, target := "Most memory of a process (RssAnon), all workloads and growth", "< 200 MB"
	var peak, mapped int64
	where := ""
	look := func(m memory, name string) {
		if m.Own > peak {
			peak, where = m.Own, name
		}
		mapped = max(mapped, m.Once)
	}
	for _, w := range workloads() {
		if s, ok := r.of(w.Name, nameFlashstore); ok {
			look(s.Memory, w.Name)
		}
	}
	if r.Growth != nil {
		for _, stop := range r.Growth.Stops {
			look(stop.Memory, "growth, "+thousands(float64(stop.Answers)))
		}
	}
	if peak == 0 {
		return unknown(what, target)
	}
	bytes := float64(peak) * 1024
	return verdict{what, target, fmt.Sprintf("%.0f MB (%s); with mapped pages of the file %s MB", bytes/1e6, where, megabytes(mapped)), true, bytes < most}
}
