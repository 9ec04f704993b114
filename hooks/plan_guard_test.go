package hooks_test

import (
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// planReport is a test that a guard may fail.
type planReport struct {
	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *planReport) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *planReport) Cleanup(fn func()) { r.cleanups = append(r.cleanups, fn) }

// end ends the test.
func (r *planReport) end() {
	for _, fn := range r.cleanups {
		fn()
	}
}

// take returns what has been reported since the last time.
func (r *planReport) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.failures
	r.failures = nil
	return taken
}

// mustBeSilent fails if the guard has said something.
func (r *planReport) mustBeSilent(tb testing.TB) {
	tb.Helper()
	if got := r.take(); len(got) > 0 {
		tb.Fatalf("%d failures, want none:\n%s", len(got), strings.Join(got, "\n"))
	}
}

// mustSay fails unless there is one failure that holds all of parts.
func (r *planReport) mustSay(tb testing.TB, parts ...string) string {
	tb.Helper()
	got := r.take()
	if len(got) != 1 {
		tb.Fatalf("%d failures, want one:\n%s", len(got), strings.Join(got, "\n"))
	}
	for _, part := range parts {
		if !strings.Contains(got[0], part) {
			tb.Fatalf("%q is not in the failure:\n%s", part, got[0])
		}
	}
	return got[0]
}

// author, book and note are an application's rows, without the indexes that
// it would need.
type author struct {
	ID    int64
	Name  string
	Born  int64
	Books []book
}

type book struct {
	ID       int64
	AuthorID int64
	Author   *author
	Title    string
	Year     int64
}

type note struct {
	ID        int64
	Text      string
	DeletedAt gorm.DeletedAt
}

const createLibrary = `
	CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born INTEGER NOT NULL);
	CREATE TABLE books (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL, title TEXT NOT NULL, year INTEGER NOT NULL);
	CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, deleted_at DATETIME);
	CREATE TABLE tags (book_id INTEGER, word TEXT, PRIMARY KEY (book_id, word)) WITHOUT ROWID;
	CREATE VIEW old_books AS SELECT * FROM books WHERE year < 1900`

const fillLibrary = `
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < @rows)
	INSERT INTO %s SELECT %s FROM n`

// fill writes rows into each table of the library, past the guard.
func fill(tb testing.TB, db *gorm.DB, rows int) {
	tb.Helper()
	past := db.Clauses(hooks.AllowPlan("the test's own"))
	for table, columns := range map[string]string{
		"authors": "NULL, 'a' || i, 1800 + i", "books": "NULL, i, 'b' || i, 1850 + i",
		"notes": "NULL, 'n' || i, NULL", "tags": "i, 'w' || i",
	} {
		must(tb, past.Exec(fmt.Sprintf(fillLibrary, table, columns), sql.Named("rows", rows)).Error)
	}
}

// newLibrary returns a file with rows in each table, under a guard.
func newLibrary(tb testing.TB, rows int, cfg hooks.PlanGuardConfig) (*gorm.DB, *planReport) {
	tb.Helper()
	return guardLibrary(tb, openHooks(tb, newPath(tb), hooks.Config{}, quiet()), rows, cfg)
}

func guardLibrary(tb testing.TB, db *gorm.DB, rows int, cfg hooks.PlanGuardConfig) (*gorm.DB, *planReport) {
	tb.Helper()
	for _, create := range strings.Split(createLibrary, ";") {
		must(tb, db.Exec(create).Error)
	}
	report := &planReport{}
	must(tb, db.Use(hooks.NewPlanGuard(report, cfg)))
	if rows > 0 {
		fill(tb, db, rows)
	}
	return db, report
}

var createIndex = regexp.MustCompile(`CREATE INDEX [^;]+;`)

