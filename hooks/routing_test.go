package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// count is one and the same text in and outside of a transaction, as T7 needs.
const count = "SELECT count(*) FROM items"

// meetAtOneStatement lets a goroutine outside of a transaction ask for what
// the one inside of it asks for next, and returns the errors of both.
func meetAtOneStatement(t *testing.T, db *gorm.DB) (outside, inside error) {
	t.Helper()
	pool := mustPool(t, db)
	pool.SetMaxOpenConns(1)
	before := pool.Stats().WaitCount
	tx := mustBegin(t, db)
	impatient := db.WithContext(within(t, patience))
	answered := start(func() error { return impatient.Exec(count).Error })
	awaitTrue(t, "the goroutine outside waits for a connection, or has its answer", func() bool {
		return len(answered) > 0 || pool.Stats().WaitCount > before
	})
	inside = await(t, start(func() error { return tx.Exec(count).Error }))
	outside = await(t, answered)
	must(t, tx.Rollback().Error)
	return outside, inside
}

func TestT07_PrepareStmt(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		path := newPath(t)
		must(t, openPlain(t, path, quiet()).Exec(createItems).Error)
		outside, inside := meetAtOneStatement(t, openPlain(t, path, prepared()))
		mustBe(t, outside, context.DeadlineExceeded)
		mustBe(t, inside, context.DeadlineExceeded) // it has no deadline: it waited for the other one's
	})
	handles := map[string]func(t *testing.T) *gorm.DB{
		"in the config": func(t *testing.T) *gorm.DB {
			return openHooks(t, newPath(t), hooks.Config{}, prepared())
		},
		"in a session": func(t *testing.T) *gorm.DB {
			db := openHooks(t, newPath(t), hooks.Config{}, quiet())
			return db.Session(&gorm.Session{PrepareStmt: true})
		},
		"in both": func(t *testing.T) *gorm.DB {
			db := openHooks(t, newPath(t), hooks.Config{}, prepared())
			return db.Session(&gorm.Session{PrepareStmt: true})
		},
	}
	for name, handle := range handles {
		t.Run("hooks/"+name, func(t *testing.T) {
			db := handle(t)
			must(t, db.Exec(createItems).Error)
			outside, inside := meetAtOneStatement(t, db)
			must(t, outside)
			must(t, inside)
		})
		t.Run("hooks/"+name+"/total", func(t *testing.T) {
			db := handle(t)
			must(t, db.Exec(createItems).Error)
			must(t, add(db))
			addMixed(t, db)
		})
	}
}

// addMixed adds to the first item from many goroutines, in transactions, in
// nested ones and outside of any, and reads in between.
func addMixed(t *testing.T, db *gorm.DB) {
	t.Helper()
	const writers, times = 16, 5
	begun := mustInt(t, db, "SELECT n FROM items WHERE id = 1")
	ways := []func() error{
		func() error { return db.Transaction(addOne) },
		func() error {
			return db.Transaction(func(tx *gorm.DB) error {
				return tx.Session(&gorm.Session{PrepareStmt: true}).Transaction(addOne)
			})
		},
		func() error { return db.Exec("UPDATE items SET n = n + 1 WHERE id = 1").Error },
		func() error {
			return db.Model(&item{ID: 1}).UpdateColumn("n", gorm.Expr("n + 1")).Error
		},
	}
	must(t, atOnce(writers, func(i int) error {
		for range times {
			if err := ways[i%len(ways)](); err != nil {
				return err
			}
			if err := db.First(&item{}, 1).Error; err != nil {
				return err
			}
		}
		return nil
	}))
	if got := mustInt(t, db, "SELECT n FROM items WHERE id = 1") - begun; got != writers*times {
		t.Fatalf("%d was added, want %d", got, writers*times)
	}
}

// A session with PrepareStmt inside of a transaction finds the connections of
// db.DB() too.
func TestT07_SessionInATransactionHasDB(t *testing.T) {
	db := openHooks(t, newPath(t), hooks.Config{}, prepared())
	tx := mustBegin(t, db)
	pool, err := tx.Session(&gorm.Session{PrepareStmt: true}).DB()
	must(t, err)
	must(t, pool.Ping())
}

