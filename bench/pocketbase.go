package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// PocketBase's figures, from its core/base.go, core/db_connect.go and
// core/db_retry.go.
const (
	pocketConcurrent = 120
	pocketIdle       = 15
	pocketIdleTime   = 3 * time.Minute
	pocketTimeout    = 30 * time.Second
	pocketAttempts   = 13 // the first, and 12 more
)

// pocketPauses are the sleeps before the second attempt, the third, and so
// on; the last one for all further ones.
var pocketPauses = []time.Duration{
	100 * time.Millisecond, 150 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond,
	400 * time.Millisecond, 500 * time.Millisecond, 700 * time.Millisecond, time.Second,
}

// pocketBase keeps a database as PocketBase does: a pool of many connections
// that read, one of a single connection that writes, statements that are not
// kept prepared, each repeated after a sleep when the database is locked.
type pocketBase struct{ concurrent, nonconcurrent *sql.DB }

func openPocketBase(path string, sync Sync) (Candidate, error) {
	pragmas := []string{
		"busy_timeout=10000", "journal_mode=WAL", "journal_size_limit=200000000", "synchronous=" + string(sync),
		"foreign_keys=ON", "temp_store=MEMORY", "cache_size=-32000",
	}
	p := &pocketBase{openMattn(path, pragmas...), openMattn(path, pragmas...)}
	p.concurrent.SetMaxOpenConns(pocketConcurrent)
	p.concurrent.SetMaxIdleConns(pocketIdle)
	p.concurrent.SetConnMaxIdleTime(pocketIdleTime)
	p.nonconcurrent.SetMaxOpenConns(1)
	p.nonconcurrent.SetMaxIdleConns(1)
	p.nonconcurrent.SetConnMaxIdleTime(pocketIdleTime)
	return p, errors.Join(p.concurrent.Ping(), p.nonconcurrent.Ping())
}

// repeat runs op again while the database is locked. The text is looked at, as
// there, so that it works with any driver.
func repeat(op func() error) error {
	for n := 1; ; n++ {
		err := op()
		if err == nil || n == pocketAttempts || !strings.Contains(err.Error(), "database is locked") {
			return err
		}
		time.Sleep(pocketPauses[min(n, len(pocketPauses))-1])
	}
}

// write runs fn in one transaction, begun as database/sql begins it:
// deferred.
func (p *pocketBase) write(ctx context.Context, fn func(booker) error) error {
	tx, err := p.nonconcurrent.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(pocketBooker{ctx, tx}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// pocketBooker repeats statements of a transaction.
type pocketBooker struct {
	ctx context.Context
	tx  *sql.Tx
}

func (b pocketBooker) exec(s statement, args ...any) error {
	return repeat(func() error {
		_, err := b.tx.ExecContext(b.ctx, texts[s], args...)
		return err
	})
}

func (b pocketBooker) row(s statement, args []any, into ...any) error {
	return repeat(func() error { return b.tx.QueryRowContext(b.ctx, texts[s], args...).Scan(into...) })
}

func (p *pocketBase) Answer(ctx context.Context, a *Answer) error {
	return p.write(ctx, func(b booker) error { return bookAnswer(b, a, nil) })
}

func (p *pocketBase) Session(ctx context.Context, s *Session) error {
	return p.write(ctx, func(b booker) error { return bookSession(b, s) })
}

func (p *pocketBase) Purchase(ctx context.Context, in *Purchase) error {
	return p.write(ctx, func(b booker) error { return bookPurchase(b, in) })
}

// read runs a query under the time that PocketBase gives each of them.
func (p *pocketBase) read(ctx context.Context, fn func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, pocketTimeout)
	defer cancel()
	return repeat(func() error { return fn(ctx) })
}

func (p *pocketBase) Recent(ctx context.Context, userID int64, limit int) (answers []models.AnswerEvent, err error) {
	err = p.read(ctx, func(ctx context.Context) error {
		rows, err := p.concurrent.QueryContext(ctx, texts[recentAnswers], userID, limit)
		if err != nil {
			return err
		}
		answers, err = scanAnswers(rows, limit)
		return err
	})
	return answers, err
}

func (p *pocketBase) Board(ctx context.Context, seasonID, leagueID int64, limit int) (board []storage.Standing, err error) {
	err = p.read(ctx, func(ctx context.Context) error {
		rows, err := p.concurrent.QueryContext(ctx, texts[topOfBoard], seasonID, leagueID, limit)
		if err != nil {
			return err
		}
		board, err = scanBoard(rows, limit)
		return err
	})
	return board, err
}

func (p *pocketBase) Rank(ctx context.Context, seasonID, userID int64) (standing storage.Standing, err error) {
	err = p.read(ctx, func(ctx context.Context) error {
		standing, err = scanRank(p.concurrent.QueryRowContext(ctx, texts[rankOfUser], userID, seasonID))
		return err
	})
	return standing, err
}

func (p *pocketBase) Close() error { return errors.Join(p.concurrent.Close(), p.nonconcurrent.Close()) }
