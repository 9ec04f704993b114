package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/hooks"
)

// loadtestFlags are the flags of loadtest.
type loadtestFlags struct {
	mixes     []string
	clients   int
	seconds   float64
	processes int
	preload   int64
	report    string
}

// Bounds of the flags: a client holds its histograms in memory, and a process
// needs some hundred milliseconds to come up.
const (
	clientsMost   = 1000
	processesMost = 64
	secondsLeast  = 0.1
	secondsMost   = 24 * 60 * 60
	preloadMost   = 1_000_000_000
)

func loadtestCommand(opts *options) *cobra.Command {
	var flags loadtestFlags
	cmd := &cobra.Command{
		Use:   "loadtest",
		Short: "Measure how much load a database takes, and how long each call waits",
		Long: `Let clients work on a database all at once, each for a learner of its own and
without a pause between its calls, and measure how many calls are done and how
long each takes. The kinds of work, and their shares of the mix "mixed":

` + workloadsHelp() + `
"mixed" gives a row for each kind, such as mixed/board, and one for all of
them. Several mixes run one after the other. The clients are shared out among
the processes, which begin at one moment. What fails is counted and not
measured, and the exit status is 1. An interrupt ends the test, and what was
measured is printed. Clients that only read keep all processors busy: the
slowest of their calls have waited for one, not for the database.

The database is a file in the temporary folder that is removed after the test;
each mix has a new one. If that folder is kept in memory, no commit waits for a
disk. --db names a file to write to instead: learners "loadtest-…" with their
answers stay in it and play in this week's league. $DATABASE_PATH is not used.

With --json each row is an object on a line of its own. --report DIR writes
index.html, which needs nothing else, and its plots as SVG and PNG; a report
that is there already is replaced.`,
		Example: `  flashstore loadtest
  flashstore loadtest --mix submit,answers --clients 32 --seconds 30 --report report
  flashstore loadtest --processes 4 --preload 1000000 --durability safe
  flashstore loadtest --mix answers --json | jq .per_second
  flashstore loadtest --json | jq -s 'map({(.mix): .p99_ms}) | add'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			mixes, err := flags.check(opts)
			if err != nil {
				return &usageError{err}
			}
			if flags.report != "" {
				if err := os.MkdirAll(flags.report, 0o755); err != nil {
					return fmt.Errorf("make a folder for the report: %w", err)
				}
			}
			return flags.run(cmd, opts, mixes)
		},
	}
	cmd.Flags().StringSliceVar(&flags.mixes, "mix", []string{"mixed"}, "submit, answers, mixed, purchase, board or dashboard; or several by commas")
	cmd.Flags().IntVar(&flags.clients, "clients", 16, "how many work at once, over all processes")
	cmd.Flags().Float64Var(&flags.seconds, "seconds", 10, "how long each mix is measured")
	cmd.Flags().IntVar(&flags.processes, "processes", 1, "how many processes work on the one file")
	cmd.Flags().Int64Var(&flags.preload, "preload", 0, "how many answers are stored before the clock starts")
	cmd.Flags().StringVar(&flags.report, "report", "", "a folder for a page with plots")
	cmd.AddCommand(loadtestProcessCommand())
	return opts.prefixFlag(cmd)
}

// check returns the mixes that were asked for, or what is wrong with a flag.
func (f loadtestFlags) check(opts *options) (mixes []mix, err error) {
	switch {
	case f.clients < 1 || f.clients > clientsMost:
		err = fmt.Errorf("--clients is %d: give 1 to %d", f.clients, clientsMost)
	case f.processes < 1 || f.processes > processesMost:
		err = fmt.Errorf("--processes is %d: give 1 to %d", f.processes, processesMost)
	case f.processes > f.clients:
		err = fmt.Errorf("--processes is %d and --clients %d: give each process a client or more", f.processes, f.clients)
	case math.IsNaN(f.seconds) || f.seconds < secondsLeast || f.seconds > secondsMost:
		err = fmt.Errorf("--seconds is %v: give %v to %d", f.seconds, secondsLeast, secondsMost)
	case f.preload < 0 || f.preload > preloadMost:
		err = fmt.Errorf("--preload is %d: give 0 to %d answers", f.preload, preloadMost)
	case len(f.mixes) == 0:
		err = errors.New("--mix is empty: give one or more of " + strings.Join(mixNames(), ", "))
	}
	if err != nil {
		return nil, err
	}
	for _, name := range f.mixes {
		m, err := mixByName(name)
		if err != nil {
			return nil, err
		}
		mixes = append(mixes, m)
	}
	_, err = hooks.ParseDurability(opts.durability)
	return mixes, err
}

// duration is how long each mix is measured.
func (f loadtestFlags) duration() time.Duration {
	return time.Duration(f.seconds * float64(time.Second))
}

// run measures one mix after the other and shows what came of it. What was
// measured before an error is shown too.
func (f loadtestFlags) run(cmd *cobra.Command, opts *options, mixes []mix) error {
	var done loadtest
	err := done.measure(cmd, opts, f, mixes)
	if len(done.runs) == 0 {
		return err
	}
	err = errors.Join(err, done.print(opts, cmd.OutOrStdout()))
	if f.report != "" {
		err = errors.Join(err, done.report(f.report))
	}
	if err == nil && done.complain(cmd.ErrOrStderr()) > 0 {
		return errFindings
	}
	return err
}

// loadtest is what was measured.
type loadtest struct{ runs []*loadRun }

func (l *loadtest) measure(cmd *cobra.Command, opts *options, f loadtestFlags, mixes []mix) error {
	ctx, out := cmd.Context(), cmd.ErrOrStderr()
	own := cmd.Flags().Changed("db")
	for i, m := range mixes {
		r := &loadRun{mix: m, flags: f, opts: *opts}
		if own && i > 0 {
			r.flags.preload = 0 // it is there
		}
		if err := r.inFolder(own, func() error { return r.do(ctx, out) }); err != nil {
			return fmt.Errorf("load test of %s: %w", m.name, err)
		}
		l.runs = append(l.runs, r)
		if ctx.Err() != nil {
			_, err := fmt.Fprintf(out, "interrupted: %s was measured for %v\n", m.name, short(r.total.Elapsed))
			return err
		}
	}
	return nil
}

// inFolder runs fn with the file that --db names, or else with one in a
// temporary folder that is removed afterwards.
func (r *loadRun) inFolder(own bool, fn func() error) (err error) {
	if own {
		return fn()
	}
	dir, err := os.MkdirTemp("", "flashstore-loadtest-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r.opts.db = filepath.Join(dir, "flashmath.db")
	return fn()
}

// loadRun is one mix, measured.
type loadRun struct {
	mix     mix
	flags   loadtestFlags
	opts    options // with the run's own file
	items   []int64 // that can be bought
	total   measurement
	wal     []walSample
	walPeak int64 // bytes
	dbBytes int64 // when all have closed it
	answers int64 // in the database at the end
}

// do prepares the database, lets all processes work on it and reads what they
// left there.
func (r *loadRun) do(ctx context.Context, out io.Writer) error {
	if err := r.prepare(ctx, out); err != nil {
		return err
	}
	watch := newWatch(r.opts.db+"-wal", r.flags.duration(), newProgress(out, r.flags.duration().Milliseconds(), r.mix.name))
	all, err := together(ctx, r.tasks(), watch.start)
	watch.stop()
	if err == nil {
		r.total = merged(all)
		r.wal, r.walPeak = watch.until(r.total.Elapsed), max(watch.peak(), r.total.WALBytes)
	}
	// An interrupt has ended the work; what it left is read all the same.
	return errors.Join(err, r.finish(context.WithoutCancel(ctx)))
}
