package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/storage"
)

// What is measured on files of a million.

// largePace gives 400 sessions a second of 16 writers: 8,000 answers.
const largePace = 40 * time.Millisecond

// largeWorkload is one client that asks without a pause: what a call takes,
// and not how many there are.
func largeWorkload(name, title, op string) workload {
	return workload{Name: name, Title: title, Unit: "reads", Sync: Normal, Op: op, Clients: 1, Processes: 1, PerCall: 1}
}

// beside adds 16 clients that submit sessions meanwhile.
func (w workload) beside(name, title string, every time.Duration) workload {
	w.Name, w.Title = name, title
	w.Writers, w.WriterOp, w.WriterEvery = besideWriters, "session", every
	return w
}

// largeRuns measure on copies of one file.
func largeRuns(m *partRun, w world, name string) (*runs, error) {
	dir := filepath.Join(m.dir, name)
	return &runs{templates: &templates{dir: dir, world: w}, measured: m.o.measured(), say: m.say}, os.MkdirAll(dir, 0o755)
}

// makeFile makes the file that runs are copies of: for the rivals' runs too,
// for there is one only.
func (r *runs) makeFile(ctx context.Context, fill func(f *flash, w *world) error) (err error) {
	quiet := hooks.Config{Logger: slog.New(slog.DiscardHandler)}
	f, err := openFlash(r.templates.path(layoutHooks), storage.Config{Hooks: quiet})
	if err != nil {
		return err
	}
	err = fill(f, &r.templates.world)
	return errors.Join(err, f.Close())
}

// largeRound runs candidates at one workload.
func (m *partRun) largeRound(ctx context.Context, measuring *runs, w workload, names ...string) error {
	for _, name := range names {
		c, err := contenderOf(name)
		if err != nil {
			return err
		}
		c.layout = layoutHooks
		f, err := measuring.once(ctx, c, w)
		if err != nil {
			return err
		}
		if err := m.add(w.Name, c.Name, w.Unit, f); err != nil {
			return err
		}
	}
	return nil
}

// renderLarge is a table of workloads and candidates.
func renderLarge(b *strings.Builder, p *part, list []workload, names ...string) {
	t := table{head: []string{"", "p50", "p99", "max", "reads/s", "slowest to fastest round", "answers/s beside", "errors", "MB"}}
	var notes []string
	for _, w := range list {
		for _, name := range names {
			s, ok := p.of(w.Name, name)
			if !ok {
				continue
			}
			title := w.Title
			if len(names) > 1 {
				title += ": " + name
			}
			beside := "–"
			if w.Writers > 0 {
				beside = thousands(s.WritesPerSecond)
			}
			t.add(title, nanos(s.P50), nanos(s.P99), nanos(s.Max), thousands(s.PerSecond), thousands(s.low)+" – "+thousands(s.top),
				beside, thousands(float64(s.Failed+s.Lost)), megabytes(s.Memory.Once))
			notes = append(notes, errorNotes(contender{Name: name}, s)...)
		}
	}
	b.WriteString(t.String() + "\n")
	if len(notes) > 0 {
		fmt.Fprintf(b, "Errors: %s.\n\n", strings.Join(notes, "; "))
	}
}
