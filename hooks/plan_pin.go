package hooks

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// pinPlanConn returns one connection of from, on which query may be explained:
// the transaction's own inside of one. release gives it back.
func pinPlanConn(ctx context.Context, from gorm.ConnPool, query string) (conn gorm.ConnPool, release func(), err error) {
	switch from := from.(type) {
	case *gorm.PreparedStmtDB: // the guard's questions are not to fill the store
		return pinPlanConn(ctx, from.ConnPool, query)
	case *gorm.PreparedStmtTX:
		return from.Tx, func() {}, nil
	case *sql.DB:
		return pinOne(ctx, from, nil)
	case *pool:
		return from.pinPlanConn(ctx, query)
	}
	return from, func() {}, nil
}

// pinPlanConn returns a connection of the role that runs query.
func (p *pool) pinPlanConn(ctx context.Context, query string) (gorm.ConnPool, func(), error) {
	reads, err := p.reads(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	if reads {
		return pinOne(ctx, p.readers, nil)
	}
	ticket, err := p.lane.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	return pinOne(ctx, p.writer, ticket)
}

// pinOne takes a connection of db. The ticket, if there is one, is left with it.
func pinOne(ctx context.Context, db *sql.DB, ticket *ticket) (gorm.ConnPool, func(), error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		ticket.leave()
		return nil, nil, err
	}
	return conn, func() {
		defer ticket.leave()
		_ = conn.Close() // it only goes back to its pool
	}, nil
}
