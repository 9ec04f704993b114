package main

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// zombiezen is zombiezen.com/go/sqlite as its documentation uses it: a pool of
// its default size, of which every call takes a connection, statements that
// each connection keeps prepared, immediate transactions.
type zombiezen struct{ pool *sqlitex.Pool }

func openZombiezen(path string, sync Sync) (Candidate, error) {
	pool, err := sqlitex.NewPool(path, sqlitex.PoolOptions{
		PrepareConn: func(conn *sqlite.Conn) error {
			for _, pragma := range []string{
				"synchronous=" + string(sync), "foreign_keys=ON", "cache_size=-64000",
				"temp_store=MEMORY", "mmap_size=268435456",
			} {
				if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return &zombiezen{pool}, nil
}

// write runs fn in one immediate transaction.
func (z *zombiezen) write(ctx context.Context, fn func(booker) error) (err error) {
	conn, err := z.pool.Take(ctx)
	if err != nil {
		return err
	}
	defer z.pool.Put(conn)
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	return fn(zombieBooker{conn})
}

// zombieBooker runs the connection's prepared statements.
type zombieBooker struct{ conn *sqlite.Conn }

// bind prepares a statement, or finds it prepared, and binds its parameters.
func (b zombieBooker) bind(s statement, args ...any) (*sqlite.Stmt, error) {
	stmt, err := b.conn.Prepare(texts[s])
	if err != nil {
		return nil, err
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case nil:
			stmt.BindNull(i + 1)
		case int64:
			stmt.BindInt64(i+1, v)
		case float64:
			stmt.BindFloat(i+1, v)
		case string:
			stmt.BindText(i+1, v)
		case []byte:
			stmt.BindBytes(i+1, v)
		default:
			return nil, fmt.Errorf("bind %T", arg)
		}
	}
	return stmt, nil
}

func (b zombieBooker) exec(s statement, args ...any) error {
	return b.each(s, args, func(*sqlite.Stmt) {})
}

func (b zombieBooker) row(s statement, args []any, into ...any) error {
	found := false
	err := b.each(s, args, func(stmt *sqlite.Stmt) {
		found = true
		for i, pointer := range into {
			switch v := pointer.(type) {
			case *int64:
				*v = stmt.ColumnInt64(i)
			case *string:
				*v = stmt.ColumnText(i)
			}
		}
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return err
}

// each runs a statement to its end.
func (b zombieBooker) each(s statement, args []any, fn func(*sqlite.Stmt)) error {
	stmt, err := b.bind(s, args...)
	if err != nil {
		return err
	}
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		fn(stmt)
	}
}

func (z *zombiezen) Answer(ctx context.Context, a *Answer) error {
	return z.write(ctx, func(b booker) error { return bookAnswer(b, a, nil) })
}

func (z *zombiezen) Session(ctx context.Context, s *Session) error {
	return z.write(ctx, func(b booker) error { return bookSession(b, s) })
}

func (z *zombiezen) Purchase(ctx context.Context, p *Purchase) error {
	return z.write(ctx, func(b booker) error { return bookPurchase(b, p) })
}

// read runs a query on a connection of the pool.
func (z *zombiezen) read(ctx context.Context, s statement, args []any, fn func(*sqlite.Stmt)) error {
	conn, err := z.pool.Take(ctx)
	if err != nil {
		return err
	}
	defer z.pool.Put(conn)
	return zombieBooker{conn}.each(s, args, fn)
}

func (z *zombiezen) Recent(ctx context.Context, userID int64, limit int) ([]models.AnswerEvent, error) {
	answers := make([]models.AnswerEvent, 0, limit)
	err := z.read(ctx, recentAnswers, []any{userID, int64(limit)}, func(stmt *sqlite.Stmt) {
		a := models.AnswerEvent{
			UserID: stmt.ColumnInt64(0), Operation: stmt.ColumnText(3), Fact: stmt.ColumnText(4),
			Correct: stmt.ColumnBool(5), ResponseTimeMS: stmt.ColumnInt64(6),
			CreatedAt: time.UnixMilli(stmt.ColumnInt64(7)).UTC(),
		}
		stmt.ColumnBytes(1, a.ID[:])
		stmt.ColumnBytes(2, a.SessionID[:])
		answers = append(answers, a)
	})
	return answers, err
}

// standingOf reads what a board and a rank have in common.
func standingOf(stmt *sqlite.Stmt) storage.Standing {
	return storage.Standing{
		UserID: stmt.ColumnInt64(0), UID: stmt.ColumnText(1), Name: stmt.ColumnText(2), LeagueID: stmt.ColumnInt64(3),
		WeeklyXP: stmt.ColumnInt64(4), ReachedAt: time.UnixMilli(stmt.ColumnInt64(5)).UTC(),
	}
}

func (z *zombiezen) Board(ctx context.Context, seasonID, leagueID int64, limit int) ([]storage.Standing, error) {
	board := make([]storage.Standing, 0, limit)
	err := z.read(ctx, topOfBoard, []any{seasonID, leagueID, int64(limit)}, func(stmt *sqlite.Stmt) {
		s := standingOf(stmt)
		s.Rank = int64(len(board)) + 1
		board = append(board, s)
	})
	return board, err
}

func (z *zombiezen) Rank(ctx context.Context, seasonID, userID int64) (standing storage.Standing, err error) {
	err = z.read(ctx, rankOfUser, []any{userID, seasonID}, func(stmt *sqlite.Stmt) {
		standing = standingOf(stmt)
		standing.Rank = stmt.ColumnInt64(6)
	})
	return standing, err
}

func (z *zombiezen) Close() error { return z.pool.Close() }