// statement is what T11 sends, and how many columns come back.
type statement struct {
	query   string
	columns int
}

// reading are statements that wait for no writer.
var reading = []statement{
	{"SELECT id FROM items", 1},
	{"WITH x (n) AS (SELECT 1) SELECT n, n FROM x", 2},
	{"VALUES (1)", 1},
	{"SELECT 'INSERT; DELETE'", 1},
	{"SELECT id FROM items;", 1},
	{"-- INSERT\nSELECT id FROM items", 1},
	{"/* UPDATE */ SELECT id FROM items", 1},
	{"PRAGMA table_info(items)", 6},
	{"PRAGMA main.index_list(items)", 5},
	{"PRAGMA user_version", 1},
	{"SELECT name FROM pragma_table_info('items')", 1},
	{"EXPLAIN SELECT id FROM items", 8},
	{"EXPLAIN QUERY PLAN SELECT id FROM items", 4},
}

// writing are statements that need the writer, though half of them look like
// reading to who reads their first word, and return rows.
var writing = []statement{
	{"INSERT INTO items (n) VALUES (1) RETURNING id", 1},
	{"WITH x (n) AS (SELECT 1) INSERT INTO items (n) SELECT n FROM x RETURNING id, n", 2},
	{"/* SELECT */ UPDATE items SET n = n + 1 RETURNING n", 1},
	{"WITH x AS (SELECT 1) UPDATE items SET n = n + 1", 0},
	{"DELETE FROM items WHERE id < 0 RETURNING id", 1},
	{"REPLACE INTO items (id, n) VALUES (1, 1)", 0},
	{"CREATE TABLE IF NOT EXISTS others (id INTEGER PRIMARY KEY)", 0},
	{"PRAGMA user_version=7", 0},
	{"PRAGMA user_version(7)", 0},
	{"PRAGMA incremental_vacuum(1)", 0},
}

// ways are all the ways there are to send text.
var ways = map[string]func(db *gorm.DB, s statement) error{
	"Exec": func(db *gorm.DB, s statement) error { return db.Exec(s.query).Error },
	"Scan": func(db *gorm.DB, s statement) error {
		var rows []map[string]any
		return db.Raw(s.query).Scan(&rows).Error
	},
	"Rows": func(db *gorm.DB, s statement) error {
		rows, err := db.Raw(s.query).Rows()
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return errors.Join(rows.Err(), rows.Close())
	},
	"Row": func(db *gorm.DB, s statement) error {
		values := make([]any, s.columns)
		for i := range values {
			values[i] = new(any)
		}
		err := db.Raw(s.query).Row().Scan(values...)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	},
}

func TestT11_StatementsGoWhereTheyBelong(t *testing.T) {
	db, _ := newItems(t)
	must(t, add(db))
	for _, s := range slices.Concat(reading, writing) {
		for name, send := range ways {
			if err := send(db, s); err != nil {
				t.Errorf("%s: %s: %v", name, s.query, err)
			}
		}
	}
	// Four ways each: one item before, four of INSERT, four of WITH … INSERT.
	mustCount(t, db, 1+2*int64(len(ways)))
	if got := mustInt(t, db, "PRAGMA user_version"); got != 7 {
		t.Errorf("user_version is %d, want 7", got)
	}
}

func TestT11_OnlyWritersWait(t *testing.T) {
	const moment = 10 * time.Millisecond
	db, _ := newItems(t)
	holder := mustBegin(t, db)
	patient := db.WithContext(within(t, hang))
	for _, s := range reading {
		for name, send := range ways {
			if err := send(patient, s); err != nil {
				t.Errorf("%s: %s: %v", name, s.query, err)
			}
		}
	}
	for _, s := range writing {
		for name, send := range ways {
			err := send(db.WithContext(within(t, moment)), s)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %s: got error %v under a held writer, want %v", name, s.query, err, context.DeadlineExceeded)
			}
		}
	}
	must(t, holder.Rollback().Error)
	mustCount(t, db, 0)
	mustBeFree(t, db)
}

