package main

import (
	"fmt"
	"strings"
	"time"
)

// at returns the stop nearest to a number of answers, if there is one within
// a tenth of it.
func (g *growth) at(answers int64) (growthStop, bool) {
	if g != nil {
		for _, s := range g.Stops {
			if s.Answers >= answers && s.Answers <= answers+answers/10 {
				return s, true
			}
		}
	}
	return growthStop{}, false
}

// targets are those of a growing file.
func (g *growth) targets() []verdict {
	size := unknown("Bytes of file per answer at a million, mastery rows included", "≤ 110")
	submit := unknown("Submit rate at 10 million answers against that at a million", "≥ 0.8")
	open := unknown("Time to open at 10 million answers against that at a million", "≤ 1.1")
	million, ok := g.at(1e6)
	if ok {
		size.Known, size.Met = true, million.BytesPerAnswer <= 110
		size.Measured = fmt.Sprintf("%.1f", million.BytesPerAnswer)
	}
	if ten, there := g.at(1e7); ok && there {
		ratio := ten.Submit / million.Submit
		submit.Known, submit.Met = true, ratio >= 0.8
		submit.Measured = fmt.Sprintf("%.2f (the control: %.2f)", ratio, ten.Control/million.Control)
		ratio = ten.OpenSeconds / million.OpenSeconds
		open.Known, open.Met = true, ratio <= 1.1
		open.Measured = fmt.Sprintf("%.2f (%.1f ms : %.1f ms)", ratio, ten.OpenSeconds*1e3, million.OpenSeconds*1e3)
	}
	return []verdict{size, submit, open}
}

// renderGrowth is the section that only the growth command changes.
func renderGrowth(b *strings.Builder, g *growth) {
	b.WriteString("## Growth\n\n")
	if g == nil || len(g.Stops) == 0 {
		b.WriteString("Not measured yet: `go run . growth` in bench/.\n\n")
		return
	}
	fmt.Fprintf(b, "One file that grows: 1,000 learners, sessions of %d answers in turn, facts of four operations with operands from 1 to 12. "+
		"%d clients at NORMAL; medians of %s of %g s. *Control* is submit into a fresh file of 100,000 answers in the same minutes: "+
		"what the machine was worth just then. Written by `go run . growth` in bench/ (%s, %s, %s, %s); `make bench` leaves it as it is.\n\n",
		growthSession, growthClients, plural(g.Rounds, "round"), g.Seconds, g.Machine.CPU, plural(g.Machine.Cores, "core"), g.Machine.Filesystem, g.Date.Format(time.DateOnly))
	b.WriteString(g.table().String() + "\n")
}

func (g *growth) table() *table {
	t := &table{head: []string{"answers"}}
	for _, s := range g.Stops {
		t.head = append(t.head, thousands(float64(s.Answers)))
	}
	row := func(title string, cell func(growthStop) string) {
		cells := []string{title}
		for _, s := range g.Stops {
			cells = append(cells, cell(s))
		}
		t.add(cells...)
	}
	row("size of the file, MB", func(s growthStop) string { return thousands(float64(s.Bytes) / 1e6) })
	row("bytes per answer", func(s growthStop) string { return fmt.Sprintf("%.1f", s.BytesPerAnswer) })
	row("submit, answers/s", func(s growthStop) string { return thousands(s.Submit) })
	row("control, answers/s", func(s growthStop) string { return thousands(s.Control) })
	for _, read := range readOps {
		row(read.op+", reads/s", func(s growthStop) string { return thousands(s.Reads[read.op]) })
		row(read.op+" by hand, reads/s", func(s growthStop) string { return thousands(s.ByHand[read.op]) })
	}
	row("open the store, ms", func(s growthStop) string { return fmt.Sprintf("%.1f", s.OpenSeconds*1e3) })
	row("backup, s", func(s growthStop) string { return fmt.Sprintf("%.2f", s.BackupSeconds) })
	row("fill on the way here, answers/s", func(s growthStop) string { return thousands(s.FillPerSecond) })
	row("memory (Pss), MB", func(s growthStop) string { return megabytes(s.Memory.Once) })
	row("of that its own (RssAnon), MB", func(s growthStop) string { return megabytes(s.Memory.Own) })
	row("errors", func(s growthStop) string { return thousands(float64(s.Failed)) })
	return t
}
