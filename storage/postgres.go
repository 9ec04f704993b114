package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/writequeue"
)

// postgresLanes is how many groups are booked at once if the application does
// not say: while the database works on one, the next is made ready. Each takes
// a connection, and database/sql keeps two idle ones unless it is told
// otherwise: with more lanes it would close and open one at every turn.
const postgresLanes = 2

func isPostgres(db *gorm.DB) bool { return db.Name() == "postgres" }

// queueConfig is the application's, with the lanes that the database can use.
func (e *engine) queueConfig() writequeue.Config {
	cfg := e.cfg.Queue
	if e.locksRows && cfg.Lanes == 0 {
		cfg.Lanes = postgresLanes
	}
	return cfg
}

// ProtocolError says that the connection to PostgreSQL uses a protocol mode in
// which ids cannot be written. Nothing was changed.
type ProtocolError struct {
	Err error // what the database said to an id
}

func (e *ProtocolError) Error() string {
	return "ids cannot be written in pgx's modes simple_protocol and exec: take PreferSimpleProtocol off, and " +
		"default_query_exec_mode out of the DSN; with a pooler that has no prepared statements, make it describe_exec: " + e.Err.Error()
}

func (e *ProtocolError) Unwrap() error { return e.Err }

// checkProtocol writes an id where nothing is stored, and reads it back.
func checkProtocol(ctx context.Context, db *gorm.DB) error {
	if !isPostgres(db) {
		return nil
	}
	id, got := models.NewID(), models.ID{}
	row := db.Session(&gorm.Session{NewDB: true, Context: ctx}).Raw("SELECT CAST(? AS UUID)", id).Row()
	if row == nil {
		return fmt.Errorf("ask PostgreSQL for an id: %w", gorm.ErrInvalidDB)
	}
	err := row.Scan(&got)
	if state := sqlState(err); strings.HasPrefix(state, dataException) || strings.HasPrefix(state, wrongType) {
		return &ProtocolError{err}
	}
	return err
}

// What PostgreSQL says to a value that it cannot read, and to one of another
// type, begins with these.
const (
	dataException = "22"
	wrongType     = "42"
)

// uniqueViolation is PostgreSQL's code for a key that is taken.
const uniqueViolation = "23505"

// isUniqueViolated reports whether PostgreSQL refused a row because another
// transaction has committed one with its key. SQLite's writer is alone and has
// looked before.
func isUniqueViolated(err error) bool { return sqlState(err) == uniqueViolation }

// storable returns a variable of a query without text that no row has, because
// PostgreSQL cannot hold it: NULL, to which nothing is equal, stands for it.
// Given the text itself, PostgreSQL would fail.
func storable(arg any) any {
	switch v := arg.(type) {
	case string:
		if checkText("", v) != nil {
			return nil
		}
	case []string:
		list := make([]any, len(v))
		for i, text := range v {
			list[i] = storable(text)
		}
		return list
	}
	return arg
}

// sqlState returns PostgreSQL's code of an error, or "".
func sqlState(err error) string {
	var pg interface{ SQLState() string }
	if !errors.As(err, &pg) {
		return ""
	}
	return pg.SQLState()
}
