package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
)

// planTrial is an empty copy of a schema in memory, where an index can be
// tried before it is suggested. It has no statistics of ANALYZE.
type planTrial struct {
	look *planLook
	db   *sql.DB
}

// newPlanTrial copies what look sees, less what cannot be copied, the
// tables of modules among it.
func newPlanTrial(look *planLook, driver driver.Driver) (*planTrial, error) {
	schema, err := look.conn.texts(findSchema)
	if err != nil {
		return nil, err
	}
	copied := sql.OpenDB(memoryConnector{driver})
	copied.SetMaxOpenConns(1) // in memory, each connection has a database of its own
	for _, create := range schema {
		_, _ = copied.ExecContext(look.conn.ctx, create)
	}
	again := newPlanLook(planConn{ctx: look.conn.ctx, pool: copied}, look.cfg, look.query, look.vars)
	again.large = func(table string) (bool, error) { return !slices.Contains(look.small, table), nil }
	return &planTrial{look: again, db: copied}, nil
}

func (t *planTrial) close() error { return t.db.Close() }

// problems returns how many there are in the plan here.
func (t *planTrial) problems() (int, error) {
	err := t.look.run()
	return len(t.look.problems), err
}

// choose returns those of the candidates that help, as few as it finds, and
// how many problems are left.
func (t *planTrial) choose(candidates []planIndex) (chosen []planIndex, left int, err error) {
	left, err = t.problems()
	for err == nil && left > 0 {
		set, setLeft := t.best(candidates, left)
		if len(set) == 0 {
			break
		}
		for _, index := range set {
			chosen = append(chosen, index)
			err = errors.Join(err, t.exec(index.sql(fmt.Sprintf("plan_chosen_%d", len(chosen)))))
		}
		left = setLeft
	}
	return chosen, left, err
}

// best returns the candidate that leaves the fewest problems, if that is fewer
// than before. Where no single one helps it looks at pairs: a join that is to
// turn around may need an index on both sides.
func (t *planTrial) best(candidates []planIndex, before int) (set []planIndex, left int) {
	left = before
	try := func(indexes ...planIndex) {
		if n, err := t.with(indexes); err == nil && n < left {
			set, left = indexes, n
		}
	}
	for _, one := range candidates {
		try(one)
	}
	if len(set) > 0 {
		return set, left
	}
	for i, one := range candidates {
		for _, other := range candidates[i+1:] {
			try(one, other)
		}
	}
	return set, left
}

// with returns how many problems are left with some more indexes.
func (t *planTrial) with(indexes []planIndex) (left int, err error) {
	for i, index := range indexes {
		name := fmt.Sprintf("plan_tried_%d", i)
		if err := t.exec(index.sql(name)); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, t.exec("DROP INDEX "+name)) }()
	}
	return t.problems()
}

func (t *planTrial) exec(statement string) error {
	_, err := t.db.ExecContext(t.look.conn.ctx, statement)
	return err
}

// memoryConnector opens databases in memory with the driver of another one,
// so that they know its functions and collations.
type memoryConnector struct{ driver driver.Driver }

func (c memoryConnector) Connect(context.Context) (driver.Conn, error) {
	return c.driver.Open(":memory:")
}

func (c memoryConnector) Driver() driver.Driver { return c.driver }
