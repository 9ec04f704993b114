package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"
)

// job is what a child process does: one candidate at one workload. Every run
// has a process of its own, so that memory and caches are its own.
type job struct {
	Candidate string
	Workload  workload
	World     world
	Path      string
	Number    int // of the process, from 0
	Measured  time.Duration
}

// outcome is what a child reports.
type outcome struct {
	Main    tally
	Writers tally // where there are any
	Memory  memory
}

// The lines between parent and child, so that four of them begin at once.
const (
	lineReady = "ready"
	lineGo    = "go"
)

// runChild reads a job, opens the candidate, says that it is ready, waits for
// the word and reports.
func runChild(ctx context.Context, in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	contender, err := contenderOf(j.Candidate)
	if err != nil {
		return err
	}
	c, err := contender.open(j.Path, j.Workload.Sync)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, lineReady); err != nil {
		return errors.Join(err, c.Close())
	}
	if _, err := lines.ReadString('\n'); err != nil {
		return errors.Join(err, c.Close())
	}
	result, err := j.run(ctx, c)
	if err := errors.Join(err, c.Close()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// run measures an open candidate.
func (j job) run(ctx context.Context, c Candidate) (result outcome, err error) {
	runtime.GC()
	stop := watchMemory()
	tallies, err := drive(ctx, c, j.Measured/5, j.Measured, j.crowds()...)
	result.Memory = stop()
	if err != nil {
		return result, err
	}
	result.Main = tallies[0]
	if len(tallies) > 1 {
		result.Writers = tallies[1]
	}
	return result, nil
}

// crowds are the workload's clients, this process's share of them.
func (j job) crowds() []crowd {
	w := j.Workload
	share := w.Clients / w.Processes
	list := []crowd{{clients: clientsOf(j.World, j.Number*share, share, w.Clients), next: operationsByName[w.Op], long: w.Long}}
	if w.Writers > 0 {
		op, _ := w.writerOp()
		list = append(list, crowd{
			clients: clientsOf(j.World, 0, w.Writers, w.Writers), next: operationsByName[op], every: w.WriterEvery,
		})
	}
	return list
}
