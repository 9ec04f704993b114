package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// patience is how much longer than its window a run may take before it is
// given up: in-flight calls may sit out every busy timeout.
const patience = 2 * time.Minute

// runs measures workloads.
type runs struct {
	templates *templates
	measured  time.Duration
	say       io.Writer // progress

	// after looks at the database that a run has left; it may be nil.
	after func(ctx context.Context, path string) error
}

// once runs one candidate at one workload on a fresh file.
func (r *runs) once(ctx context.Context, c contender, w workload) (f figure, err error) {
	dir, err := os.MkdirTemp(r.templates.dir, "run-")
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "bench.db")
	if err := copyFile(r.templates.path(c.layout), path); err != nil {
		return f, err
	}
	outcomes, err := r.children(ctx, c, w, path)
	if err != nil {
		return f, fmt.Errorf("%s, %s: %w", w.Name, c.Name, err)
	}
	if f, err = figureOf(w, outcomes); err != nil {
		return f, err
	}
	if f.Lost, err = r.lost(ctx, w, path, outcomes); err != nil || r.after == nil {
		return f, err
	}
	return f, r.after(ctx, path)
}

// child is a running child process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr bytes.Buffer
}

// children runs a workload in as many processes as it has.
func (r *runs) children(ctx context.Context, c contender, w workload, path string) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*r.measured+patience)
	defer cancel()
	var all []*child
	defer func() {
		for _, ch := range all {
			_ = ch.in.Close()
			_ = ch.cmd.Wait()
		}
	}()
	for n := range w.Processes {
		ch, err := startChild(ctx, job{c.Name, w, r.templates.world, path, n, r.measured})
		if err != nil {
			return nil, err
		}
		all = append(all, ch)
	}
	for _, ch := range all {
		if line, err := ch.out.ReadString('\n'); err != nil || line != lineReady+"\n" {
			return nil, fmt.Errorf("the process did not become ready: %s", ch.stderr.String())
		}
	}
	for _, ch := range all {
		if _, err := fmt.Fprintln(ch.in, lineGo); err != nil {
			return nil, err
		}
	}
	outcomes := make([]outcome, len(all))
	for i, ch := range all {
		if err := json.NewDecoder(ch.out).Decode(&outcomes[i]); err != nil {
			return nil, fmt.Errorf("the process did not report: %w: %s", err, ch.stderr.String())
		}
	}
	return outcomes, nil
}

// startChild starts this program again, as a child, and gives it its job.
func startChild(ctx context.Context, j job) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ch := &child{cmd: exec.CommandContext(ctx, program, "child")}
	ch.cmd.Stderr = &ch.stderr
	if ch.in, err = ch.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := ch.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	ch.out = bufio.NewReader(out)
	if err := ch.cmd.Start(); err != nil {
		return nil, err
	}
	return ch, json.NewEncoder(ch.in).Encode(j)
}

// lost is how many acknowledged rows are not in the file.
func (r *runs) lost(ctx context.Context, w workload, path string, outcomes []outcome) (int64, error) {
	table, want := r.acknowledged(w, outcomes)
	var got int64
	db := openMattn(path)
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+table).Scan(&got)
	return max(want-got, 0), errors.Join(err, db.Close())
}

// acknowledged is how many rows a table must have after a run.
func (r *runs) acknowledged(w workload, outcomes []outcome) (table string, rows int64) {
	table, perCall := w.writes()
	_, perWrite := w.writerOp()
	if table == "answer_events" {
		rows = r.templates.world.answers()
	}
	for _, o := range outcomes {
		rows += o.Main.Acked*perCall + o.Writers.Acked*perWrite
	}
	return table, rows
}

// figureOf makes one figure of what the processes of a run report.
func figureOf(w workload, outcomes []outcome) (figure, error) {
	var f figure
	all, writers := tally{Errors: map[string]int64{}}, tally{Errors: map[string]int64{}}
	times := newHistogram()
	for _, o := range outcomes {
		all.add(&o.Main)
		writers.add(&o.Writers)
		part, err := hdrhistogram.Decode(o.Main.Times)
		if err != nil {
			return f, err
		}
		times.Merge(part)
		f.Memory = f.Memory.or(o.Memory)
	}
	seconds := outcomes[0].Main.Seconds
	if w.Long {
		seconds = all.Busy
	}
	if seconds > 0 {
		f.PerSecond = float64(all.Done) * float64(w.PerCall) / seconds
	}
	_, perWrite := w.writerOp()
	f.WritesPerSecond = float64(writers.Done*perWrite) / outcomes[0].Main.Seconds
	f.Max = all.Longest
	f.P50, f.P99 = min(times.ValueAtQuantile(50), f.Max), min(times.ValueAtQuantile(99), f.Max)
	all.add(&tally{Errors: writers.Errors})
	f.Failed, f.Errors = all.failed(), all.Errors
	return f, nil
}
