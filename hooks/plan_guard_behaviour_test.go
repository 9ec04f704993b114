package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// byName is a statement that reads all authors.
func byName(db *gorm.DB) error { return db.Where("name = ?", "a7").Find(&[]author{}).Error }

// byBirth is the same with another text.
func byBirth(db *gorm.DB) error { return db.Where("born = ?", 1807).Find(&[]author{}).Error }

func TestPlanGuardMinRows(t *testing.T) {
	for name, c := range map[string]struct {
		rows, minRows int
		fails         bool
	}{
		"Default at": {100, 0, false}, "Default above": {101, 0, true},
		"At": {7, 7, false}, "Above": {8, 7, true}, "Empty": {0, -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			db, report := newLibrary(t, c.rows, hooks.PlanGuardConfig{MinRows: c.minRows})
			must(t, byName(db))
			if !c.fails {
				report.mustBeSilent(t)
				return
			}
			report.mustSay(t, "SCAN authors")
		})
	}
}

// A table may be filled after the statement has run for the first time.
func TestPlanGuardTableGrows(t *testing.T) {
	db, report := newLibrary(t, 5, hooks.PlanGuardConfig{})
	must(t, byName(db))
	report.mustBeSilent(t)
	past := db.Clauses(hooks.AllowPlan("the test's own"))
	must(t, past.Exec(fmt.Sprintf(fillLibrary, "authors", "NULL, 'b' || i, i"), sql.Named("rows", 100)).Error)
	for range 3 {
		must(t, byName(db))
	}
	report.mustSay(t, "SCAN authors", "authors (name);")
}

// fresh is a table that GORM makes.
type fresh struct {
	ID   int64
	Name string `gorm:"index"`
}

// What the guard lets through.
func TestPlanGuardSilent(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	must(t, db.Exec("CREATE INDEX by_year ON books (year)").Error)
	var authors []author
	var n int64
	for name, run := range map[string]func() error{
		"Key":          func() error { return db.First(&author{}, 7).Error },
		"First":        func() error { return db.First(&author{}).Error },
		"Limit":        func() error { return db.Limit(3).Find(&authors).Error },
		"Create":       func() error { return db.Create(&author{Name: "new"}).Error },
		"CreateMany":   func() error { return db.Create([]author{{Name: "SELECT"}, {Name: "x"}}).Error },
		"Save":         func() error { return db.Save(&author{ID: 7, Name: "x"}).Error },
		"Delete":       func() error { return db.Delete(&author{}, 8).Error },
		"MaxKey":       func() error { return db.Model(&author{}).Select("max(id)").Scan(&n).Error },
		"CoveringScan": func() error { return db.Model(&book{}).Count(&n).Error },
		"Constant":     func() error { return db.Raw("SELECT 1").Scan(&n).Error },
		"JSON":         func() error { return db.Raw("SELECT count(*) FROM json_each(?)", "[1,2]").Scan(&n).Error },
		"Subquery": func() error {
			return db.Raw("SELECT n FROM (SELECT year AS n FROM books WHERE year = 1900 LIMIT 3) s").Scan(&n).Error
		},
		"Recursive": func() error {
			return db.Raw("WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 500) SELECT count(*) FROM c x").Scan(&n).Error
		},
		"Script":  func() error { return db.Exec("UPDATE authors SET born = 1; UPDATE authors SET born = 2").Error },
		"DDL":     func() error { return db.Exec("CREATE TABLE more AS SELECT * FROM authors").Error },
		"DryRun":  func() error { return byName(db.Session(&gorm.Session{DryRun: true})) },
		"Allowed": func() error { return byBirth(db.Clauses(hooks.AllowPlan("once a year"))) },
		"Migrate": func() error { return db.AutoMigrate(&fresh{}) },
		"Schema":  func() error { return db.Raw("SELECT name FROM sqlite_schema ORDER BY name").Scan(&[]string{}).Error },
	} {
		if err := run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := report.take(); len(got) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(got, "\n"))
		}
	}
	report.end()
	report.mustBeSilent(t)
}

