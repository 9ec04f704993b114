package hooks

import (
	"errors"
	"time"

	"gorm.io/gorm"
)

// startKey is where a statement keeps when it began.
const startKey = "flashstore:started"

// watchStatements tells the observer of every statement that GORM runs. It is
// not registered where there is no observer.
func (c *Config) watchStatements(db *gorm.DB) error {
	if c.Observer == nil {
		return nil
	}
	calls := db.Callback()
	return errors.Join(
		calls.Create().Before("*").Register("flashstore:statement_begins", begins),
		calls.Query().Before("*").Register("flashstore:statement_begins", begins),
		calls.Update().Before("*").Register("flashstore:statement_begins", begins),
		calls.Delete().Before("*").Register("flashstore:statement_begins", begins),
		calls.Row().Before("*").Register("flashstore:statement_begins", begins),
		calls.Raw().Before("*").Register("flashstore:statement_begins", begins),
		calls.Create().After("*").Register("flashstore:statement_ends", c.ends("create")),
		calls.Query().After("*").Register("flashstore:statement_ends", c.ends("query")),
		calls.Update().After("*").Register("flashstore:statement_ends", c.ends("update")),
		calls.Delete().After("*").Register("flashstore:statement_ends", c.ends("delete")),
		calls.Row().After("*").Register("flashstore:statement_ends", c.ends("row")),
		calls.Raw().After("*").Register("flashstore:statement_ends", c.ends("raw")),
	)
}

func begins(db *gorm.DB) { db.InstanceSet(startKey, time.Now()) }

func (c *Config) ends(operation string) func(*gorm.DB) {
	return func(db *gorm.DB) {
		started, ok := db.InstanceGet(startKey)
		if !ok || db.DryRun {
			return
		}
		e := Event{
			Kind: StatementRan, Operation: operation, Table: db.Statement.Table,
			Duration: time.Since(started.(time.Time)), Err: db.Error,
		}
		if e.Duration >= c.SlowStatement {
			e.SQL = db.Statement.SQL.String()
			e.Plan = explain(db, e.SQL)
		}
		c.tell(e)
	}
}

// explain returns the plan of a statement that has run, or nothing where
// SQLite cannot say. Of a script, EXPLAIN would hold back the first statement
// only and run the others a second time; a PRAGMA may be set while it is
// explained.
func explain(db *gorm.DB, sql string) (plan []string) {
	if isScript(sql) || firstKeyword(sql) == "PRAGMA" {
		return nil
	}
	rows, err := db.Statement.ConnPool.QueryContext(db.Statement.Context, "EXPLAIN QUERY PLAN "+sql, db.Statement.Vars...)
	if err != nil {
		return nil
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if rows.Scan(&id, &parent, &unused, &step) != nil {
			return plan
		}
		plan = append(plan, step)
	}
	if rows.Err() != nil {
		return nil
	}
	return plan
}