// What SQLite sets as it prepares a PRAGMA must not be set on a reader.
func TestT11_PragmasDoNotUnlockReaders(t *testing.T) {
	for _, query := range []string{
		"PRAGMA query_only=0", "PRAGMA query_only(0)", "pragma main.query_only ( 0 )",
		"/* table_info( */ PRAGMA query_only = OFF", ";PRAGMA query_only(0)",
	} {
		t.Run(query, func(t *testing.T) {
			db, _ := newItems(t)
			for _, send := range ways {
				must(t, send(db, statement{query, 0}))
			}
			tx := mustBegin(t, db, &sql.TxOptions{ReadOnly: true})
			mustBeCode(t, add(tx), sqlite3.ErrReadonly)
		})
	}
}

func TestT11_OpenRowsOfAWriteHoldTheWriter(t *testing.T) {
	db, _ := newItems(t)
	rows, err := db.Raw("INSERT INTO items (n) VALUES (1), (2) RETURNING id").Rows()
	must(t, err)
	if !rows.Next() {
		t.Fatal("there is no row")
	}
	mustBe(t, add(db.WithContext(within(t, short))), context.DeadlineExceeded)
	closeRows(t, rows)
	must(t, add(db))
	mustCount(t, db, 3)
}

// Rows whose context ends are closed by database/sql, and free the writer.
func TestT11_ContextEndsRowsOfAWrite(t *testing.T) {
	db, _ := newItems(t)
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := db.WithContext(ctx).Raw("INSERT INTO items (n) VALUES (1), (2) RETURNING id").Rows()
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	cancel()
	must(t, add(db.WithContext(within(t, hang))))
	for rows.Next() {
	}
	mustBe(t, rows.Err(), context.Canceled)
}

// closeRows ends a statement in the middle of a test.
func closeRows(tb testing.TB, rows *sql.Rows) {
	tb.Helper()
	must(tb, rows.Close())
	must(tb, rows.Err())
}

func TestT11_RowsThatFailFreeTheWriter(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	failing := map[string]struct {
		ctx   context.Context
		query string
	}{
		"constraint":    {t.Context(), "INSERT INTO items (n) VALUES (-1) RETURNING id"},
		"syntax":        {t.Context(), "INSERT INTO"},
		"no table":      {t.Context(), "INSERT INTO nowhere VALUES (1) RETURNING id"},
		"no table read": {t.Context(), "SELECT id FROM nowhere"},
		"arguments":     {t.Context(), "INSERT INTO items (n) VALUES ($1) RETURNING id"},
		"ended context": {ended, "INSERT INTO items (n) VALUES (1) RETURNING id"},
		"transaction":   {t.Context(), "BEGIN"},
	}
	db, _ := newItems(t)
	for name, fail := range failing {
		for way, send := range ways {
			if err := send(db.WithContext(fail.ctx), statement{fail.query, 1}); err == nil {
				t.Errorf("%s: %s: there is no error", way, name)
			}
			mustBeFree(t, db)
		}
	}
	mustCount(t, db, 0)
}

// A Row that cannot have the writer says why when it is scanned.
func TestT11_RowUnderAHeldWriter(t *testing.T) {
	db, _ := newItems(t)
	mustBegin(t, db)
	var id int64
	err := db.WithContext(within(t, short)).Raw("INSERT INTO items (n) VALUES (1) RETURNING id").Row().Scan(&id)
	mustBe(t, err, context.DeadlineExceeded)
}

// A temporary table is known to the writer only, and what asks for it goes there.
func TestTemporaryTable(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Exec("CREATE TEMP TABLE scratch (n INTEGER)").Error)
	must(t, db.Exec("INSERT INTO scratch VALUES (1), (2)").Error)
	if got := mustInt(t, db, "SELECT sum(n) FROM scratch"); got != 3 {
		t.Fatalf("the sum is %d, want 3", got)
	}
}

