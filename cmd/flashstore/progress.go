package main

import (
	"fmt"
	"io"
	"os"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far long work has come: on a terminal, and nowhere else.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress begins a bar of size steps on out; -1: their number is unknown.
func newProgress(out io.Writer, size int64, what string) *progress {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return &progress{}
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetPredictTime(size >= 0),
		progressbar.OptionThrottle(100_000_000),
		progressbar.OptionClearOnFinish(),
	)
	if size < 0 {
		_ = bar.RenderBlank() // from now on it turns by itself
	}
	return &progress{bar}
}

func (p *progress) add(n int) {
	if p.bar != nil {
		_ = p.bar.Add(n)
	}
}

// set says how many steps are done, and how many there are.
func (p *progress) set(done, total int) {
	if p.bar != nil {
		p.bar.ChangeMax(total)
		_ = p.bar.Set(done)
	}
}

func (p *progress) done() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// report returns a function that says of a line why it was not booked,
// without tearing the bar.
func (p *progress) report(out io.Writer) func(line int, what string, err error) {
	return func(line int, what string, err error) {
		if p.bar != nil {
			_ = p.bar.Clear()
		}
		_, _ = fmt.Fprintf(out, "line %d: %s: %v\n", line, what, err)
	}
}
