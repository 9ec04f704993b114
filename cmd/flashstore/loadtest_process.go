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
	"strings"
	"sync"

	"github.com/spf13/cobra"
)

// How the processes of a load test talk: the child reads its task, a line of
// JSON, from its standard input and writes readyLine when its clients are
// ready; at goLine it starts; then it writes its measurement as JSON. When its
// standard input ends it stops early: the parent wants it to, or is gone.
const (
	readyLine = "ready\n"
	goLine    = "go\n"
)

// loadtestProcessCommand is what a load test runs in other processes.
func loadtestProcessCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "process",
		Short:  "Do a part of a load test: started by it, not by people",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// An interrupt from the terminal reaches all processes: the
			// parent decides what becomes of it.
			return doForParent(context.WithoutCancel(cmd.Context()), cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// doForParent does the task that in names and writes to out what it measured.
func doForParent(ctx context.Context, in io.Reader, out io.Writer) error {
	orders := bufio.NewReader(in)
	line, err := orders.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the task: %w: run 'flashstore loadtest --processes' instead", err)
	}
	var t task
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	letGo := make(chan struct{})
	go func() {
		defer stop()
		if order, err := orders.ReadString('\n'); err != nil || order != goLine {
			return
		}
		close(letGo)
		_, _ = io.Copy(io.Discard, orders)
	}()
	said := make(chan error, 1)
	m, err := t.do(ctx, func() {
		_, err := io.WriteString(out, readyLine)
		said <- err
	}, letGo)
	if err != nil {
		return err
	}
	return errors.Join(<-said, json.NewEncoder(out).Encode(m))
}

// doElsewhere is do in a process of its own.
func (t task) doElsewhere(ctx context.Context, ready func(), letGo <-chan struct{}) (m measurement, err error) {
	child, err := startLoadProcess(t)
	if err != nil {
		return m, fmt.Errorf("start a process of the load test: %w", err)
	}
	serving, served := context.WithCancel(ctx)
	var commanding sync.WaitGroup
	commanding.Go(func() { command(serving, child.orders, letGo) })
	err = child.serve(ready, &m)
	served()
	commanding.Wait()
	return m, child.end(ctx, err)
}

// command starts a process together with all others, and ends its orders when
// ctx ends.
func command(ctx context.Context, orders io.WriteCloser, letGo <-chan struct{}) {
	// A process that no longer reads has ended, and will be asked why.
	defer func() { _ = orders.Close() }()
	if wait(ctx, letGo) == nil {
		_, _ = io.WriteString(orders, goLine)
		<-ctx.Done()
	}
}

// loadProcess is this program, run once more.
type loadProcess struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	says   *bufio.Reader
	stderr bytes.Buffer
}

// startLoadProcess starts a process and gives it its task.
func startLoadProcess(t task) (*loadProcess, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// Not under a context: it is to end by itself, and to say what it did.
	p := &loadProcess{cmd: exec.Command(path, "loadtest", "process")}
	p.cmd.Stderr = &p.stderr
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	says, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.says = bufio.NewReader(says)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	// If that fails the process has ended, and will be asked why.
	_ = json.NewEncoder(p.orders).Encode(t)
	return p, nil
}

// serve waits until the process is ready, and reads what it measured.
func (p *loadProcess) serve(ready func(), m *measurement) error {
	if line, err := p.says.ReadString('\n'); err != nil || line != readyLine {
		return fmt.Errorf("it said %q: %w", line, err)
	}
	ready()
	return json.NewDecoder(p.says).Decode(m)
}

// end waits for the process and says what went wrong, in its own words where
// it has any.
func (p *loadProcess) end(ctx context.Context, serving error) error {
	_, _ = io.Copy(io.Discard, p.says)
	waiting := p.cmd.Wait()
	if serving == nil && waiting == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if words := strings.TrimPrefix(strings.TrimSpace(p.stderr.String()), "flashstore: "); words != "" {
		return fmt.Errorf("a process of the load test failed: %s", words)
	}
	return fmt.Errorf("a process of the load test failed: %w", errors.Join(serving, waiting))
}