func TestPlanGuardCoveringScan(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{FailCoveringScans: true})
	must(t, db.Exec("CREATE INDEX by_year ON books (year)").Error)
	var n int64
	must(t, db.Model(&book{}).Count(&n).Error)
	report.mustSay(t, "SCAN books USING COVERING INDEX by_year", "reads all of the index by_year")
}

// Where nothing can be derived, nothing is guessed.
func TestPlanGuardKnowsNoIndex(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	for _, where := range []string{"lower(name) = 'x'", "name LIKE '%x'", "name = 'x' OR born = 3"} {
		must(t, db.Where(where).Find(&[]author{}).Error)
		if said := report.mustSay(t, "no index can be derived"); strings.Contains(said, "CREATE INDEX") {
			t.Errorf("%s: %s", where, said)
		}
	}
	must(t, db.Find(&[]note{}).Error) // nearly all rows have no deleted_at
	report.mustSay(t, "no index can be derived")
}

func TestPlanGuardExceptions(t *testing.T) {
	t.Run("Table", func(t *testing.T) {
		db, report := newLibrary(t, 300, hooks.PlanGuardConfig{Allow: []hooks.PlanException{{Table: "Authors", Reason: "few"}}})
		must(t, byName(db))
		report.end()
		report.mustBeSilent(t)
	})
	t.Run("SQL", func(t *testing.T) {
		db, report := newLibrary(t, 300, hooks.PlanGuardConfig{Allow: []hooks.PlanException{{SQL: "WHERE\n\tname =", Reason: "rare"}}})
		must(t, byName(db))
		report.mustBeSilent(t)
		must(t, byBirth(db))
		report.mustSay(t, "born = ?")
	})
	t.Run("Unused", func(t *testing.T) {
		db, report := newLibrary(t, 300, hooks.PlanGuardConfig{Allow: []hooks.PlanException{
			{Table: "authors", Reason: "few"}, {Table: "books", SQL: "title", Reason: "gone"},
		}})
		must(t, byName(db))
		report.end()
		report.mustSay(t, "exception 1", "books", "gone")
		report.end()
		must(t, byBirth(db))
		report.mustBeSilent(t) // the test has ended
	})
	t.Run("ErrNoReason", func(t *testing.T) {
		for _, e := range []hooks.PlanException{{Table: "authors"}, {Table: "authors", Reason: " "}, {Reason: "any"}} {
			db := openPlain(t, newPath(t), quiet())
			err := db.Use(hooks.NewPlanGuard(&planReport{}, hooks.PlanGuardConfig{Allow: []hooks.PlanException{e}}))
			if err == nil || !strings.Contains(err.Error(), "Allow[0]") {
				t.Errorf("%+v: got error %v", e, err)
			}
		}
	})
	t.Run("ErrMinRows", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		if err := db.Use(hooks.NewPlanGuard(&planReport{}, hooks.PlanGuardConfig{MinRows: -2})); err == nil {
			t.Error("MinRows -2 is taken")
		}
	})
	t.Run("AllowPlanWithoutReason", func(t *testing.T) {
		db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
		must(t, byName(db.Clauses(hooks.AllowPlan(""))))
		report.mustSay(t, "AllowPlan has no reason", "name = ?")
	})
	t.Run("AllowPlanIsNotForPreloads", func(t *testing.T) {
		db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
		must(t, db.Clauses(hooks.AllowPlan("all of them")).Preload("Books").Find(&[]author{}).Error)
		report.mustSay(t, "FROM `books`")
	})
}

