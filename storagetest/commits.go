package storagetest

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// commitPool begins transactions whose COMMIT meets the fault, while that is
// armed for commits. It stands before the pool that the store was given: there
// is no callback of GORM's at a commit.
type commitPool struct {
	gorm.ConnPool
	fault *fault
}

// BeginTx begins a transaction of the pool behind it.
func (p *commitPool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	begun, err := p.begin(ctx, opts)
	if err != nil {
		return nil, err
	}
	tx, ok := begun.(gorm.Tx)
	if !ok || opts != nil && opts.ReadOnly || !p.fault.armedFor(atCommit, behindCommit) {
		return begun, nil
	}
	return &commitTx{Tx: tx, pool: p}, nil
}

func (p *commitPool) begin(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	switch pool := p.ConnPool.(type) {
	case gorm.TxBeginner:
		return pool.BeginTx(ctx, opts)
	case gorm.ConnPoolBeginner:
		return pool.BeginTx(ctx, opts)
	}
	return nil, gorm.ErrInvalidTransaction
}

// GetDBConn returns what db.DB() does without the fault.
func (p *commitPool) GetDBConn() (*sql.DB, error) {
	switch pool := p.ConnPool.(type) {
	case *sql.DB:
		return pool, nil
	case gorm.GetDBConnector:
		return pool.GetDBConn()
	}
	return nil, gorm.ErrInvalidDB
}

// commitTx is a transaction whose COMMIT may fail.
type commitTx struct {
	gorm.Tx
	pool *commitPool
}

// Commit commits, unless it is the one that fails: that one is rolled back, or
// committed and said to have failed.
func (tx *commitTx) Commit() error {
	switch tx.pool.fault.meetCommit() {
	case atCommit:
		_ = tx.Rollback() // what it says is of no interest any more
		return ErrCrash
	case behindCommit:
		if err := tx.Tx.Commit(); err != nil {
			return err
		}
		return ErrCrash
	}
	return tx.Tx.Commit()
}

// atOwnCommit and behindOwnCommit stand around a statement that GORM executes
// outside of a transaction, and that is one of its own. All others are begun
// here.
func (f *fault) atOwnCommit(tx *gorm.DB)     { f.ownCommit(tx, atCommit) }
func (f *fault) behindOwnCommit(tx *gorm.DB) { f.ownCommit(tx, behindCommit) }

func (f *fault) ownCommit(tx *gorm.DB, kind crash) {
	_, inside := tx.Statement.ConnPool.(*commitTx)
	if tx.Error == nil && !tx.DryRun && !inside && f.armedFor(kind) && f.meetCommit() == kind {
		_ = tx.AddError(ErrCrash)
	}
}

// Unwrap has package hooks find its own transaction.
func (tx *commitTx) Unwrap() gorm.ConnPool { return tx.Tx }

// GetDBConn returns what db.DB() does outside of the transaction.
func (tx *commitTx) GetDBConn() (*sql.DB, error) { return tx.pool.GetDBConn() }
