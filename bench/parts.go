package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// part is a record of what is not measured on the usual file: on PostgreSQL,
// or at sizes of their own. Each says when and where it was measured.
type part struct {
	Date    time.Time `json:"date"`
	Machine machine   `json:"machine"`
	Rounds  int       `json:"rounds"`
	Seconds float64   `json:"seconds"` // of each run
	// Users and Answers are what was there before, Rows all rows of a copy.
	Users   int   `json:"users"`
	Answers int64 `json:"answers"`
	Rows    int64 `json:"rows,omitempty"`
	// Figures are the rounds: by workload, and by candidate.
	Figures map[string]map[string][]figure `json:"figures"`
}

// partKind is one of the parts before it is measured.
type partKind struct {
	name    string // what -only is matched with
	title   string
	measure func(ctx context.Context, m *partRun) error
	tables  func(b *strings.Builder, p *part)
	targets func(p *part) []verdict // of an empty part too
}

// partKinds are all of them, in the order of the report.
func partKinds() []partKind {
	return []partKind{
		{"postgres", "Single answers on PostgreSQL, 64 clients", onServer(measureServer), renderServer, serverTargets},
		{"copy", "Copies between SQLite and PostgreSQL", onServer(measureCopies), renderCopies, copyTargets},
		{"dashboard", "Dashboards at a million answers", measureDashboards, renderDashboards, dashboardTargets},
		{"rank", "The rank of a user among a million", measureRanks, renderRanks, rankTargets},
		{"rank-postgres", "The rank of a user among a million on PostgreSQL", onServer(measureServerRanks), renderServerRanks, serverRankTargets},
	}
}

// partSizes are what there is before each of the parts is measured.
type partSizes struct {
	server, copied  world
	learner, school world // whose dashboards are read
	rivals          int   // of the one learner
	participants    int   // of one board
}

func usualSizes() partSizes {
	return partSizes{
		server: usual(),
		copied: world{Users: 1000, Items: 200, SessionsPerUser: 14, AnswersEach: 20},
		// Three years of practice, and seven weeks of a school.
		learner:      world{Users: 1, Items: 200, SessionsPerUser: 1000, AnswersEach: 1000, Pause: 26 * time.Hour},
		school:       world{Users: 1000, Items: 200, SessionsPerUser: 50, AnswersEach: 20, Pause: 26 * time.Hour},
		rivals:       100,
		participants: 1_000_000,
	}
}

// partRun is a part while it is measured.
type partRun struct {
	o   *options
	dir string
	say io.Writer
	*part
	save func() error // what is known up to now
}

// measureParts runs the parts that -only names. A part that is stopped keeps
// the rounds that it finished; the others stay as they were.
func (o *options) measureParts(ctx context.Context, r *results, say io.Writer) error {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	list := slices.DeleteFunc(partKinds(), func(k partKind) bool { return !only.MatchString(k.name) })
	if len(list) == 0 {
		return fmt.Errorf("-only %q names no part: there are postgres, copy, dashboard, rank and rank-postgres", o.only)
	}
	for _, kind := range list {
		if err := o.measurePart(ctx, r, kind, say); err != nil {
			return fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	return nil
}

func (o *options) measurePart(ctx context.Context, r *results, kind partKind, say io.Writer) (err error) {
	dir, remove, err := o.workspace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	m := &partRun{o: o, dir: dir, say: say, part: &part{
		Date: time.Now().UTC().Truncate(time.Minute), Machine: thisMachine(dir), Seconds: o.seconds,
		Figures: map[string]map[string][]figure{},
	}}
	m.save = func() error {
		if r.Parts == nil {
			r.Parts = map[string]*part{}
		}
		r.Parts[kind.name] = m.part
		return r.save(o.json)
	}
	return kind.measure(ctx, m)
}

// rounds calls fn for each round and saves what it has.
func (m *partRun) rounds(fn func(round int) error) error {
	for round := range m.o.rounds {
		if err := fn(round); err != nil {
			return err
		}
		m.Rounds = round + 1
		if err := m.save(); err != nil {
			return err
		}
	}
	return nil
}

// add takes in one run and tells of it.
func (m *partRun) add(workload, candidate, unit string, f figure) error {
	if m.Figures[workload] == nil {
		m.Figures[workload] = map[string][]figure{}
	}
	m.Figures[workload][candidate] = append(m.Figures[workload][candidate], f)
	_, err := fmt.Fprintf(m.say, "round %d/%d  %-20s %-48s %10s %s/s  p99 %9s  failed %d, lost %d\n",
		m.Rounds+1, m.o.rounds, workload, candidate, thousands(f.PerSecond), unit, nanos(f.P99), f.Failed, f.Lost)
	return err
}

// of returns a candidate's summary.
func (p *part) of(workload, candidate string) (s summary, ok bool) {
	if p == nil || len(p.Figures[workload][candidate]) == 0 {
		return s, false
	}
	return summarize(p.Figures[workload][candidate]), true
}

// best is the one of some candidates with the highest rate.
func (p *part) best(workload string, names ...string) (s summary, name string, ok bool) {
	for _, n := range names {
		if found, there := p.of(workload, n); there && found.PerSecond > s.PerSecond {
			s, name, ok = found, n, true
		}
	}
	return s, name, ok
}

// partTargets are those of all parts.
func (r *results) partTargets() (list []verdict) {
	for _, kind := range partKinds() {
		list = append(list, kind.targets(r.Parts[kind.name])...)
	}
	return list
}

// renderParts is the sections that only the parts command changes.
func renderParts(b *strings.Builder, r *results) {
	for _, kind := range partKinds() {
		fmt.Fprintf(b, "## %s\n\n", kind.title)
		command := fmt.Sprintf("go run . parts -only '^%s$'", kind.name)
		p := r.Parts[kind.name]
		if p == nil || p.Rounds == 0 {
			fmt.Fprintf(b, "Not measured yet: `%s` in bench/.\n\n", command)
			continue
		}
		kind.tables(b, p)
		m := p.Machine
		fmt.Fprintf(b, "`%s -rounds %d -seconds %g` in bench/, %s (%s, %s, %s, %s; Go %s, SQLite %s",
			command, p.Rounds, p.Seconds, p.Date.Format(time.DateOnly), m.CPU, plural(m.Cores, "core"), m.OS, m.Filesystem, m.Go, m.SQLite)
		if m.PostgreSQL != "" {
			fmt.Fprintf(b, ", PostgreSQL %s", m.PostgreSQL)
		}
		b.WriteString("); `make bench` leaves it as it is.\n\n")
	}
}

// latency asks for a bound of the 99th percentile.
func latency(p *part, what, workload, candidate string, most time.Duration) verdict {
	target := "< " + nanos(int64(most))
	s, ok := p.of(workload, candidate)
	if !ok {
		return unknown(what, target)
	}
	return verdict{what, target, fmt.Sprintf("%s (p50 %s)", nanos(s.P99), nanos(s.P50)), true,
		s.P99 < int64(most) && s.Failed+s.Lost == 0}
}
