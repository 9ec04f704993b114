package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
)

// Copy makes the store at to a copy of the one at from, and returns what it
// did. Both may be SQLite or PostgreSQL, with the plugin of this module or
// without it; each needs two connections. The source must be migrated; the
// target is migrated if it is not, and on SQLite needs a write-ahead log, which
// the plugin gives it.
//
// The source is read at one moment, the start, and stays usable, also for
// writing. The target must not be used until Copy has returned without error.
// A copy that was stopped, by its context or by force, is continued by calling
// Copy again; a later call carries over what was written to the source since.
// What is the same already is not written again. Rows that the source no longer
// has are removed.
//
// Errors: *ForeignTargetError for a target that holds what the source never
// had, which includes a former copy that has had users, sessions, answers or
// coins of its own since; *DisagreementError, with the whole Report, when rows
// or checksums are not the same at the end; *ArchivedError if answers are
// archived and the archives are not given; migrations.ErrPending for a source
// that is not up to date; ErrInTransaction; ErrNoWAL. A former copy of which
// all users were erased at the source is refused too: empty it by hand. What
// was changed in a former copy without a session, an answer, a result or coins,
// such as a user's name, does not count as its own and is overwritten.
func Copy(ctx context.Context, from, to *gorm.DB, cfg Config) (Report, error) {
	start := time.Now()
	report, err := run(ctx, from, to, cfg)
	report.DryRun, report.Duration = cfg.DryRun, time.Since(start)
	if stopped := ctx.Err(); err != nil && stopped != nil && !errors.Is(err, stopped) {
		err = fmt.Errorf("%w: %w", stopped, err) // what broke with it says something else
	}
	if err != nil {
		return report, fmt.Errorf("copy the store: %w", err)
	}
	return report, nil
}

func run(ctx context.Context, from, to *gorm.DB, cfg Config) (Report, error) {
	if err := cfg.validate(); err != nil {
		return Report{}, err
	}
	if hooks.InTransaction(from) || hooks.InTransaction(to) {
		return Report{}, ErrInTransaction
	}
	if cfg.BatchRows == 0 {
		cfg.BatchRows = defaultBatchRows
	}
	all, err := tables(cfg.TablePrefix)
	if err != nil {
		return Report{}, err
	}
	c := &copier{
		cfg: cfg, tables: all, from: sideOf(from), to: sideOf(to), erased: map[int64]bool{},
		empty: map[*table]bool{}, found: map[*table]*difference{}, report: map[*table]*TableReport{},
	}
	for _, t := range all {
		c.report[t] = &TableReport{Table: t.name}
	}
	err = c.run(ctx)
	report := Report{Tables: make([]TableReport, 0, len(all))}
	for _, t := range all {
		report.Tables = append(report.Tables, *c.report[t])
	}
	if c.moved != nil {
		report.Tables = append(report.Tables, *c.moved)
	}
	if err == nil && !cfg.DryRun {
		err = report.judge()
	}
	return report, err
}

func sideOf(db *gorm.DB) side { return side{db, db.Name() == "postgres"} }

// judge returns the tables that disagree as an error.
func (r Report) judge() error {
	differing := slices.DeleteFunc(slices.Clone(r.Tables), TableReport.Agrees)
	if len(differing) > 0 {
		return &DisagreementError{differing}
	}
	return nil
}

// copier is one copy.
type copier struct {
	cfg      Config
	tables   []*table
	from, to side
	writer   writer

	empty  map[*table]bool // at the target, before the copy
	found  map[*table]*difference
	erased map[int64]bool // users that the source does not have any more
	report map[*table]*TableReport
	done   Progress

	archive *archives // nil: the source has no archived answers
	moved   *TableReport
}

func (c *copier) run(ctx context.Context) error {
	ready, err := c.prepare(ctx)
	if err == nil {
		err = c.findArchive(ctx)
	}
	if err == nil {
		err = c.copyTables(ctx, ready)
	}
	if err == nil {
		c.moved, err = c.copyArchive(ctx, ready)
	}
	return err
}