// An attached database is known to the writer only, as a temporary table is.
func TestAttachedDatabase(t *testing.T) {
	db, _ := newItems(t)
	side := newPath(t)
	must(t, db.Exec("ATTACH DATABASE ? AS side", side).Error)
	must(t, db.Exec("CREATE TABLE side.notes (n INTEGER)").Error)
	must(t, db.Transaction(func(tx *gorm.DB) error {
		return tx.Exec("INSERT INTO side.notes VALUES (1), (2)").Error
	}))
	if got := mustInt(t, db, "SELECT sum(n) FROM side.notes"); got != 3 {
		t.Fatalf("the sum is %d, want 3", got)
	}
	must(t, db.Exec("DETACH DATABASE side").Error)
	must(t, db.Exec("ATTACH DATABASE ? AS side", side).Error)
}

// What the last write did only the connection that wrote can say.
func TestWhatTheLastWriteDid(t *testing.T) {
	db, _ := newItems(t)
	must(t, db.Exec("INSERT INTO items (id) VALUES (7), (8)").Error)
	for query, want := range map[string]int64{
		"SELECT last_insert_rowid()":                          8,
		"SELECT changes()":                                    2,
		"SELECT Total_Changes ( ) >= 2":                       1,
		"SELECT id FROM items WHERE id = last_insert_rowid()": 8,
	} {
		if got := mustInt(t, db, query); got != want {
			t.Errorf("%s is %d, want %d", query, got, want)
		}
	}
}

// What a statement does may change with the schema; the answer that is
// remembered for its text does not mislead.
func TestSchemaChanges(t *testing.T) {
	db, _ := newItems(t)
	must(t, add(db))
	for range 3 {
		must(t, db.Exec("ALTER TABLE items ADD COLUMN extra INTEGER DEFAULT 5").Error)
		if got := mustInt(t, db, "SELECT extra FROM items"); got != 5 {
			t.Fatalf("the new column holds %d, want 5", got)
		}
		must(t, db.Exec("ALTER TABLE items DROP COLUMN extra").Error)
		if err := db.Exec("SELECT extra FROM items").Error; err == nil {
			t.Fatal("a column that was dropped is read")
		}
	}
}

const script = createItems + `;
	INSERT INTO items (name) VALUES ('a;b');
	CREATE TRIGGER counted AFTER INSERT ON items BEGIN UPDATE items SET n = n + 1; END;
	INSERT INTO items (name) VALUES ('c'); -- done`

func TestT22_Script(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), prepared())
		must(t, db.Exec(script).Error)
		mustCount(t, db, 0) // the table is there, the rest is not
	})
	for name, config := range map[string]*gorm.Config{"hooks": quiet(), "hooks/PrepareStmt": prepared()} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, newPath(t), hooks.Config{}, config)
			must(t, db.Exec(script).Error)
			mustCount(t, db, 2)
			if got := mustInt(t, db, "SELECT sum(n) FROM items"); got != 2 {
				t.Fatalf("the trigger counted %d, want 2", got)
			}
			// In a transaction, in a session, and where its first statement reads.
			must(t, db.Transaction(func(tx *gorm.DB) error {
				return tx.Session(&gorm.Session{PrepareStmt: true}).Exec("SELECT 1; DELETE FROM items; INSERT INTO items DEFAULT VALUES").Error
			}))
			mustCount(t, db, 1)
			must(t, db.Exec("SELECT 1; INSERT INTO items DEFAULT VALUES; INSERT INTO items DEFAULT VALUES").Error)
			mustCount(t, db, 3)
		})
	}
}

// A script runs once, whatever happens: it is not run again after a part of it.
func TestT22_AScriptThatFails(t *testing.T) {
	db, _ := newItems(t)
	mustBeCode(t, db.Exec("INSERT INTO items (n) VALUES (1); INSERT INTO items (n) VALUES (-1)").Error, sqlite3.ErrConstraint)
	mustCount(t, db, 1)
	mustBeFree(t, db)
}