// TestPlanGuardSuggestions runs statements that the guard fails, creates the
// indexes that it suggests, and runs them again under a new guard.
func TestPlanGuardSuggestions(t *testing.T) {
	var authors []author
	var books []book
	var n int64
	for name, c := range map[string]struct {
		run  func(db *gorm.DB) error
		want []string
	}{
		"Equal":    {func(db *gorm.DB) error { return db.Where("name = ?", "a7").Find(&authors).Error }, []string{"SCAN authors", "authors (name);"}},
		"Struct":   {func(db *gorm.DB) error { return db.Where(&author{Name: "a7", Born: 1807}).Find(&authors).Error }, []string{"authors (name, born);"}},
		"First":    {func(db *gorm.DB) error { return db.Where("born = ?", 1807).First(&author{}).Error }, []string{"authors (born);"}},
		"NotFound": {func(db *gorm.DB) error { return notFound(db.Where("born = ?", 3).Take(&author{}).Error) }, []string{"authors (born);"}},
		"Range":    {func(db *gorm.DB) error { return db.Where("born > ?", 1850).Find(&authors).Error }, []string{"authors (born);"}},
		"Between": {func(db *gorm.DB) error {
			return db.Where("born BETWEEN ? AND ? AND name = ?", 1, 2, "x").Find(&authors).Error
		}, []string{"authors (name, born);"}},
		"In":           {func(db *gorm.DB) error { return db.Where("name IN ?", []string{"a", "b"}).Find(&authors).Error }, []string{"authors (name);"}},
		"Order":        {func(db *gorm.DB) error { return db.Where("name = ?", "x").Order("born DESC").Find(&authors).Error }, []string{"SCAN authors", "TEMP B-TREE", "authors (name, born);"}},
		"OrderMixed":   {func(db *gorm.DB) error { return db.Order("name, born DESC").Limit(3).Find(&authors).Error }, []string{"TEMP B-TREE", "authors (name, born DESC);"}},
		"OrderCollate": {func(db *gorm.DB) error { return db.Order("name COLLATE NOCASE").Limit(3).Find(&authors).Error }, []string{"authors (name COLLATE NOCASE);"}},
		"Count":        {func(db *gorm.DB) error { return db.Model(&author{}).Where("name = ?", "x").Count(&n).Error }, []string{"authors (name);"}},
		"Max":          {func(db *gorm.DB) error { return db.Model(&author{}).Select("max(born)").Scan(&n).Error }, []string{"SEARCH authors", "authors (born);"}},
		"Update":       {func(db *gorm.DB) error { return db.Model(&author{}).Where("name = ?", "a7").Update("born", 1).Error }, []string{"UPDATE `authors`", "authors (name);"}},
		"Delete":       {func(db *gorm.DB) error { return db.Where("born < ?", 1803).Delete(&author{}).Error }, []string{"DELETE FROM `authors`", "authors (born);"}},
		"Raw": {func(db *gorm.DB) error {
			return db.Raw("SELECT count(*) FROM authors a WHERE 'x' = a.name").Scan(&n).Error
		}, []string{"SCAN a", "authors (name);"}},
		"Exec": {func(db *gorm.DB) error { return db.Exec("UPDATE authors SET born = ? WHERE name = ?", 3, "x").Error }, []string{"authors (name);"}},
		"InsertSelect": {func(db *gorm.DB) error {
			return db.Exec("INSERT INTO notes (text) SELECT name FROM authors WHERE born = ?", 1803).Error
		}, []string{"authors (born);"}},
		"With": {func(db *gorm.DB) error {
			return db.Raw("WITH old AS MATERIALIZED (SELECT * FROM authors WHERE born = ?) SELECT count(*) FROM old", 1803).Scan(&n).Error
		}, []string{"authors (born);"}},
		"Preload": {func(db *gorm.DB) error { return db.Preload("Books").Limit(3).Find(&authors).Error }, []string{"SCAN books", "books (author_id);"}},
		"Joins":   {func(db *gorm.DB) error { return db.Joins("Author").Where("title = ?", "b7").Find(&books).Error }, []string{"SCAN books", "books (title);"}},
		"JoinsAlias": {func(db *gorm.DB) error { return db.Joins("Author").Where("Author.name = ?", "a7").Find(&books).Error },
			[]string{"SCAN books", "authors (name);", "books (author_id);"}},
		"AutomaticIndex": {func(db *gorm.DB) error {
			return db.Raw("SELECT count(*) FROM notes n JOIN tags t ON t.word = n.text WHERE n.id > 0").Scan(&n).Error
		}, []string{"AUTOMATIC", "tags (word"}},
		"View": {func(db *gorm.DB) error {
			return db.Raw("SELECT count(*) FROM old_books WHERE title = ?", "x").Scan(&n).Error
		}, []string{"SCAN books"}},
		"Group": {func(db *gorm.DB) error {
			return db.Model(&book{}).Where("((title = ?) AND (year = ?))", "x", 7).Find(&books).Error
		}, []string{"books (title, year);"}},
	} {
		t.Run(name, func(t *testing.T) {
			db, report := newLibrary(t, 300, hooks.PlanGuardConfig{})
			must(t, c.run(db))
			said := report.mustSay(t, c.want...)
			for _, create := range createIndex.FindAllString(said, -1) {
				must(t, db.Exec(create).Error)
			}
			again, report := anew(t, db)
			must(t, c.run(again))
			report.mustBeSilent(t)
		})
	}
}

// anew opens the file of db under a new guard.
func anew(tb testing.TB, db *gorm.DB) (*gorm.DB, *planReport) {
	tb.Helper()
	var path string
	must(tb, db.Raw("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path).Error)
	again := openPlain(tb, path, quiet())
	report := &planReport{}
	must(tb, again.Use(hooks.NewPlanGuard(report, hooks.PlanGuardConfig{})))
	return again, report
}

func notFound(err error) error {
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("got error %w, want not found", err)
	}
	return nil
}