// copyTables copies all but the archived answers, which need their users.
func (c *copier) copyTables(ctx context.Context, ready bool) error {
	return c.from.snapshot(ctx, func(from moment) error {
		if err := c.count(ctx, from); err != nil {
			return err
		}
		if !ready {
			for _, t := range c.tables {
				c.empty[t], c.found[t] = true, &difference{}
			}
		} else if err := c.to.snapshot(ctx, func(to moment) error { return c.look(ctx, from, to) }); err != nil {
			return err
		}
		if c.cfg.DryRun {
			return c.tableByTable(ctx, from)
		}
		return c.write(ctx, from)
	})
}

// prepare looks whether the tables are there, and makes those of the target.
// It reports whether the target has them.
func (c *copier) prepare(ctx context.Context) (ready bool, err error) {
	cfg := migrations.Config{TablePrefix: c.cfg.TablePrefix}
	if err := migrations.Check(ctx, c.from.db, cfg); err != nil {
		return false, fmt.Errorf("look at the source: %w", err)
	}
	if c.cfg.DryRun {
		err = migrations.Check(ctx, c.to.db, cfg)
		if errors.Is(err, migrations.ErrPending) {
			return false, nil
		}
	} else if err = c.to.mustHaveWAL(ctx); err == nil {
		_, err = migrations.Up(ctx, c.to.db, cfg)
	}
	if err != nil {
		return false, fmt.Errorf("look at the target: %w", err)
	}
	return true, nil
}

func (s side) mustHaveWAL(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	var mode string
	err := s.db.WithContext(ctx).Raw("PRAGMA journal_mode").Scan(&mode).Error
	if err == nil && mode != "wal" {
		return fmt.Errorf("%w (its journal_mode is %s)", ErrNoWAL, mode)
	}
	return err
}

// count finds out how much there is to do.
func (c *copier) count(ctx context.Context, from moment) error {
	for _, t := range c.tables {
		n, err := from.int(ctx, "SELECT count(*) FROM "+t.name)
		if err != nil {
			return err
		}
		c.report[t].Rows = n
		c.done.Total += n
	}
	if c.archive != nil {
		c.done.Total += c.archive.rows
	}
	if !c.cfg.DryRun {
		c.done.Total *= 2
	}
	return nil
}

// tell says that n more rows of the table were read.
func (c *copier) tell(t *table, checking bool, n int64) {
	c.done.Table, c.done.Checking = t.name, checking
	c.done.Done = min(c.done.Done+n, c.done.Total)
	if c.cfg.Progress != nil {
		c.cfg.Progress(c.done)
	}
}

func (c *copier) write(ctx context.Context, from moment) (err error) {
	if c.to.postgres {
		if c.writer, err = newToPostgres(ctx, c.to.db); err != nil {
			return err
		}
	} else {
		c.writer = &toSQLite{c.to.db}
	}
	defer func() { err = errors.Join(err, c.writer.close()) }()
	if err := c.clear(ctx); err != nil {
		return err
	}
	if err := c.tableByTable(ctx, from); err != nil {
		return err
	}
	if err := c.number(ctx, from); err != nil {
		return err
	}
	return c.verify(ctx)
}

// clear makes room: what is gone goes first, what refers to others before
// them. It does not count on the target's foreign keys to do so: SQLite checks
// them only where it was told to.
func (c *copier) clear(ctx context.Context) error {
	erased := make([]row, 0, len(c.erased))
	for id := range c.erased {
		erased = append(erased, row{id})
	}
	for _, t := range slices.Backward(c.tables) {
		err := c.each(ctx, t.remove(t.key()), c.found[t].remove)
		if user := t.user(); err == nil && user >= 0 {
			err = c.each(ctx, t.remove(t.key()[user:user+1]), erased)
		}
		if err == nil {
			err = c.each(ctx, t.release(), c.found[t].release)
		}
		if err != nil {
			return fmt.Errorf("clear table %s of the target: %w", t.name, err)
		}
	}
	return nil
}