// Every way to open a database, and every way to run a statement.
func TestPlanGuardEverywhere(t *testing.T) {
	plain := func(params string, config *gorm.Config) func(t *testing.T) *gorm.DB {
		return func(t *testing.T) *gorm.DB { return openPlain(t, newPath(t)+params, config) }
	}
	for name, open := range map[string]func(t *testing.T) *gorm.DB{
		"Plain":    plain("", quiet()),
		"Prepared": plain("", prepared()),
		"OnePool": func(t *testing.T) *gorm.DB {
			db := openPlain(t, newPath(t), quiet())
			pool, err := db.DB()
			must(t, err)
			pool.SetMaxOpenConns(1)
			return db
		},
		"Hooks":         func(t *testing.T) *gorm.DB { return openHooks(t, newPath(t), hooks.Config{}, quiet()) },
		"HooksPrepared": func(t *testing.T) *gorm.DB { return openHooks(t, newPath(t), hooks.Config{}, prepared()) },
		"HooksMemory":   func(t *testing.T) *gorm.DB { return openHooks(t, ":memory:", hooks.Config{}, quiet()) },
	} {
		t.Run(name, func(t *testing.T) {
			db, report := guardLibrary(t, open(t), 300, hooks.PlanGuardConfig{})
			runEveryWay(t, db, report)
			report.end()
			report.mustBeSilent(t)
		})
	}
}

func runEveryWay(t *testing.T, db *gorm.DB, report *planReport) {
	t.Helper()
	must(t, byName(db))
	must(t, byName(db))
	must(t, byName(db.Session(&gorm.Session{PrepareStmt: true})))
	report.mustSay(t, "name = ?") // once for each text

	rows, err := db.Model(&author{}).Where("born = ?", 1807).Rows()
	must(t, err)
	if !rows.Next() {
		t.Error("no rows")
	}
	must(t, rows.Close())
	report.mustSay(t, "born = ?")

	var name string
	must(t, db.Model(&author{}).Select("name").Where("born = ? AND name > ?", 1807, "").Row().Scan(&name))
	report.mustSay(t, "(born, name)")

	must(t, db.Transaction(func(tx *gorm.DB) error {
		// A table that only this transaction sees.
		must(t, tx.Exec("CREATE TABLE fresh AS SELECT * FROM books").Error)
		must(t, tx.Table("fresh").Where("title = ?", "x").Find(&[]book{}).Error)
		report.mustSay(t, "SCAN fresh", "fresh (title);")
		rows, err := tx.Table("fresh").Where("year = ?", 1900).Rows()
		must(t, err)
		must(t, rows.Close())
		report.mustSay(t, "SCAN fresh", "fresh (year);")
		return nil
	}))

	must(t, db.Preload("Books").Where("id < ?", 4).Find(&[]author{}).Error)
	must(t, db.Preload("Books").Where("id < ?", 9).Find(&[]author{}).Error)
	report.mustSay(t, "books (author_id)") // lists of any length are one text
}

