package hooks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
)

// PlanGuardName is the guard's key in gorm.Config.Plugins.
const PlanGuardName = "flashstore:plan_guard"

// PlanReporter takes what a guard finds: a *testing.T, a *testing.B, or what
// a TestMain makes of it.
type PlanReporter interface {
	// Errorf is told of each failure. It may be called from any goroutine
	// that uses the *gorm.DB, one at a time.
	Errorf(format string, args ...any)
	// Cleanup is given what is to run when the test has ended.
	Cleanup(func())
}

// PlanGuardConfig is what NewPlanGuard takes. The zero PlanGuardConfig is a
// good one.
type PlanGuardConfig struct {
	// MinRows is how many rows a table may have and still be read whole: in a
	// table with more, a scan is a failure. By default, 100; -1 fails every
	// scan, that of an empty table too. Sorts and automatic indexes fail
	// however many rows there are.
	MinRows int

	// FailCoveringScans also fails a scan that reads an index from end to end
	// and the table not at all. By default, it is let through: it is what
	// SQLite does for count(*).
	FailCoveringScans bool

	// Allow names the exceptions. By default, there are none.
	Allow []PlanException
}

// PlanException lets plans through that the guard would fail. One that has let
// nothing through when the test ends is a failure itself, so that the list
// stays true. Where SQL and Table are both given, both must hold.
type PlanException struct {
	// SQL is a part of the statements' text. Any white space equals any other;
	// everything else is compared as it is.
	SQL string

	// Table is the table that is scanned, sorted, or given an automatic index.
	Table string

	// Reason says why the plan is good enough. It may not be empty.
	Reason string
}

// AllowPlan is a value for Clauses(…): the one statement is let through, its
// preloads are not. The text is the reason and may not be empty.
//
//	db.Clauses(hooks.AllowPlan("a report, once a season")).Find(&all)
type AllowPlan string

var (
	_ clause.Expression      = AllowPlan("")
	_ gorm.StatementModifier = AllowPlan("")
)

// ModifyStatement is called by GORM.
func (a AllowPlan) ModifyStatement(stmt *gorm.Statement) {
	stmt.Clauses[PlanGuardName] = clause.Clause{Expression: a}
}

// Build is called by GORM. It writes nothing.
func (AllowPlan) Build(clause.Builder) {}

// PlanGuard is a gorm.Plugin for an application's tests. It asks SQLite for
// the plan of every SELECT, UPDATE, DELETE and INSERT … SELECT that GORM runs,
// once for each text, in the same transaction or else on the same pool, and
// fails the test when the plan
//
//   - scans a table of more than MinRows rows, unless all that is asked for is
//     the first rows of it (LIMIT without a condition),
//   - sorts in a temporary B-tree for ORDER BY, or
//   - builds an automatic index,
//
// with the statement, the plan, and the index that would help, which has been
// tried on an empty copy of the schema. It changes nothing about the
// statements, neither result nor error. It ignores statements that failed and
// scripts of several statements. Rows are counted after the statement, but
// before it for Rows, Row and Scan, whose results stay open. A table that is
// too small to matter is counted again at the next run, so that it makes no
// difference when the test fills it.
//
// Make one with NewPlanGuard for each *gorm.DB. It works with and without the
// Plugin of this package, before or after it. It is safe for concurrent use.
type PlanGuard struct {
	cfg    PlanGuardConfig
	report PlanReporter
	driver driver.Driver // what indexes are tried with
	record planRecord
}

var _ gorm.Plugin = (*PlanGuard)(nil)

// NewPlanGuard returns a guard that reports to t until the test ends. An
// invalid config, such as an exception without a reason, is reported by db.Use.
func NewPlanGuard(t PlanReporter, cfg PlanGuardConfig) *PlanGuard {
	g := &PlanGuard{cfg: cfg.withDefaults(), report: t}
	g.record.used = make([]bool, len(cfg.Allow))
	return g
}

// Name returns the guard's name.
func (g *PlanGuard) Name() string { return PlanGuardName }

// Initialize registers the callbacks. It is called by db.Use, and returns
// ErrNotSQLite for another engine.
func (g *PlanGuard) Initialize(db *gorm.DB) error {
	if err := g.cfg.validate(); err != nil {
		return err
	}
	if db.Name() != "sqlite" {
		return fmt.Errorf("%w (this one is %s)", ErrNotSQLite, db.Name())
	}
	opened, err := db.DB()
	if err != nil {
		return fmt.Errorf("find the driver of the database: %w", err)
	}
	g.driver = opened.Driver()
	// Right after the statement, while its transaction still stands.
	calls := db.Callback()
	err = errors.Join(
		calls.Create().After("gorm:create").Before("gorm:save_after_associations").Register("flashstore:plan_guard", g.after),
		calls.Query().After("gorm:query").Before("gorm:preload").Register("flashstore:plan_guard", g.after),
		calls.Update().After("gorm:update").Before("gorm:save_after_associations").Register("flashstore:plan_guard", g.after),
		calls.Delete().After("gorm:delete").Before("gorm:after_delete").Register("flashstore:plan_guard", g.after),
		calls.Row().Before("gorm:row").Register("flashstore:plan_guard", g.beforeRows),
		calls.Raw().After("gorm:raw").Register("flashstore:plan_guard", g.after),
	)
	if err == nil {
		g.report.Cleanup(g.end)
	}
	return err
}

