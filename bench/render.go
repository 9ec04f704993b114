package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// render returns RESULTS.md. plots is where its pictures lie, seen from it.
func render(r *results, plots string) string {
	var b strings.Builder
	b.WriteString("# flashstore, measured\n\n")
	b.WriteString("Written by `make bench` from the figures in results.json; do not edit it by hand. Quote ratios, not times.\n\n")
	renderMethod(&b, r)
	renderTargets(&b, r)
	renderOverview(&b, r, plots)
	for _, w := range workloads() {
		renderWorkload(&b, r, w)
	}
	renderGrowth(&b, r.Growth)
	renderParts(&b, r)
	renderMemory(&b, r)
	return b.String()
}

func renderMethod(b *strings.Builder, r *results) {
	m := r.Machine
	if m.CPU != "" {
		fmt.Fprintf(b, "%s, %s, %s, %s; Go %s, SQLite %s (zombiezen: %s). %s.\n\n",
			m.CPU, plural(m.Cores, "core"), m.OS, m.Filesystem, m.Go, m.SQLite, m.PureSQLite, r.dates())
	}
	b.WriteString("All candidates work on the same tables, made by flashstore's migrations, with the same rows: 1,000 learners, " +
		"100,000 answers in sessions of 20, 200 items. Each run has a fresh copy of the file and a process of its own. " +
		"A round runs every candidate once, one after another; figures are medians of the rounds, ratios are of medians, " +
		"the longest wait and the errors are those of all rounds. Calls that are under way when a run ends are waited for, and " +
		"their times count. After each run the rows in the file are compared with those that were acknowledged: what is " +
		"missing is an error. *ratio* is flashstore's rate divided by the candidate's: above 1, flashstore is faster.\n\n")
	b.WriteString("| candidate | |\n|---|---|\n")
	for _, c := range contenders {
		fmt.Fprintf(b, "| %s | %s |\n", c.Name, c.What)
	}
	b.WriteString("\nFor a single answer flashstore does more than the others: it checks the input, recognises a repeated " +
		"answer, folds a late one in its order, and notes the learner for the next rollup.\n\n")
}

// dates is when the workloads were measured.
func (r *results) dates() string {
	seen := map[string]bool{}
	for _, rec := range r.Workloads {
		seen[rec.Date.Format(time.DateOnly)] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

func renderTargets(b *strings.Builder, r *results) {
	b.WriteString("## Targets\n\n")
	met, open := 0, 0
	list := r.targets()
	t := table{head: []string{"", "target", "measured", ""}}
	for _, v := range list {
		mark := "**missed**"
		switch {
		case !v.Known:
			mark = "–"
			open++
		case v.Met:
			mark = "met"
			met++
		}
		t.add(v.What, v.Target, v.Measured, mark)
	}
	fmt.Fprintf(b, "%d of %d met", met, len(list))
	if open > 0 {
		fmt.Fprintf(b, ", %d not measured", open)
	}
	fmt.Fprintf(b, ".\n\n%s\n", t.String())
}

// renderOverview is the rates of single answers on one screen, and the plots.
func renderOverview(b *strings.Builder, r *results, plots string) {
	b.WriteString("## Single answers per second, by clients\n\n")
	t := table{head: []string{""}}
	for _, sync := range []Sync{Full, Normal} {
		for _, n := range crowdSizes {
			t.head = append(t.head, fmt.Sprintf("%s, %d", sync, n))
		}
	}
	for _, c := range contenders {
		row := []string{c.Name}
		for _, sync := range []Sync{Full, Normal} {
			for _, n := range crowdSizes {
				cell := "–"
				if s, ok := r.of(answersName(sync, n), c.Name); ok {
					cell = thousands(s.PerSecond)
				}
				row = append(row, cell)
			}
		}
		t.add(row...)
	}
	b.WriteString(t.String() + "\n")
	for _, p := range plotList() {
		fmt.Fprintf(b, "![%s](%s/%s)\n", p.title, plots, p.file)
	}
	b.WriteString("\n")
}

func renderWorkload(b *strings.Builder, r *results, w workload) {
	rec := r.Workloads[w.Name]
	if rec == nil {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", w.Title)
	if w.Text != "" {
		fmt.Fprintf(b, "%s\n\n", w.Text)
	}
	t := table{head: []string{"", w.Unit + "/s", "slowest to fastest round", "ratio", "p50", "p99", "max", "errors", "MB"}}
	if w.Writers > 0 {
		t.head = append(t.head, "answers/s beside")
	}
	ours, _ := r.of(w.Name, nameFlashstore)
	var notes []string
	rounds := 0
	for _, c := range contenders {
		s, ok := r.of(w.Name, c.Name)
		if !ok {
			continue
		}
		rounds = s.rounds
		t.add(workloadRow(w, c, s, ours)...)
		notes = append(notes, errorNotes(c, s)...)
	}
	b.WriteString(t.String())
	fmt.Fprintf(b, "\n`go run . -only '^%s$' -rounds %d -seconds %g` in bench/, %s.", w.Name, rounds, rec.Seconds, rec.Date.Format(time.DateOnly))
	if len(notes) > 0 {
		b.WriteString(" Errors: " + strings.Join(notes, "; ") + ".")
	}
	b.WriteString("\n\n")
}

func workloadRow(w workload, c contender, s, ours summary) []string {
	ratio := "–"
	if s.PerSecond > 0 {
		ratio = fmt.Sprintf("%.2f", ours.PerSecond/s.PerSecond)
	}
	failed := thousands(float64(s.Failed))
	if s.Lost > 0 {
		failed += fmt.Sprintf(", %s lost", thousands(float64(s.Lost)))
	}
	row := []string{
		c.Name, thousands(s.PerSecond), thousands(s.low) + " – " + thousands(s.top), ratio,
		nanos(s.P50), nanos(s.P99), nanos(s.Max), failed, megabytes(s.Memory.Once),
	}
	if w.Writers > 0 {
		row = append(row, thousands(s.WritesPerSecond))
	}
	return row
}

// errorNotes are a candidate's errors by what they said, the commonest two.
func errorNotes(c contender, s summary) (notes []string) {
	texts := slices.SortedFunc(maps.Keys(s.Errors), func(x, y string) int { return int(s.Errors[y] - s.Errors[x]) })
	for _, text := range texts[:min(2, len(texts))] {
		notes = append(notes, fmt.Sprintf("%s: %s × “%s”", c.Name, thousands(float64(s.Errors[text])), oneLine(text)))
	}
	return notes
}

// oneLine makes a text fit into a sentence.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "|", "/")), " ")
	if runes := []rune(text); len(runes) > 120 {
		return string(runes[:120]) + "…"
	}
	return text
}

// renderMemory is the most memory of each candidate in any workload.
func renderMemory(b *strings.Builder, r *results) {
	b.WriteString("## Memory\n\nThe most that one process had in any workload: with each page counted once (Pss); what of that is its own " +
		"(RssAnon, sampled); and what the kernel counts as resident (VmHWM), where a page of the mapped file counts once for each connection.\n\n")
	t := table{head: []string{"", "Pss, MB", "RssAnon, MB", "VmHWM, MB"}}
	for _, c := range contenders {
		var m memory
		for _, w := range workloads() {
			if s, ok := r.of(w.Name, c.Name); ok {
				m = m.or(s.Memory)
			}
		}
		if m.Resident > 0 {
			t.add(c.Name, megabytes(m.Once), megabytes(m.Own), megabytes(m.Resident))
		}
	}
	b.WriteString(t.String())
}
