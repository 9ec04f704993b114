package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/transfer"
)

// The two ways of a copy.
const (
	copyToServer = "copy-to-postgres"
	copyToFile   = "copy-to-sqlite"
)

// nameTransfer is the one candidate.
const nameTransfer = "flashstore copy"

// copier copies one file to the server and back.
type copier struct {
	*partRun
	server *server
	source *gorm.DB
}

// measureCopies copies into an empty database each time.
func measureCopies(ctx context.Context, m *partRun, s *server) (err error) {
	w := m.o.sizes.copied
	measuring, err := largeRuns(m, w, "source")
	if err != nil {
		return err
	}
	measuring.templates.world.EndedAt = lately()
	if err := measuring.makeFile(ctx, func(f *flash, w *world) error { return f.populate(ctx, w) }); err != nil {
		return fmt.Errorf("make the source: %w", err)
	}
	source, closeSource, err := openFile(measuring.templates.path(layoutHooks))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSource()) }()
	m.Users, m.Answers = w.Users, w.answers()
	c := &copier{m, s, source}
	return m.rounds(func(round int) error { return c.thereAndBack(ctx, round) })
}

// thereAndBack copies the source to PostgreSQL, and from there to another
// file. The last one is what the first is.
func (c *copier) thereAndBack(ctx context.Context, round int) (err error) {
	database, err := c.server.create(ctx, "template1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.server.drop(database)) }()
	there, closeThere, err := openServer(c.server.dsn(database))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeThere()) }()
	path := filepath.Join(c.dir, fmt.Sprintf("back-%d.db", round))
	back, closeBack, err := openFile(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeBack(), removeDatabase(path)) }()
	first, err := c.copy(ctx, copyToServer, c.source, there)
	if err != nil {
		return err
	}
	second, err := c.copy(ctx, copyToFile, there, back)
	if err != nil {
		return err
	}
	c.Rows = first.Rows()
	for i, t := range first.Tables {
		if t.Checksum != second.Tables[i].TargetChecksum {
			return fmt.Errorf("%s is not what it was, there and back", t.Table)
		}
	}
	return nil
}

// copy copies and adds the figure. Copy itself fails where a table's count or
// checksum differs.
func (c *copier) copy(ctx context.Context, name string, from, to *gorm.DB) (transfer.Report, error) {
	report, err := transfer.Copy(ctx, from, to, transfer.Config{})
	if err != nil {
		return report, fmt.Errorf("%s: %w", name, err)
	}
	for _, t := range report.Tables {
		if !t.Agrees() || t.Added != t.Rows && t.Added > 0 {
			return report, fmt.Errorf("%s: %s was not copied whole: %+v", name, t.Table, t)
		}
	}
	took := report.Duration
	f := figure{PerSecond: float64(report.Rows()) / took.Seconds(), P50: int64(took), P99: int64(took), Max: int64(took)}
	return report, c.add(name, nameTransfer, "rows", f)
}

// openFile opens a file as the command line does, with hooks.
func openFile(path string) (*gorm.DB, func() error, error) {
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, nil, err
	}
	plugin := hooks.New(hooks.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := db.Use(plugin); err != nil {
		return nil, nil, err
	}
	return db, plugin.Close, nil
}

func openServer(dsn string) (*gorm.DB, func() error, error) {
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, nil, err
	}
	return db, pool.Close, nil
}

// copyWays are the two in words.
var copyWays = []struct{ name, title string }{
	{copyToServer, "SQLite to PostgreSQL"}, {copyToFile, "PostgreSQL to SQLite"},
}

func copyTargets(p *part) (list []verdict) {
	const least, target = 100_000, "≥ 100,000"
	for _, way := range copyWays {
		what := "Copy from " + way.title + ", rows/s"
		s, ok := p.of(way.name, nameTransfer)
		if !ok {
			list = append(list, unknown(what, target))
			continue
		}
		list = append(list, verdict{what, target, thousands(s.PerSecond), true, s.PerSecond >= least})
	}
	return list
}

func renderCopies(b *strings.Builder, p *part) {
	fmt.Fprintf(b, "`transfer.Copy`, which `flashstore copy` runs, of %s rows (%s learners with %s answers, their sessions, mastery, ledger and all else) into an empty database, on one machine "+
		"with a server as above; each row is read, written, read again at the target and compared by checksums over every table, and the time includes all of that. The file that "+
		"comes back has the same checksums as the first. Medians of the rounds.\n\n", thousands(float64(p.Rows)), thousands(float64(p.Users)), thousands(float64(p.Answers)))
	t := table{head: []string{"", "rows/s", "slowest to fastest round", "time"}}
	for _, way := range copyWays {
		if s, ok := p.of(way.name, nameTransfer); ok {
			t.add(way.title, thousands(s.PerSecond), thousands(s.low)+" – "+thousands(s.top), nanos(s.P50))
		}
	}
	b.WriteString(t.String() + "\n")
}
