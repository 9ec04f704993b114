// Command bench measures flashstore against other ways of keeping the same
// rows in a SQLite file, in one run, and writes RESULTS.md.
//
//	go run .                     all workloads, five rounds of a second each
//	go run . -only 'beside-'     some of them; the others stay as they are
//	go run . render              RESULTS.md again from results.json
//	go run . growth              100 thousand, 1 million and 10 million answers, by hand
//	go run . parts               PostgreSQL, copies, dashboards and ranks at a million, by hand
//	go run . parts -only rank    one of these; the others stay as they are
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds  int
	seconds float64
	only    string
	out     string
	plots   string
	json    string
	dir     string

	stops string        // growth
	limit time.Duration // growth
	sizes partSizes     // parts
}

func (o *options) parse(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each candidate runs")
	flags.Float64Var(&o.seconds, "seconds", 1, "how long a run measures")
	flags.StringVar(&o.only, "only", "", "a regular expression: workloads, or parts, to run, by name")
	flags.StringVar(&o.out, "out", "RESULTS.md", "the report to write")
	flags.StringVar(&o.plots, "plots", "plots", "the directory of the plots")
	flags.StringVar(&o.json, "json", "results.json", "the figures, those of earlier runs too")
	flags.StringVar(&o.dir, "dir", os.Getenv("BENCH_DIR"), "where databases are made; by default $BENCH_DIR, or tmp")
	flags.StringVar(&o.stops, "stops", "100000,1000000,10000000", "growth: how many answers to measure at")
	flags.DurationVar(&o.limit, "limit", 3*time.Hour, "growth: no stop is begun after this time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.rounds < 1 || o.seconds <= 0 || flags.NArg() > 0 {
		return errors.New("give -rounds of 1 or more, -seconds above 0, and nothing after the flags")
	}
	if o.dir == "" {
		o.dir = "tmp"
	}
	o.sizes = usualSizes()
	return nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	if command == "child" {
		return runChild(ctx, stdin, stdout)
	}
	var o options
	if err := o.parse(args, stderr); err != nil {
		return err
	}
	r, err := loadResults(o.json)
	if err != nil {
		return fmt.Errorf("read %s: %w", o.json, err)
	}
	switch command {
	case "":
		err = o.measure(ctx, r, stderr)
	case "growth":
		err = o.grow(ctx, r, stderr)
	case "parts":
		err = o.measureParts(ctx, r, stderr)
	case "render":
	default:
		return fmt.Errorf("there is no command %q: give none, growth, parts or render", command)
	}
	return errors.Join(err, o.report(r))
}

// report writes RESULTS.md and the plots from what is known.
func (o *options) report(r *results) error {
	if err := drawPlots(r, o.plots); err != nil {
		return fmt.Errorf("draw plots: %w", err)
	}
	plots, err := filepath.Rel(filepath.Dir(o.out), o.plots)
	if err != nil {
		plots = o.plots
	}
	return os.WriteFile(o.out, []byte(render(r, filepath.ToSlash(plots))), 0o644)
}

// workspace makes a directory for databases, on a disk.
func (o *options) workspace() (dir string, remove func() error, err error) {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return "", nil, err
	}
	if kind := filesystem(o.dir); kind == "tmpfs" || kind == "ramfs" {
		return "", nil, fmt.Errorf("%s is on %s, which is not a disk: set BENCH_DIR", o.dir, kind)
	}
	dir, err = os.MkdirTemp(o.dir, "bench-")
	return dir, func() error { return os.RemoveAll(dir) }, err
}

func (o *options) measured() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

// chosen returns the workloads that -only names.
func (o *options) chosen() (list []workload, err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	list = slices.DeleteFunc(workloads(), func(w workload) bool { return !only.MatchString(w.Name) })
	if len(list) == 0 {
		return nil, fmt.Errorf("-only %q names no workload", o.only)
	}
	return list, nil
}

// measure runs the chosen workloads. In each round every candidate runs once at
// each of them, close to the others in time, and another one begins: whatever
// else the machine does then affects all alike. A run that is stopped keeps the
// rounds that it finished.
func (o *options) measure(ctx context.Context, r *results, say io.Writer) (err error) {
	list, err := o.chosen()
	if err != nil {
		return err
	}
	dir, remove, err := o.workspace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	t, err := makeTemplates(ctx, dir, usual())
	if err != nil {
		return err
	}
	r.Machine = thisMachine(dir)
	measuring := &runs{templates: t, measured: o.measured(), say: say}
	fresh := map[string]*record{}
	for round := range o.rounds {
		if err := measuring.round(ctx, list, round, o.rounds, fresh); err != nil {
			return err
		}
		for name, rec := range fresh {
			r.Workloads[name] = rec
		}
		if err := r.save(o.json); err != nil {
			return err
		}
	}
	return nil
}

// round runs every candidate once at every workload.
func (r *runs) round(ctx context.Context, list []workload, round, rounds int, into map[string]*record) error {
	for _, w := range list {
		rec := into[w.Name]
		if rec == nil {
			rec = &record{Seconds: r.measured.Seconds(), Candidates: map[string][]figure{}}
			into[w.Name] = rec
		}
		rec.Date = time.Now().UTC().Truncate(time.Minute)
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			if err := ctx.Err(); err != nil {
				return err
			}
			f, err := r.once(ctx, c, w)
			if err != nil {
				return err
			}
			rec.Candidates[c.Name] = append(rec.Candidates[c.Name], f)
			_, err = fmt.Fprintf(r.say, "round %d/%d  %-20s %-22s %10s/s  p99 %9s  failed %d\n",
				round+1, rounds, w.Name, c.Name, thousands(f.PerSecond), nanos(f.P99), f.Failed)
			if err != nil {
				return err
			}
		}
	}
	return nil
}