// It is not run again either when another program takes the lock between two of
// its statements: it waits there.
func TestT22_AScriptIsNotRunAgain(t *testing.T) {
	path := newPath(t)
	db := openTick(t, path)
	must(t, db.Use(hooks.New(hooks.Config{})))
	must(t, db.Exec(createItems).Error)
	elsewhere := mustPool(t, openPlain(t, path+wal, quiet()))
	released := make(chan error, 1)
	onNextTick(t, func() {
		tx, err := elsewhere.Begin()
		if err != nil {
			released <- err
			return
		}
		time.AfterFunc(short, func() { released <- tx.Rollback() })
	})
	must(t, db.Exec("INSERT INTO items (n) VALUES (1); SELECT tick(1000); INSERT INTO items (n) VALUES (2)").Error)
	must(t, await(t, released))
	mustCount(t, db, 2)
}

func TestTransactionControlByText(t *testing.T) {
	queries := []string{
		"BEGIN", "begin immediate", " COMMIT;", "END", "ROLLBACK", "SAVEPOINT a", "RELEASE a", "ROLLBACK TO a",
		"-- why\nBEGIN", "/* why */ BEGIN", "/* a */ -- b\n /* c */COMMIT", ";BEGIN",
	}
	for name, dsn := range map[string]string{"file": newPath(t), "memory": ":memory:"} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, dsn, hooks.Config{}, quiet())
			must(t, db.Exec(createItems).Error)
			for _, query := range queries {
				for way, send := range ways {
					if err := send(db, statement{query, 0}); !errors.Is(err, hooks.ErrTransactionControl) {
						t.Errorf("%s: %q: got error %v, want %v", way, query, err, hooks.ErrTransactionControl)
					}
				}
			}
			must(t, add(db))
			mustCount(t, db, 1)
			mustBegin(t, db, &sql.TxOptions{ReadOnly: true}) // no connection is left in a transaction
		})
	}
}

// Text does not end a transaction behind its back: what followed would be stored
// at once, and stay. Savepoints as text are the application's affair.
func TestTransactionEndedByText(t *testing.T) {
	db, _ := newItems(t)
	for _, query := range []string{"COMMIT", "end;", "ROLLBACK", "/* why */ ROLLBACK TRANSACTION", "INSERT INTO items (n) VALUES (7); COMMIT"} {
		for way, send := range ways {
			tx := mustBegin(t, db)
			must(t, add(tx))
			mustBe(t, send(tx, statement{query, 0}), hooks.ErrTransactionControl)
			prepared, err := tx.Statement.ConnPool.PrepareContext(t.Context(), query)
			if err == nil {
				_, err = prepared.ExecContext(t.Context())
				must(t, prepared.Close())
			}
			mustBe(t, err, hooks.ErrTransactionControl)
			must(t, add(tx))
			must(t, tx.Rollback().Error)
			if n := mustInt(t, db, "SELECT count(*) FROM items"); n != 0 {
				t.Fatalf("%s: %q: %d items are stored", way, query, n)
			}
		}
	}
	must(t, db.Transaction(func(tx *gorm.DB) error {
		must(t, tx.Exec("SAVEPOINT a").Error)
		must(t, add(tx))
		must(t, tx.Exec("ROLLBACK TO a").Error)
		must(t, add(tx))
		return tx.Exec("RELEASE a; CREATE TRIGGER counted AFTER INSERT ON items BEGIN SELECT 1; END;").Error
	}))
	mustCount(t, db, 1)
}

// A transaction that a script leaves open is rolled back at once: another
// program could not write until this one writes again.
func TestScriptLeavesATransactionOpen(t *testing.T) {
	db, path := newItems(t)
	must(t, db.Exec("SELECT 1; BEGIN IMMEDIATE; INSERT INTO items (n) VALUES (1)").Error)
	elsewhere := openPlain(t, path+"?_busy_timeout=1", quiet())
	must(t, add(elsewhere))
	mustCount(t, db, 1)
}

// A statement cache of the driver's, none, and one that is too small for what
// comes give the same answers.
func TestStatementCache(t *testing.T) {
	for name, size := range map[string]int{"none": -1, "one": 1, "default": 0} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, newPath(t), hooks.Config{StatementCache: size}, quiet())
			must(t, db.Exec(createItems).Error)
			must(t, add(db))
			addMixed(t, db)
		})
	}
}