// The guard changes neither results nor errors.
func TestPlanGuardChangesNothing(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	updated := db.Model(&author{}).Where("name IN ?", []string{"a1", "a2", "a3"}).Update("born", 5)
	if must(t, updated.Error); updated.RowsAffected != 3 {
		t.Errorf("%d rows updated, want 3", updated.RowsAffected)
	}
	found := db.Where("born = ?", 5).Find(&[]author{})
	if must(t, found.Error); found.RowsAffected != 3 {
		t.Errorf("%d rows found, want 3", found.RowsAffected)
	}
	mustBe(t, db.Where("born = ? AND id > 0", -1).First(&author{}).Error, gorm.ErrRecordNotFound)
	report.take()

	if err := db.Where("nowhere = ?", 1).Find(&[]author{}).Error; err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("got error %v", err)
	}
	if err := db.Raw("SELECT nowhere").Row().Err(); err == nil || !strings.Contains(err.Error(), "no such column") {
		t.Errorf("got error %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	mustBe(t, byName(db.WithContext(ended)), context.Canceled)
	report.end()
	report.mustBeSilent(t)
}

func TestPlanGuardSecondIsRefused(t *testing.T) {
	db, _ := newLibrary(t, 0, hooks.PlanGuardConfig{})
	mustBe(t, db.Use(hooks.NewPlanGuard(&planReport{}, hooks.PlanGuardConfig{})), gorm.ErrRegistered)
}

// Before the hooks plugin is as good as after it.
func TestPlanGuardBeforeHooks(t *testing.T) {
	db := openPlain(t, newPath(t), prepared())
	db, report := guardLibrary(t, db, 0, hooks.PlanGuardConfig{})
	must(t, db.Use(hooks.New(hooks.Config{Logger: silent})))
	fill(t, db, 300)
	must(t, byName(db))
	report.mustSay(t, "authors (name);")
}

// Sixteen goroutines run the same texts; each text is reported once.
func TestPlanGuardConcurrent(t *testing.T) {
	const texts = 5
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	must(t, atOnce(16, func(i int) error {
		var err error
		for n := range texts {
			read := func(tx *gorm.DB) error {
				return tx.Where(fmt.Sprintf("name = ? AND born > %d", n), "x").Find(&[]author{}).Error
			}
			if i%2 == 0 {
				err = errors.Join(err, read(db))
			} else {
				err = errors.Join(err, db.Transaction(read))
			}
		}
		return err
	}))
	if got := report.take(); len(got) != texts {
		t.Fatalf("%d failures, want %d:\n%s", len(got), texts, strings.Join(got, "\n"))
	}
}

// unlucky is an author whose update is rolled back after it has run.
type unlucky struct {
	ID         int64
	Name, Born string
}

var errUnlucky = errors.New("no luck")

func (unlucky) TableName() string { return "authors" }

func (*unlucky) AfterUpdate(*gorm.DB) error { return errUnlucky }

// The guard looks while the transaction that GORM begins by itself stands.
func TestPlanGuardInDefaultTransaction(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	mustBe(t, db.Model(&unlucky{}).Where("name = ?", "a7").Update("born", 1).Error, errUnlucky)
	report.mustSay(t, "UPDATE `authors`")
}

// A temporary table is there on one connection only: the guard looks on that.
func TestPlanGuardOnOneConnection(t *testing.T) {
	db, report := guardLibrary(t, openPlain(t, newPath(t), quiet()), 0, hooks.PlanGuardConfig{MinRows: -1})
	must(t, db.Connection(func(one *gorm.DB) error {
		must(t, one.Exec("CREATE TEMP TABLE brief (id INTEGER PRIMARY KEY, name TEXT)").Error)
		return one.Table("brief").Where("name = ?", "x").Find(&[]author{}).Error
	}))
	report.mustSay(t, "SCAN brief")
	report.end()
	report.mustBeSilent(t)
}

// A guard that could not look says so when the test ends: here, because the
// statement itself took its table away.
func TestPlanGuardCannotLook(t *testing.T) {
	db, report := newLibrary(t, 0, hooks.PlanGuardConfig{})
	must(t, db.Callback().Query().After("gorm:query").Before(hooks.PlanGuardName).Register("test:drop", func(db *gorm.DB) {
		_, err := db.Statement.ConnPool.ExecContext(db.Statement.Context, "DROP TABLE IF EXISTS tags")
		must(t, err)
	}))
	must(t, db.Table("tags").Where("word = ?", "x").Find(&[]map[string]any{}).Error)
	report.mustBeSilent(t)
	report.end()
	report.mustSay(t, "could not look at the plan", "no such table: tags")
}

// EXPLAIN alone would plan with the schema that an idle reader remembers.
func TestPlanGuardSeesNewIndexes(t *testing.T) {
	db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
	const readers = 8
	var open []*sql.Rows
	for range readers { // as many connections, all of which have read the schema
		rows, err := db.Clauses(hooks.AllowPlan("the test's own")).Model(&author{}).Rows()
		must(t, err)
		open = append(open, rows)
	}
	for _, rows := range open {
		must(t, rows.Close())
	}
	must(t, db.Exec("CREATE INDEX by_name ON authors (name)").Error)
	for n := range readers { // Rows are looked at before they are opened
		rows, err := db.Model(&author{}).Where(fmt.Sprintf("name = ? AND born > %d", n), "x").Rows()
		must(t, err)
		must(t, rows.Close())
	}
	report.mustBeSilent(t)
}
