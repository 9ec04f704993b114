package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// asked are the queries that run often, with variables of every kind that they
// take.
var asked = map[*query][]any{
	recentAnswers:      {int64(2), 50},
	boardTop:           {int64(20260510), int64(2), 51},
	boardBehind:        {int64(20260510), int64(2), int64(3), int64(4), int64(5), int64(20260510), int64(2), int64(3), 51},
	boardAhead:         {int64(20260510), int64(2), int64(3), int64(4), int64(5), int64(20260510), int64(2), int64(3), 51},
	placeOfUser:        {int64(2), int64(20260510)},
	masteryOfUser:      {int64(2)},
	masteryByOperation: {int64(2), "addition"},
	masteryOfFacts:     {int64(2), "addition", []string{"1+1", "2+2", "3+3"}},
	answersOfFacts:     {int64(2), "addition", []string{"1+1", "2+2", "3+3"}},
	recentSessions:     {int64(2), 50},
	ledgerBefore:       {int64(2), int64(9), 50},
	ledgerLast:         {int64(2)},
	rollupQueue:        {64},
	rollupsOfUser:      {int64(2)},
	inventoryOfUser:    {int64(2)},
	usersAfter:         {int64(2), 50},
	practiceBetween:    {int64(2), int64(1), int64(3)},
	masterySummary:     {int64(2)},
	weakestFacts:       {int64(2), 10},
	wornItems:          {int64(2)},
}

// raw differs from GORM's Raw in its time alone.
func TestRaw(t *testing.T) {
	db, store := openPlanned(t)
	for _, dialect := range []gorm.Dialector{db.Dialector, numbered{db.Dialector}} {
		tx := db.Session(&gorm.Session{NewDB: true})
		tx.Dialector = dialect
		u := store.engine.unit(tx)
		for q, args := range asked {
			want, got := u.tx.Raw(u.texts[q], args...).Statement, u.raw(q, args...).Statement
			if diff := cmp.Diff(want.SQL.String(), got.SQL.String()); diff != "" {
				t.Errorf("text (-Raw +raw)\n%s", diff)
			}
			if diff := cmp.Diff(want.Vars, got.Vars); diff != "" {
				t.Errorf("variables (-Raw +raw)\n%s", diff)
			}
		}
	}
}

// numbered spells variables as PostgreSQL does.
type numbered struct{ gorm.Dialector }

func (numbered) BindVarTo(writer clause.Writer, stmt *gorm.Statement, _ any) {
	_, _ = writer.WriteString("$" + string(rune('0'+len(stmt.Vars))))
}

// What runs often is planned once, whatever the values are.
func TestPlannedOnce(t *testing.T) {
	pool, planned := openCounted(t)
	for q, args := range asked {
		if n := plansAgain(t, pool, planned, q.text(""), args); n > 0 {
			t.Errorf("planned again:\n%s", q.text(""))
		}
	}
	if plansAgain(t, pool, planned, `SELECT name FROM users LIMIT ?`, []any{1}) == 0 {
		t.Error("a statement that is planned again is not seen")
	}
}

// plansAgain runs a statement three times and returns what SQLite asked of the
// authorizer at the last two: it asks only while it plans.
func plansAgain(t *testing.T, pool *sql.DB, planned *int, text string, args []any) int {
	t.Helper()
	text = strings.ReplaceAll(text, "IN ?", "IN (?, '2+2', '3+3')")
	stmt, err := pool.Prepare(text)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	for n := range 3 {
		if n == 1 {
			*planned = 0
		}
		if _, err := stmt.Exec(values(args, n)...); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return *planned
}

// values returns args, other ones for each n.
func values(args []any, n int) []any {
	list := make([]any, len(args))
	for i, arg := range args {
		switch arg := arg.(type) {
		case int:
			list[i] = arg + n
		case int64:
			list[i] = arg + int64(n)
		default:
			list[i] = strings.Repeat("a", n)
		}
	}
	return list
}

// openCounted opens a store's database without GORM, on one connection that
// counts the authorizer's questions.
func openCounted(t *testing.T) (*sql.DB, *int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "counted.db")
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	store := New(Config{})
	if err := errors.Join(db.Use(store), store.Close()); err != nil {
		t.Fatal(err)
	}
	c := &counted{path: path}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = pool.Close() })
	return pool, &c.planned
}

