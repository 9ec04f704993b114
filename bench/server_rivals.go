package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// The statements of the rivals by hand. What an answer needs is what
// flashstore keeps: the event once, however often it is sent; the mastery of
// its fact in the order of the answers' ids; the user's place in the queue of
// rollups. pgx prepares each once for a connection.
const (
	serverInsertAnswer = `
INSERT INTO answer_events
    (user_id, id, session_id, operation, fact, correct, response_time_ms, created_at)
VALUES ($1, $2, NULL, $3, $4, $5, $6, $7)`

	serverUpsertMastery = `
INSERT INTO mastery_stats AS m
    (user_id, operation, fact, mastery_level, last_delta, last_answer_id, attempts,
     correct_count, total_response_ms, last_response_time, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $8, $8, $9)
ON CONFLICT (user_id, operation, fact) DO UPDATE SET
    mastery_level      = least(5, greatest(0, m.mastery_level + excluded.last_delta)),
    last_delta         = excluded.last_delta,
    attempts           = m.attempts + 1,
    correct_count      = m.correct_count + excluded.correct_count,
    total_response_ms  = m.total_response_ms + excluded.total_response_ms,
    last_response_time = excluded.last_response_time,
    updated_at         = excluded.updated_at,`

	// An answer that comes after a later one changes no row, which is noticed.
	serverMasteryInOrder = serverUpsertMastery + `
    last_answer_id     = excluded.last_answer_id
WHERE excluded.last_answer_id > m.last_answer_id`

	// Or it breaks the column's NOT NULL: in one round trip with the COMMIT
	// nobody sees the number of rows in time.
	serverMasteryOrFail = serverUpsertMastery + `
    last_answer_id     = CASE WHEN excluded.last_answer_id > m.last_answer_id THEN excluded.last_answer_id END`

	serverQueueRollup = `INSERT INTO rollup_queue (user_id) VALUES ($1) ON CONFLICT DO NOTHING`

	serverAnswerByID = `
SELECT session_id IS NULL, operation, fact, correct, response_time_ms, created_at
FROM answer_events WHERE user_id = $1 AND id = $2`

	serverLockMastery = `
SELECT 1 FROM mastery_stats WHERE user_id = $1 AND operation = $2 AND fact = $3 FOR UPDATE`

	serverAnswersOfFact = `
SELECT id, correct, response_time_ms, created_at FROM answer_events
WHERE user_id = $1 AND operation = $2 AND fact = $3 ORDER BY id`

	serverSetMastery = `
UPDATE mastery_stats SET mastery_level = $4, last_delta = $5, last_answer_id = $6, attempts = $7,
    correct_count = $8, total_response_ms = $9, last_response_time = $10, updated_at = $11
WHERE user_id = $1 AND operation = $2 AND fact = $3`
)

// masteryArgs are the variables of both upserts.
func masteryArgs(a *Answer) []any {
	delta, correct := int64(-1), int64(0)
	if a.Correct {
		delta, correct = 1, 1
	}
	return []any{a.UserID, a.Operation, a.Fact, max(delta, 0), delta, [16]byte(a.ID), correct, a.ResponseMS, a.At.UnixMilli()}
}

func eventArgs(a *Answer) []any {
	return []any{a.UserID, [16]byte(a.ID), a.Operation, a.Fact, a.Correct, a.ResponseMS, a.At.UnixMilli()}
}

// errOtherContent is said of an id that is booked with another content.
var errOtherContent = errors.New("the answer's id was booked with another content")

// serverByHand is what a careful engineer writes with database/sql: one
// transaction for an answer, statement by statement.
type serverByHand struct {
	answersOnly
	db *sql.DB
}

func openServerByHand(size int) func(dsn string, _ Sync) (Candidate, error) {
	return func(dsn string, _ Sync) (Candidate, error) {
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		h := &serverByHand{db: stdlib.OpenDB(*config)}
		h.db.SetMaxOpenConns(size)
		h.db.SetMaxIdleConns(size)
		if err := connectAll(size, func(ctx context.Context) (func(), error) {
			conn, err := h.db.Conn(ctx)
			if err != nil {
				return nil, err
			}
			return func() { _ = conn.Close() }, conn.PingContext(ctx)
		}); err != nil {
			return nil, errors.Join(err, h.Close())
		}
		return h, nil
	}
}

// connectAll fills a pool before the clock runs: take gives a connection, and
// what gives it back.
func connectAll(size int, take func(context.Context) (func(), error)) error {
	var mu sync.Mutex
	var errs []error
	var back []func()
	var all sync.WaitGroup
	for range size {
		all.Go(func() {
			give, err := take(context.Background())
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
			if give != nil {
				back = append(back, give)
			}
		})
	}
	all.Wait()
	for _, give := range back {
		give()
	}
	return errors.Join(errs...)
}

