package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/mattn/go-sqlite3"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// mattnConnector opens connections that all have the same pragmas: what a DSN
// cannot carry is set by the driver's hook.
type mattnConnector struct {
	dsn    string
	driver *sqlite3.SQLiteDriver
}

func (c *mattnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c *mattnConnector) Driver() driver.Driver                        { return c.driver }

// openMattn returns a pool whose connections each get the pragmas.
func openMattn(dsn string, pragmas ...string) *sql.DB {
	hook := func(conn *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := conn.Exec("PRAGMA "+p, nil); err != nil {
				return err
			}
		}
		return nil
	}
	return sql.OpenDB(&mattnConnector{dsn, &sqlite3.SQLiteDriver{ConnectHook: hook}})
}

// scanAnswers reads answers and closes the rows.
func scanAnswers(rows *sql.Rows, limit int) ([]models.AnswerEvent, error) {
	defer func() { _ = rows.Close() }()
	answers := make([]models.AnswerEvent, 0, limit)
	for rows.Next() {
		var a models.AnswerEvent
		var at int64
		err := rows.Scan(&a.UserID, &a.ID, &a.SessionID, &a.Operation, &a.Fact, &a.Correct, &a.ResponseTimeMS, &at)
		if err != nil {
			return nil, err
		}
		a.CreatedAt = time.UnixMilli(at).UTC()
		answers = append(answers, a)
	}
	return answers, rows.Err()
}

// scanBoard reads the top of a board and closes the rows.
func scanBoard(rows *sql.Rows, limit int) ([]storage.Standing, error) {
	defer func() { _ = rows.Close() }()
	board := make([]storage.Standing, 0, limit)
	for rows.Next() {
		s := storage.Standing{Rank: int64(len(board)) + 1}
		var at int64
		if err := rows.Scan(&s.UserID, &s.UID, &s.Name, &s.LeagueID, &s.WeeklyXP, &at); err != nil {
			return nil, err
		}
		s.ReachedAt = time.UnixMilli(at).UTC()
		board = append(board, s)
	}
	return board, rows.Err()
}

// scanRank reads a place.
func scanRank(row *sql.Row) (s storage.Standing, err error) {
	var at int64
	err = row.Scan(&s.UserID, &s.UID, &s.Name, &s.LeagueID, &s.WeeklyXP, &at, &s.Rank)
	s.ReachedAt = time.UnixMilli(at).UTC()
	return s, err
}