func (c *copier) each(ctx context.Context, statement string, rows []row) error {
	for part := range slices.Chunk(rows, c.cfg.BatchRows) {
		if err := c.writer.each(ctx, statement, part); err != nil {
			return err
		}
	}
	return nil
}

func (c *copier) tableByTable(ctx context.Context, from moment) error {
	for _, t := range c.tables {
		c.report[t].Removed = c.found[t].extra
		if c.empty[t] {
			if err := c.copy(ctx, t, from, nil); err != nil {
				return err
			}
			continue
		}
		if err := c.to.snapshot(ctx, func(to moment) error {
			there := to.read(ctx, t, t.columns)
			defer there.close()
			return c.copy(ctx, t, from, there)
		}); err != nil {
			return err
		}
	}
	return nil
}

// tellEvery is how many rows pass before Progress is called again.
const tellEvery = 1000

// copy writes the rows of a table that are not at the target, or are others
// there.
func (c *copier) copy(ctx context.Context, t *table, from moment, there *stream) error {
	rows := from.read(ctx, t, t.columns)
	defer rows.close()
	b, sum, told := &batch{copier: c, table: t}, newSum(), int64(0)
	report := c.report[t]
	err := merge(rows, there, t.keys, func(source, target row) error {
		if source == nil {
			return nil // a dry run's, or somebody adds rows: the end will tell
		}
		sum.add(source)
		if sum.rows-told == tellEvery {
			c.tell(t, false, sum.rows-told)
			told = sum.rows
		}
		switch {
		case target == nil:
			report.Added++
			b.added = append(b.added, source)
		case !same(source, target):
			report.Changed++
			b.changed = append(b.changed, source)
		}
		return b.flush(ctx, c.cfg.BatchRows)
	})
	if err == nil {
		err = b.flush(ctx, 1)
	}
	if err != nil {
		return fmt.Errorf("copy table %s: %w", t.name, err)
	}
	if c.tell(t, false, sum.rows-told); !c.cfg.DryRun {
		report.Rows, report.Checksum = sum.rows, sum.String()
	}
	return nil
}

// batch are the rows that are written together.
type batch struct {
	*copier
	table          *table
	added, changed []row
}

// flush writes the rows if there are at least so many.
func (b *batch) flush(ctx context.Context, least int) error {
	if len(b.added)+len(b.changed) < least {
		return nil
	}
	if !b.cfg.DryRun {
		if err := b.writer.put(ctx, b.table, b.added, b.changed); err != nil {
			return err
		}
	}
	clear(b.added)
	clear(b.changed)
	b.added, b.changed = b.added[:0], b.changed[:0]
	return nil
}

// number has the target go on numbering where the source does.
func (c *copier) number(ctx context.Context, from moment) error {
	for _, t := range c.tables {
		given, err := from.given(ctx, t)
		if err == nil && given > 0 {
			err = c.writer.number(ctx, t, given)
		}
		if err != nil {
			return fmt.Errorf("set the next number of table %s: %w", t.name, err)
		}
	}
	return nil
}

// verify reads the target again.
func (c *copier) verify(ctx context.Context) error {
	return c.to.snapshot(ctx, func(to moment) error {
		for _, t := range c.tables {
			if err := c.verifyTable(ctx, t, to); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *copier) verifyTable(ctx context.Context, t *table, to moment) error {
	rows := to.read(ctx, t, t.columns)
	defer rows.close()
	sum, told := newSum(), int64(0)
	err := merge(nil, rows, t.keys, func(_, target row) error {
		sum.add(target)
		if sum.rows-told == tellEvery {
			c.tell(t, true, sum.rows-told)
			told = sum.rows
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.tell(t, true, sum.rows-told)
	c.report[t].TargetRows, c.report[t].TargetChecksum = sum.rows, sum.String()
	return nil
}
