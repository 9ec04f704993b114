package transfer

import (
	"context"
	"fmt"
)

// difference is what a look at the keys of a table found.
type difference struct {
	extra int64 // rows that the source does not have any more
	// Keys of extra rows, but those of a user who is gone too, and of those that
	// give away the value of the column that moves.
	remove, release []row
}

// look compares the keys of all tables, and refuses a target with rows that
// the source never had. It writes nothing.
func (c *copier) look(ctx context.Context, from, to moment) error {
	for _, t := range c.tables {
		empty, err := to.isEmpty(ctx, t)
		if err != nil {
			return err
		}
		c.empty[t], c.found[t] = empty, &difference{}
		if empty {
			continue
		}
		if err := c.lookAt(ctx, t, from, to); err != nil {
			return err
		}
	}
	return nil
}

// tally counts the rows of a table that two stores have or have not in common.
type tally struct{ common, foreign, others int64 }

func (c *copier) lookAt(ctx context.Context, t *table, from, to moment) error {
	given, err := from.given(ctx, t)
	if err != nil {
		return err
	}
	columns := t.identifying()
	source, target := from.read(ctx, t, columns), to.read(ctx, t, columns)
	defer source.close()
	defer target.close()
	var n tally
	found := c.found[t]
	err = merge(source, target, t.keys, func(source, target row) error {
		switch {
		case target == nil:
		case source != nil:
			if !same(source[t.keys:t.keys+len(t.identity)], target[t.keys:]) {
				n.others++
			}
			n.common++
			if t.moves != "" && target[len(target)-1] != nil && target[len(target)-1] != source[len(source)-1] {
				found.release = append(found.release, target[:t.keys])
			}
		default:
			c.extra(t, target[:t.keys], given, &n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return t.judge(n, len(c.erased))
}

// extra takes down a row that the source does not have.
func (c *copier) extra(t *table, key row, given int64, n *tally) {
	found, user := c.found[t], t.user()
	found.extra++
	switch {
	case t.moves != "": // users
		if first := key[0].(int64); first > given {
			n.foreign++
		} else {
			c.erased[first] = true
			found.remove = append(found.remove, key)
		}
	case user >= 0 && c.erased[key[user].(int64)]:
		// It goes with its user.
	case t.lasting && !c.wasMoved(t, key):
		n.foreign++
	default:
		found.remove = append(found.remove, key)
	}
}

func (t *table) judge(n tally, erased int) error {
	switch {
	case n.foreign > 0:
		return &ForeignTargetError{t.name, n.foreign, "were never at the source"}
	case n.others > 0:
		return &ForeignTargetError{t.name, n.others, "have the keys of other rows of the source"}
	case t.moves != "" && n.common == 0 && erased > 0:
		return &ForeignTargetError{t.name, int64(erased), "are all that it has, and none is at the source"}
	}
	return nil
}

// given returns the greatest number that the database has given to a row of
// the table, also to one that is not there any more.
func (m moment) given(ctx context.Context, t *table) (int64, error) {
	if !t.numbered {
		return 0, nil
	}
	key := t.key()[0].name
	greatest, err := m.int(ctx, fmt.Sprintf("SELECT COALESCE(max(%s), 0) FROM %s", key, t.name))
	if err != nil {
		return 0, err
	}
	if !m.postgres {
		counted, err := m.int(ctx, "SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = ?", t.name)
		return max(greatest, counted), err
	}
	sequence, err := m.sequence(ctx, t)
	if err != nil {
		return 0, err
	}
	counted, err := m.int(ctx, "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM "+sequence)
	return max(greatest, counted), err
}

// sequence returns the name of the sequence that numbers the rows on
// PostgreSQL.
func (m moment) sequence(ctx context.Context, t *table) (name string, err error) {
	err = m.pool.QueryRowContext(ctx, "SELECT pg_get_serial_sequence($1, $2)", t.name, t.key()[0].name).Scan(&name)
	return name, err
}
