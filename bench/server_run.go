package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/driver/postgres"

	"github.com/flashstore/flashstore/storage"
)

// serverLoad is the one workload on PostgreSQL.
var serverLoad = workload{
	Name: "answers-postgres-64", Unit: "answers", Sync: Full, Op: "answer", Clients: 64, Processes: 1, PerCall: 1,
}

// serverRuns measure candidates on copies of one database.
type serverRuns struct {
	*runs
	server   *server
	template string
}

// onServer measures with a server that runs as long as that takes.
func onServer(measure func(ctx context.Context, m *partRun, s *server) error) func(context.Context, *partRun) error {
	return func(ctx context.Context, m *partRun) (err error) {
		s, err := startServer(m.o.dir)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.stop()) }()
		if m.Machine.PostgreSQL, err = s.version(ctx); err != nil {
			return err
		}
		return measure(ctx, m, s)
	}
}

// measureServer runs every candidate on one server, as measure does.
func measureServer(ctx context.Context, m *partRun, s *server) error {
	measuring, err := newServerRuns(ctx, s, m, m.o.sizes.server, (*flash).populate)
	if err != nil {
		return err
	}
	m.Users, m.Answers = measuring.templates.world.Users, measuring.templates.world.answers()
	list := serverContenders()
	return m.rounds(func(round int) error {
		for i := range list {
			c := list[(i+round)%len(list)]
			f, err := measuring.once(ctx, c, serverLoad)
			if err != nil {
				return err
			}
			if err := m.add(serverLoad.Name, c.Name, serverLoad.Unit, f); err != nil {
				return err
			}
		}
		return nil
	})
}

// filling makes what is there before a run.
type filling func(f *flash, ctx context.Context, w *world) error

// newServerRuns makes the database that all others are copies of.
func newServerRuns(ctx context.Context, s *server, m *partRun, w world, fill filling) (*serverRuns, error) {
	r := &serverRuns{
		runs:   &runs{templates: &templates{dir: m.dir, world: w}, measured: m.o.measured(), say: m.say},
		server: s,
	}
	r.templates.world.EndedAt = lately()
	var err error
	if r.template, err = s.create(ctx, "template1"); err != nil {
		return nil, err
	}
	if err := r.fill(ctx, fill); err != nil {
		return nil, fmt.Errorf("make the template: %w", err)
	}
	// All begin with the same statistics.
	return r, s.exec(ctx, r.template, "VACUUM ANALYZE")
}

func (r *serverRuns) fill(ctx context.Context, fill filling) (err error) {
	rules := storage.DefaultRules()
	rules.StartCoins = startCoins
	f, err := openFlashOver(postgres.Open(r.server.dsn(r.template)), storage.Config{Rules: &rules})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return fill(f, ctx, &r.templates.world)
}

// once runs one candidate on a fresh database.
func (r *serverRuns) once(ctx context.Context, c contender, w workload) (f figure, err error) {
	database, err := r.server.create(ctx, r.template)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, r.server.drop(database)) }()
	outcomes, err := r.children(ctx, c, w, r.server.dsn(database))
	if err != nil {
		return f, fmt.Errorf("%s: %w", c.Name, err)
	}
	if f, err = figureOf(w, outcomes); err != nil {
		return f, err
	}
	table, want := r.acknowledged(w, outcomes)
	var got int64
	err = r.server.ask(ctx, database, "SELECT count(*) FROM "+table, &got)
	f.Lost = max(want-got, 0)
	if err != nil || r.after == nil {
		return f, err
	}
	return f, r.after(ctx, r.server.dsn(database))
}

func serverTargets(p *part) []verdict {
	title := "PostgreSQL, 64 clients, single answers: rate against "
	list := []verdict{
		serverRate(p, title+"one transaction per answer by hand (database/sql)", nameServerByHand),
		serverRate(p, title+"one transaction and one round trip per answer by hand (pgx pipeline)", nameServerPipeline),
	}
	clean := unknown("Errors and lost answers, PostgreSQL", "0")
	if ours, ok := p.of(serverLoad.Name, nameServerFlash); ok {
		clean.Known, clean.Met = true, ours.Failed+ours.Lost == 0
		clean.Measured = fmt.Sprintf("%d, %d", ours.Failed, ours.Lost)
	}
	return append(list, clean)
}

// serverRate asks for five times the rate of a rival at its best pool.
func serverRate(p *part, what, kind string) verdict {
	const least, target = 5, "≥ 5"
	ours, ok := p.of(serverLoad.Name, nameServerFlash)
	theirs, name, there := p.best(serverLoad.Name, poolNames(kind)...)
	if !ok || !there {
		return unknown(what, target)
	}
	ratio := ours.PerSecond / theirs.PerSecond
	_, pool, _ := strings.Cut(name, ", ")
	return verdict{what, target, fmt.Sprintf("%.2f (%s)", ratio, pool), true, ratio >= least}
}

func poolNames(kind string) (names []string) {
	for _, size := range poolSizes {
		names = append(names, poolName(kind, size))
	}
	return names
}

func renderServer(b *strings.Builder, p *part) {
	fmt.Fprintf(b, "A server of the benchmark's own on the same machine, through a Unix socket, as initdb configures it: fsync, full_page_writes and "+
		"synchronous_commit are on. It holds %s learners and %s answers at the start; each run has a fresh copy of that database, and a process of its own beside the "+
		"server. A round runs every candidate once, one after another; figures are medians of the rounds. Over a network every round trip would take longer, and the rivals have "+
		"more of them.\n\n", thousands(float64(p.Users)), thousands(float64(p.Answers)))
	b.WriteString("An answer is the event in the log, the mastery of its fact and the learner's place in the queue of rollups. All but plain GORM recognise a repeated answer, fold a late one in its order, " +
		"and refuse other content under the same id; flashstore checks the input as well.\n\n")
	b.WriteString("| candidate | |\n|---|---|\n")
	for _, kind := range serverKinds {
		fmt.Fprintf(b, "| %s | %s |\n", kind[0], kind[1])
	}
	t := table{head: []string{"", "answers/s", "slowest to fastest round", "ratio", "p50", "p99", "max", "errors", "MB"}}
	ours, _ := p.of(serverLoad.Name, nameServerFlash)
	var notes []string
	for _, c := range serverContenders() {
		if s, ok := p.of(serverLoad.Name, c.Name); ok {
			t.add(workloadRow(serverLoad, c, s, ours)...)
			notes = append(notes, errorNotes(c, s)...)
		}
	}
	fmt.Fprintf(b, "\n%s\n", t.String())
	b.WriteString("*ratio* is the rate of flashstore's default divided by the candidate's; MB is the candidate's process alone.")
	if len(notes) > 0 {
		b.WriteString(" Errors: " + strings.Join(notes, "; ") + ".")
	}
	b.WriteString("\n\n")
}

// serverKinds are the candidates for the reader.
var serverKinds = [][2]string{
	{nameServerFlash, "`gorm.Open(postgres.Open(dsn))` and `db.Use(storage.New(storage.Config{}))`; with another `Config.Queue.Lanes` than the default where the table says so."},
	{nameServerByHand, "pgx under database/sql, prepared statements, one transaction per answer: BEGIN, three statements, COMMIT; pools of several sizes, connected beforehand."},
	{nameServerPipeline, "pgx alone: the three statements of an answer's transaction in one pipeline, and so one round trip with its COMMIT; pools of several sizes, connected beforehand."},
	{nameServerGorm, "Service code over plain GORM, 10 idle connections as in its documentation and up to 90; a repeated answer is an error, and a late one is not folded in its order."},
}
