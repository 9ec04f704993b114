package transfer

import (
	"bytes"
	"context"
	"fmt"

	"github.com/flashstore/flashstore/models"
)

// archiveTable has the archived answers: on PostgreSQL it is a table like the
// others, on SQLite that of another file. It is copied after the others, by a
// copier of its own.
var archiveTable = traits{model: models.ArchivedAnswer{}}

// ArchivedError says that answers of the source are in an archive, and that the
// archive of one of the sides was not given, or is not its. No row was changed.
type ArchivedError struct {
	Users  int64  // who have archived answers
	Side   string // source or target
	Reason string
}

func (e *ArchivedError) Error() string {
	return fmt.Sprintf("answers of %d users are in the source's archive, and the archive of the %s %s; no row was changed: "+
		"give the files as Config.FromArchive and Config.ToArchive (or: flashstore copy --from-archive, --to-archive)",
		e.Users, e.Side, e.Reason)
}

// archives is what a copy of archived answers needs to know.
type archives struct {
	from, to side
	rows     int64
	below    map[int64][]byte // the horizons of the source, by user
}

// findArchive looks whether the source has archived answers, and where they are
// to go.
func (c *copier) findArchive(ctx context.Context) error {
	horizons, err := c.horizons(ctx)
	if err != nil || len(horizons) == 0 {
		return err
	}
	refuse := func(side, reason string) error {
		return &ArchivedError{Users: int64(len(horizons)), Side: side, Reason: reason}
	}
	a := &archives{from: c.from, to: c.to, below: horizons}
	if !c.from.postgres {
		if c.cfg.FromArchive == nil {
			return refuse("source", "is not given")
		}
		a.from = sideOf(c.cfg.FromArchive)
	}
	if !c.to.postgres {
		if c.cfg.ToArchive == nil && !c.cfg.DryRun {
			return refuse("target", "is not given")
		}
		a.to = side{c.cfg.ToArchive, false}
	}
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
			return refuse(s.name, "is another store's")
		}
	}
	a.rows, err = moment{a.from, a.from.db.Statement.ConnPool}.int(ctx, "SELECT count(*) FROM "+c.cfg.TablePrefix+archiveTable.model.TableName())
	c.archive = a
	return err
}

// horizons returns how far the answers of the source's users are archived.
func (c *copier) horizons(ctx context.Context) (map[int64][]byte, error) {
	below := "before_id"
	if c.from.postgres {
		below = id.read(below)
	}
	rows, err := c.from.db.Statement.ConnPool.QueryContext(ctx,
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
		if err := s.db.WithContext(ctx).Raw(query).Row().Scan(&ids[i]); err != nil {
			return false, err
		}
	}
	return bytes.Equal(ids[0], ids[1]), nil
}

// wasMoved reports whether the source has moved a row of the log, which the
// target still has, to its archive.
func (c *copier) wasMoved(t *table, key row) bool {
	if _, log := t.model.(models.AnswerEvent); !log || c.archive == nil {
		return false
	}
	below, ok := c.archive.below[key[0].(int64)]
	return ok && bytes.Compare(key[1].([]byte), below) < 0
}

// copyArchive copies the archived answers. It returns what it did, or nil where
// there are none.
func (c *copier) copyArchive(ctx context.Context, ready bool) (*TableReport, error) {
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
		cfg: c.cfg, tables: []*table{t}, from: a.from, to: a.to, erased: map[int64]bool{}, done: c.done,
		empty: map[*table]bool{t: true}, found: map[*table]*difference{t: {}}, report: map[*table]*TableReport{t: report},
	}
	err = moving.from.snapshot(ctx, func(from moment) error {
		if ready && moving.to.db != nil {
			if err := moving.to.snapshot(ctx, func(to moment) error { return moving.look(ctx, from, to) }); err != nil {
				return err
			}
		}
		if c.cfg.DryRun {
			return moving.tableByTable(ctx, from)
		}
		return moving.write(ctx, from)
	})
	return report, err
}
