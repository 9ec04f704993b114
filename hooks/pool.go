package hooks

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"gorm.io/gorm"
)

// pool is the gorm.ConnPool that takes the place of GORM's own: one
// connection that writes, behind a lane, and many that read. It is safe for
// concurrent use.
type pool struct {
	writer  *sql.DB // one connection
	readers *sql.DB // nil where one connection serves both roles
	direct  *sql.DB // what db.DB() hands out
	lane    *lane
	router  *router
	log     *checkpoints
	refused atomic.Pointer[error] // why writes are, or nil
	rows    *openRows             // of the readers, where they are traced
}

var (
	_ gorm.ConnPool         = (*pool)(nil)
	_ gorm.ConnPoolBeginner = (*pool)(nil)
	_ gorm.GetDBConnector   = (*pool)(nil)
)

// reads reports whether query goes to a reader.
func (p *pool) reads(ctx context.Context, query string) (bool, error) {
	if p.readers == nil {
		return false, refuseTransactionControl(query)
	}
	return p.router.readsOnly(ctx, query)
}

// ExecContext runs a statement that returns no rows.
func (p *pool) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	reads, err := p.reads(ctx, query)
	if err != nil {
		return nil, err
	}
	if reads {
		return p.readers.ExecContext(ctx, query, args...)
	}
	ticket, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer ticket.leave()
	return p.writer.ExecContext(ctx, query, args...)
}

// QueryContext runs a statement that returns rows. A writing one holds the
// writer until its rows are closed.
func (p *pool) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	reads, err := p.reads(ctx, query)
	if err != nil {
		return nil, err
	}
	args = valued(args)
	if reads {
		return p.readers.QueryContext(ctx, query, args...)
	}
	ticket, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := p.writer.QueryContext(ticket.carry(ctx), query, args...)
	if err != nil {
		ticket.leave()
	}
	return rows, err
}

// QueryRowContext runs a statement that returns one row.
func (p *pool) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	reads, err := p.reads(ctx, query)
	args = valued(args)
	if err == nil && reads {
		return p.readers.QueryRowContext(ctx, query, args...)
	}
	var ticket *ticket
	if err == nil {
		ticket, err = p.enter(ctx)
	}
	if err != nil {
		return failedRow(p.direct, err)
	}
	row := p.writer.QueryRowContext(ticket.carry(ctx), query, args...)
	if row.Err() != nil {
		ticket.leave()
	}
	return row
}

// failedRow returns a row whose Scan fails with err. database/sql makes them
// only of a query of its own, so it is given a context that ended for err.
func failedRow(db *sql.DB, err error) *sql.Row {
	return db.QueryRowContext(failedContext{context.Background(), err}, "")
}

// failedContext is a context that has ended with err.
type failedContext struct {
	context.Context
	err error
}

var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (failedContext) Done() <-chan struct{} { return ended }
func (c failedContext) Err() error          { return c.err }

// PrepareContext prepares a statement on the connections of db.DB(): a
// *sql.Stmt belongs to one pool and cannot queue in the lane. GORM itself
// prepares nothing here, its own cache of statements is taken off.
func (p *pool) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return p.direct.PrepareContext(ctx, query)
}

// BeginTx begins a transaction: on the writer, IMMEDIATE, after waiting for
// the lane under ctx; or, if it is read-only, deferred on a reader, waiting
// for nobody (T10). When ctx ends before it does, it is rolled back and the
// writer is free.
func (p *pool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	readOnly := opts != nil && opts.ReadOnly
	if readOnly && p.readers != nil {
		begun, err := p.readers.BeginTx(ctx, nil)
		return p.transaction(begun, nil, err)
	}
	ticket, err := p.enter(ctx)
	if err != nil {
		return nil, err
	}
	begun, err := p.writer.BeginTx(ticket.carry(ctx), &sql.TxOptions{ReadOnly: readOnly})
	if err != nil {
		ticket.leave()
	}
	return p.transaction(begun, ticket, err)
}

func (p *pool) transaction(begun *sql.Tx, ticket *ticket, err error) (gorm.ConnPool, error) {
	if err != nil {
		return nil, err
	}
	return &transaction{Tx: begun, pool: p, ticket: ticket}, nil
}

// GetDBConn returns the pool that db.DB() hands out: ordinary connections of
// the driver, with the plugin's pragmas. Its limits change nothing for the
// writer or the readers; closing it closes them too.
func (p *pool) GetDBConn() (*sql.DB, error) { return p.direct, nil }

// Close closes everything, by way of what db.DB() hands out. It may be called
// more than once.
func (p *pool) Close() error { return p.direct.Close() }

// closeOthers closes what db.DB() does not hand out. The writer is last: the
// last connection to close a database checkpoints its log.
func (p *pool) closeOthers() error {
	var err error
	if p.readers != nil {
		err = errors.Join(p.router.readers.Close(), p.readers.Close())
	}
	return errors.Join(err, p.log.Close(), p.writer.Close())
}

// transaction is a gorm.Tx: a database/sql transaction, and db.DB() in it.
type transaction struct {
	*sql.Tx
	pool   *pool
	ticket *ticket // of the writer's; nil: on a reader
	after  queue   // what is to be done when it has committed
}

var _ gorm.Tx = (*transaction)(nil)

// Commit commits, and then does what waited for it.
func (t *transaction) Commit() error {
	if err := t.Tx.Commit(); err != nil {
		return err
	}
	t.after.run()
	return nil
}

// QueryContext runs a statement that returns rows.
func (t *transaction) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(ctx, query, valued(args)...)
}

// QueryRowContext runs a statement that returns one row.
func (t *transaction) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(ctx, query, valued(args)...)
}

// GetDBConn returns what db.DB() hands out outside of the transaction too.
func (t *transaction) GetDBConn() (*sql.DB, error) { return t.pool.direct, nil }