func (h *serverByHand) Answer(ctx context.Context, a *Answer) (err error) {
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	// After a commit it does nothing.
	defer func() { _ = tx.Rollback() }()
	booked, err := changes(tx.ExecContext(ctx, serverInsertAnswer+" ON CONFLICT DO NOTHING", eventArgs(a)...))
	if err != nil {
		return err
	}
	if !booked {
		return bookedBefore(ctx, tx, a)
	}
	added, err := changes(tx.ExecContext(ctx, serverMasteryInOrder, masteryArgs(a)...))
	if err != nil {
		return err
	}
	if !added {
		if err := foldAgain(ctx, tx, a); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, serverQueueRollup, a.UserID); err != nil {
		return err
	}
	return tx.Commit()
}

// changes reports whether a statement changed a row.
func changes(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// bookedBefore returns nil for an answer that is there as it is.
func bookedBefore(ctx context.Context, tx *sql.Tx, a *Answer) error {
	var single bool
	var at int64
	was := Answer{UserID: a.UserID, ID: a.ID, At: a.At}
	err := tx.QueryRowContext(ctx, serverAnswerByID, a.UserID, [16]byte(a.ID)).
		Scan(&single, &was.Operation, &was.Fact, &was.Correct, &was.ResponseMS, &at)
	if err == nil && (!single || was != *a || at != a.At.UnixMilli()) {
		err = fmt.Errorf("answer %s: %w", a.ID, errOtherContent)
	}
	return err
}

// foldAgain computes a fact's mastery from the log, in the order of the ids.
// With its row locked nobody else adds to it meanwhile.
func foldAgain(ctx context.Context, tx *sql.Tx, a *Answer) error {
	key := []any{a.UserID, a.Operation, a.Fact}
	if _, err := tx.ExecContext(ctx, serverLockMastery, key...); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, serverAnswersOfFact, key...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var level, delta, attempts, correct, total, last, at int64
	var id models.ID
	for rows.Next() {
		var right bool
		if err := rows.Scan(&id, &right, &last, &at); err != nil {
			return err
		}
		delta = -1
		if right {
			delta = 1
			correct++
		}
		level = min(5, max(0, level+delta))
		attempts++
		total += last
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, serverSetMastery, append(key, level, delta, [16]byte(id), attempts, correct, total, last, at)...)
	return err
}

// serverRankOfUser is the rivals' on a file, its variables spelled as here.
var serverRankOfUser = strings.Replace(strings.Replace(texts[rankOfUser], "?", "$1", 1), "?", "$2", 1)

// Rank counts who is ahead.
func (h *serverByHand) Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error) {
	return scanRank(h.db.QueryRowContext(ctx, serverRankOfUser, userID, seasonID))
}

func (h *serverByHand) Close() error { return h.db.Close() }

// serverPipeline is the same with pgx itself: the statements of an answer go
// out together, and the server commits after the last of them. That is one
// round trip. What is seldom (an answer that was there, one that comes late) is
// an error of the database's, after which it is booked step by step.
type serverPipeline struct {
	serverByHand
	pool *pgxpool.Pool
}

func openServerPipeline(size int) func(dsn string, _ Sync) (Candidate, error) {
	return func(dsn string, _ Sync) (Candidate, error) {
		config, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			return nil, err
		}
		config.MaxConns, config.MinConns = int32(size), int32(size)
		pool, err := pgxpool.NewWithConfig(context.Background(), config)
		if err != nil {
			return nil, err
		}
		h := &serverPipeline{serverByHand{db: stdlib.OpenDBFromPool(pool)}, pool}
		if err := connectAll(size, func(ctx context.Context) (func(), error) {
			conn, err := pool.Acquire(ctx)
			if err != nil {
				return nil, err
			}
			return conn.Release, conn.Ping(ctx)
		}); err != nil {
			return nil, errors.Join(err, h.Close())
		}
		return h, nil
	}
}

func (h *serverPipeline) Answer(ctx context.Context, a *Answer) error {
	var batch pgx.Batch
	batch.Queue(serverInsertAnswer, eventArgs(a)...)
	batch.Queue(serverMasteryOrFail, masteryArgs(a)...)
	batch.Queue(serverQueueRollup, a.UserID)
	err := h.pool.SendBatch(ctx, &batch).Close()
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == uniqueViolation || refused.Code == notNullViolation) {
		return h.serverByHand.Answer(ctx, a)
	}
	return err
}

// What PostgreSQL says to an id that is there, and to a late answer.
const (
	uniqueViolation  = "23505"
	notNullViolation = "23502"
)

func (h *serverPipeline) Close() error {
	err := h.serverByHand.Close()
	h.pool.Close()
	return err
}
