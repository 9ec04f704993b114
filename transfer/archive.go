package transfer

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/flashstore/flashstore/models"
)

// archiveTable has the archived answers: on PostgreSQL it is a table like the
// others, on SQLite that of another file. It is copied after the others, by a
// copier of its own.
var archiveTable = traits{model: models.ArchivedAnswer{}}

// ArchivedError says that answers of the source are in an archive, or were at
// the time of a former copy, and that the archive of one of the sides was not
// given, or is not its. No row was changed.
type ArchivedError struct {
	Users  int64  // of the source who have archived answers
	Side   string // source or target
	Reason string
}

func (e *ArchivedError) Error() string {
	what := fmt.Sprintf("answers of %d users are in the source's archive", e.Users)
	if e.Users == 0 {
		what = "no answer of the source is archived any more, but the target's may be"
	}
	return fmt.Sprintf("%s, and the archive of the %s %s; no row was changed: "+
		"give the files as Config.FromArchive and Config.ToArchive (or: flashstore copy --from-archive, --to-archive)",
		what, e.Side, e.Reason)
}

// archives is what a copy of archived answers needs to know.
type archives struct {
	from, to side // that of the source is nowhere where nothing is archived
	rows     int64
	below    map[int64][]byte // the horizons of the source, by user
}

// has reports whether an answer is the archive's: it is below the horizon of
// its user. What else is in a source's file was archived since the moment that
// is copied, or is left of one who was erased.
func (a *archives) has(key row) bool {
	below, ok := a.below[key[0].(int64)]
	return ok && bytes.Compare(key[1].([]byte), below) < 0
}

// findArchive looks whether the source has archived answers, and where they are
// to go. A target that has an archive is compared with a source that has none
// any more, too: those whose answers are in it were erased.
func (c *copier) findArchive(ctx context.Context, from moment, ready bool) error {
	horizons, err := c.horizons(ctx, from)
	if err == nil && len(horizons) == 0 {
		var left bool
		if left, err = c.mayBeLeft(ctx, ready); !left {
			return err
		}
	}
	if err != nil {
		return err
	}
	c.archive = &archives{from: c.from, to: c.to, below: horizons}
	if err := c.archive.open(c.cfg); err != nil {
		return err
	}
	return c.compareArchives(ctx)
}

// mayBeLeft reports whether the target has a file in which archived answers may
// be. Those in a table go with their users.
func (c *copier) mayBeLeft(ctx context.Context, ready bool) (bool, error) {
	if c.to.postgres || !ready || c.cfg.DryRun && c.cfg.ToArchive == nil {
		return false, nil
	}
	var files int64
	err := c.to.db.WithContext(ctx).Raw("SELECT count(*) FROM " + c.cfg.TablePrefix + models.ArchiveFile{}.TableName()).Scan(&files).Error
	return files > 0, err
}

// open takes the files that were given.
func (a *archives) open(cfg Config) error {
	refuse := func(side, reason string) error {
		return &ArchivedError{Users: int64(len(a.below)), Side: side, Reason: reason}
	}
	if !a.from.postgres {
		if cfg.FromArchive == nil && len(a.below) > 0 {
			return refuse("source", "is not given")
		}
		a.from = side{cfg.FromArchive, false}
	}
	if !a.to.postgres {
		if cfg.ToArchive == nil && !cfg.DryRun {
			return refuse("target", "is not given")
		}
		a.to = side{cfg.ToArchive, false}
	}
	return nil
}

// compareArchives refuses files that belong to others.
func (c *copier) compareArchives(ctx context.Context) error {
	a := c.archive
	for _, s := range []struct {
		name          string
		main, archive side
	}{{"source", c.from, a.from}, {"target", c.to, a.to}} {
		if s.main.postgres || s.archive.db == nil {
			continue
		}
		same, err := c.sameArchive(ctx, s.main, s.archive)
		if err != nil {
			return fmt.Errorf("look at the archive of the %s: %w", s.name, err)
		}
		if !same {
			return &ArchivedError{Users: int64(len(a.below)), Side: s.name, Reason: "is another store's"}
		}
	}
	return nil
}

// withArchive runs fn over one moment of the source's archive. On PostgreSQL it
// is that of the source. A file has one of its own, right behind it: what is
// moved in between is in both, and what is erased is looked for in vain.
func (c *copier) withArchive(ctx context.Context, from moment, fn func(archive moment) error) error {
	a := c.archive
	if a == nil || a.from.db == nil {
		return fn(moment{})
	}
	count := func(at moment) (err error) {
		a.rows, err = at.int(ctx, "SELECT count(*) FROM "+c.cfg.TablePrefix+archiveTable.model.TableName())
		if err != nil {
			return err
		}
		at.only = a.has
		return fn(at)
	}
	if a.from.postgres {
		return count(from)
	}
	return a.from.snapshot(ctx, count)
}

// horizons returns how far the answers of the source's users are archived.
func (c *copier) horizons(ctx context.Context, from moment) (map[int64][]byte, error) {
	below := "before_id"
	if from.postgres {
		below = id.read(below)
	}
	rows, err := from.pool.QueryContext(ctx,
		fmt.Sprintf("SELECT user_id, %s FROM %s%s", below, c.cfg.TablePrefix, models.ArchiveHorizon{}.TableName()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	horizons := map[int64][]byte{}
	for rows.Next() {
		var user int64
		var below []byte
		if err := rows.Scan(&user, &below); err != nil {
			return nil, err
		}
		horizons[user] = below
	}
	return horizons, rows.Err()
}

// sameArchive reports whether a file is the archive of a database.
func (c *copier) sameArchive(ctx context.Context, main, archive side) (bool, error) {
	query := "SELECT id FROM " + c.cfg.TablePrefix + models.ArchiveFile{}.TableName()
	var ids [2][]byte
	for i, s := range []side{main, archive} {
		err := s.db.WithContext(ctx).Raw(query).Row().Scan(&ids[i])
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil // it never had one
		}
		if err != nil {
			return false, err
		}
	}
	return bytes.Equal(ids[0], ids[1]), nil
}

// wasMoved reports whether the source has moved a row of the log, which the
// target still has, to its archive.
func (c *copier) wasMoved(t *table, key row) bool {
	_, log := t.model.(models.AnswerEvent)
	return log && c.archive != nil && c.archive.has(key)
}

// copyArchive copies the archived answers. It returns what it did, or nil where
// there are none.
func (c *copier) copyArchive(ctx context.Context, ready bool, from moment) (*TableReport, error) {
	a := c.archive
	if a == nil {
		return nil, nil
	}
	t, err := tableOf(archiveTable, c.cfg.TablePrefix)
	if err != nil {
		return nil, err
	}
	report := &TableReport{Table: t.name, Rows: a.rows}
	moving := &copier{
		cfg: c.cfg, tables: []*table{t}, from: a.from, to: a.to, writer: c.writer, erased: map[int64]bool{}, done: c.done,
		empty: map[*table]bool{t: true}, found: map[*table]*difference{t: {}}, report: map[*table]*TableReport{t: report},
	}
	if !a.to.postgres { // a file, and the lock is that of its database
		moving.writer = &toSQLite{db: a.to.db}
	}
	if ready && moving.to.db != nil {
		if err := moving.to.snapshot(ctx, func(to moment) error { return moving.look(ctx, from, to) }); err != nil {
			return report, err
		}
	}
	if c.cfg.DryRun {
		return report, moving.tableByTable(ctx, from)
	}
	return report, moving.write(ctx, from)
}
