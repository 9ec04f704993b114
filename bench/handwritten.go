package main

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// handwrittenReaders is the size of the pool of readers: more than cores, so
// that one that waits for the disk keeps nobody else from reading.
const handwrittenReaders = 8

// handwritten is what a competent engineer writes without any library: one
// writing connection behind a mutex, everything prepared once, readers beside
// it that cannot write.
type handwritten struct {
	writerPool, readers *sql.DB

	mu     sync.Mutex // held from BEGIN to COMMIT
	writer *sql.Conn
	stmts  [statementCount]*sql.Stmt // on the writer

	recent, board, rank *sql.Stmt // on the readers
}

func openHandwritten(path string, sync Sync) (Candidate, error) {
	pragmas := []string{
		"busy_timeout=5000", "journal_mode=WAL", "synchronous=" + string(sync), "foreign_keys=ON",
		"cache_size=-64000", "temp_store=MEMORY", "mmap_size=268435456",
	}
	h := &handwritten{
		writerPool: openMattn(path, pragmas...),
		readers:    openMattn(path, append(pragmas, "query_only=ON")...),
	}
	h.readers.SetMaxOpenConns(handwrittenReaders)
	h.readers.SetMaxIdleConns(handwrittenReaders)
	if err := h.prepare(context.Background()); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

func (h *handwritten) prepare(ctx context.Context) (err error) {
	if h.writer, err = h.writerPool.Conn(ctx); err != nil {
		return err
	}
	for s := range h.stmts {
		h.stmts[s], err = h.writer.PrepareContext(ctx, texts[s]) //nolint:sqlclosecheck // closed with its pool
		if err != nil {
			return err
		}
	}
	var errs [3]error
	h.recent, errs[0] = h.readers.PrepareContext(ctx, texts[recentAnswers])
	h.board, errs[1] = h.readers.PrepareContext(ctx, texts[topOfBoard])
	h.rank, errs[2] = h.readers.PrepareContext(ctx, texts[rankOfUser])
	return errors.Join(errs[:]...)
}

// write runs fn in one transaction.
func (h *handwritten) write(ctx context.Context, fn func(booker) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := preparedBooker{ctx, &h.stmts}
	if err := b.exec(begin); err != nil {
		return err
	}
	err := fn(b)
	if err == nil {
		err = b.exec(commit)
	}
	if err != nil {
		return errors.Join(err, b.exec(rollback))
	}
	return nil
}

// preparedBooker runs the writer's prepared statements.
type preparedBooker struct {
	ctx   context.Context
	stmts *[statementCount]*sql.Stmt
}

func (b preparedBooker) exec(s statement, args ...any) error {
	_, err := b.stmts[s].ExecContext(b.ctx, args...)
	return err
}

func (b preparedBooker) row(s statement, args []any, into ...any) error {
	return b.stmts[s].QueryRowContext(b.ctx, args...).Scan(into...)
}

func (h *handwritten) Answer(ctx context.Context, a *Answer) error {
	return h.write(ctx, func(b booker) error { return bookAnswer(b, a, nil) })
}

func (h *handwritten) Session(ctx context.Context, s *Session) error {
	return h.write(ctx, func(b booker) error { return bookSession(b, s) })
}

func (h *handwritten) Purchase(ctx context.Context, p *Purchase) error {
	return h.write(ctx, func(b booker) error { return bookPurchase(b, p) })
}

func (h *handwritten) Recent(ctx context.Context, userID int64, limit int) ([]models.AnswerEvent, error) {
	rows, err := h.recent.QueryContext(ctx, userID, limit)
	if err != nil {
		return nil, err
	}
	return scanAnswers(rows, limit)
}

func (h *handwritten) Board(ctx context.Context, seasonID, leagueID int64, limit int) ([]storage.Standing, error) {
	rows, err := h.board.QueryContext(ctx, seasonID, leagueID, limit)
	if err != nil {
		return nil, err
	}
	return scanBoard(rows, limit)
}

func (h *handwritten) Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error) {
	return scanRank(h.rank.QueryRowContext(ctx, userID, seasonID))
}

func (h *handwritten) Close() error {
	var errs []error
	if h.writer != nil {
		errs = append(errs, h.writer.Close())
	}
	return errors.Join(append(errs, h.readers.Close(), h.writerPool.Close())...)
}