// planWait bounds how long a plan is waited for.
const planWait = 5 * time.Second

// after looks at a statement that has run.
func (g *PlanGuard) after(db *gorm.DB) {
	if db.Error == nil || errors.Is(db.Error, gorm.ErrRecordNotFound) {
		g.guard(db, true)
	}
}

// beforeRows looks at a statement that is about to run: rows that are open
// hold their connection, and it may be the only one.
func (g *PlanGuard) beforeRows(db *gorm.DB) {
	if db.Error != nil {
		return
	}
	callbacks.BuildQuerySQL(db) // what gorm:row begins with; it builds once
	if db.Error == nil {
		g.guard(db, false)
	}
}

// guard looks at the statement of db, unless it has been looked at. One that
// has not run yet may have no plan because it fails: that is not the guard's
// to say.
func (g *PlanGuard) guard(db *gorm.DB, ran bool) {
	query := db.Statement.SQL.String()
	if db.DryRun || !hasPlan(query) {
		return
	}
	if allowed, ok := db.Statement.Clauses[PlanGuardName].Expression.(AllowPlan); ok {
		if strings.TrimSpace(string(allowed)) == "" && g.record.claim("AllowPlan:"+query) != nil {
			g.fail("plan guard: AllowPlan has no reason for\n%s", indented(query, 4))
		}
		return
	}
	entry := g.record.claim(query)
	if entry == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(db.Statement.Context), planWait)
	defer cancel()
	small, err := g.examine(ctx, db, entry.small)
	g.record.settle(entry, small, err, ran)
}

// examine looks at the statement of db and reports what is wrong with it. It
// returns the tables that are to be counted again at the next run; where some
// are given, nothing is explained until one of them has grown.
func (g *PlanGuard) examine(ctx context.Context, db *gorm.DB, waiting []string) (small []string, err error) {
	pinned, release, err := pinPlanConn(ctx, db.Statement.ConnPool, db.Statement.SQL.String())
	if err != nil {
		return waiting, err
	}
	defer release()
	conn := planConn{ctx: ctx, pool: pinned}
	if grown, err := anyLarge(conn, g.cfg.MinRows, waiting); err != nil || !grown {
		return waiting, err
	}
	look := newPlanLook(conn, g.cfg, db.Statement.SQL.String(), db.Statement.Vars)
	if err := look.run(); err != nil {
		return nil, err
	}
	g.record.use(look.excused)
	if len(look.problems) == 0 {
		return look.small, nil
	}
	advice, err := look.advise(g.driver)
	if err != nil {
		advice = planAdvice{note: "no index could be tried: " + err.Error()}
	}
	g.fail("%s", look.failure(advice))
	return nil, nil
}

// anyLarge reports whether one of tables has more than n rows, or there is
// none to ask about.
func anyLarge(conn planConn, n int, tables []string) (bool, error) {
	for _, table := range tables {
		if large, err := conn.moreThan(n, table); large || err != nil {
			return large, err
		}
	}
	return len(tables) == 0, nil
}

// fail reports a failure, unless the test has ended.
func (g *PlanGuard) fail(format string, args ...any) {
	g.record.whileOpen(func() { g.report.Errorf(format, args...) })
}

// end runs when the test has ended. A test that was skipped need not have used
// its exceptions.
func (g *PlanGuard) end() {
	if s, ok := g.report.(interface{ Skipped() bool }); !ok || !s.Skipped() {
		for query, err := range g.record.unexplained() {
			g.fail("plan guard: could not look at the plan of\n%s\n  %v", indented(query, 4), err)
		}
		for _, i := range g.record.unused() {
			g.fail("plan guard: exception %d (%s) let nothing through: take it off the list, "+
				"or fill its table with more than %d rows", i, g.cfg.Allow[i], g.cfg.MinRows)
		}
	}
	g.record.close()
}

// hasPlan reports whether query is one statement whose plan matters.
func hasPlan(query string) bool {
	if isScript(query) {
		return false
	}
	switch firstKeyword(query) {
	case "SELECT", "UPDATE", "DELETE", "WITH":
		return true
	case "INSERT", "REPLACE":
		return strings.Contains(strings.ToUpper(query), "SELECT") &&
			slices.ContainsFunc(tokenize(query), func(token planToken) bool { return token.upper == "SELECT" })
	}
	return false
}

// String returns what the exception is about, and why.
func (e PlanException) String() string {
	var about []string
	if e.Table != "" {
		about = append(about, "table "+e.Table)
	}
	if e.SQL != "" {
		about = append(about, fmt.Sprintf("SQL %q", e.SQL))
	}
	return strings.Join(append(about, "because "+e.Reason), ", ")
}