// counted is a connector of connections that count.
type counted struct {
	path    string
	planned int
}

func (c *counted) Driver() driver.Driver { return &sqlite3.SQLiteDriver{} }

func (c *counted) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.Driver().Open(c.path)
	if err == nil {
		conn.(*sqlite3.SQLiteConn).RegisterAuthorizer(func(int, string, string, string) int {
			c.planned++
			return sqlite3.SQLITE_OK
		})
	}
	return conn, err
}

func TestScanRows(t *testing.T) {
	_, store := openPlanned(t)
	tx := store.engine.unit(store.engine.db).tx
	scan := func(query string) ([]int64, error) {
		return scanRows(tx.Raw(query), 1, func(rows *sql.Rows, n *int64) error { return rows.Scan(n) })
	}
	t.Run("OK", func(t *testing.T) {
		got, err := scan("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int64{1, 2, 3}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("OK/None", func(t *testing.T) {
		if got, err := scan("SELECT 1 WHERE 0"); got != nil || err != nil {
			t.Errorf("got %v, %v, want nil, nil", got, err)
		}
	})
	for name, query := range map[string]string{
		"ErrQuery":  "SELECT FROM",
		"ErrColumn": "SELECT 1 UNION ALL SELECT 'one'",
		// SQLite fails at the second row.
		"ErrRow": "SELECT 1 UNION ALL SELECT abs(-9223372036854775808)",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := scan(query); got != nil || err == nil {
				t.Errorf("got %v, %v, want nil and an error", got, err)
			}
			if n := store.hooks.State().Readers.InUse; n != 0 {
				t.Errorf("%d connections are not given back", n)
			}
		})
	}
}

// T20: garbage is no zero time, and the error says where it is.
func TestScanRows_ErrTime(t *testing.T) {
	_, store := openPlanned(t)
	tx := store.engine.unit(store.engine.db).tx
	for _, garbage := range []string{"'2026-05-13'", "1778688000000.5", "NULL"} {
		got, err := scanRows(tx.Raw("SELECT "+garbage+" AS created_at"), 1,
			func(rows *sql.Rows, m *millis) error { return rows.Scan(m) })
		if got != nil || err == nil || !strings.Contains(err.Error(), "created_at") {
			t.Errorf("%s: got %v, %v, want an error that names created_at", garbage, got, err)
		}
	}
}

func TestMillis(t *testing.T) {
	var got time.Time
	if err := (*millis)(&got).Scan(int64(1778688000123)); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2026, 5, 13, 16, 0, 0, 123e6, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What one statement cannot bind is read in parts, and all of it is there.
func TestInParts(t *testing.T) {
	want := make([]int, 2*maxVariables)
	for i := range want {
		want[i] = i
	}
	got, err := inParts(want, func(part []int) ([]int, error) {
		if len(part) > maxVariables-2 { // masteryOfFacts binds two more
			t.Errorf("a part has %d values", len(part))
		}
		return part, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A page from the top and a rank are one statement, and so of one moment.
func TestOneStatement(t *testing.T) {
	db, store := openPlanned(t)
	ctx := context.Background()
	user, err := store.Users.Create(ctx, NewUser{})
	if err != nil {
		t.Fatal(err)
	}
	season, err := store.Leagues.BookXP(ctx, user.ID, 3, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	caught := catchStatements(t, db)
	for name, read := range map[string]func() error{
		"Board": func() error { _, err := store.Leagues.Board(ctx, season.ID, lowestLeague, "", 0); return err },
		"Rank":  func() error { _, err := store.Leagues.Rank(ctx, season.ID, user.ID); return err },
	} {
		clear(caught.texts)
		if err := read(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if list := caught.list(); len(list) != 1 {
			t.Errorf("%s runs %d statements: %q", name, len(list), list)
		}
	}
}
