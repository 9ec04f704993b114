package hooks_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// The models before a migration: accounts have orders, which have lines, and
// everything goes with its account.
type (
	accountV1 struct {
		ID    int64 `gorm:"primaryKey;autoIncrement"`
		Name  string
		Email string
		Gone  string
		Score int64
		Boss  *int64
	}
	orderV1 struct {
		ID        int64
		AccountID int64
		Account   accountV1 `gorm:"constraint:OnDelete:CASCADE"`
		Note      string
	}
	lineV1 struct {
		ID      int64
		OrderID int64
		Order   orderV1 `gorm:"constraint:OnDelete:CASCADE"`
	}
)

func (accountV1) TableName() string { return "accounts" }
func (orderV1) TableName() string   { return "orders" }
func (lineV1) TableName() string    { return "lines" }

// accountV2 has a score of another type and a foreign key to itself.
type accountV2 struct {
	ID       int64 `gorm:"primaryKey;autoIncrement"`
	Name     string
	Email    string
	Score    string     `gorm:"type:text"`
	Boss     *int64     // it is the foreign key of Superior
	Superior *accountV2 `gorm:"foreignKey:Boss;constraint:OnDelete:CASCADE"`
}

func (accountV2) TableName() string { return "accounts" }

const (
	accounts    = 10
	lastAccount = 20 // the highest number that was ever given
	// ordersEach and linesEach are the children of one account and one order.
	ordersEach, linesEach = 3, 2
)

// fillAccounts makes the tables and their rows.
func fillAccounts(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	must(tb, db.AutoMigrate(&accountV1{}, &orderV1{}, &lineV1{}))
	for _, script := range []string{
		"CREATE TABLE log (what TEXT)",
		"CREATE INDEX accounts_name ON accounts (name)",
		"CREATE INDEX accounts_gone ON accounts (gone)",
		"CREATE UNIQUE INDEX accounts_email ON accounts (email COLLATE NOCASE)",
		"CREATE INDEX accounts_high ON accounts (score) WHERE score > 5",
		"CREATE INDEX accounts_lower ON accounts (lower(name))",
		"CREATE TRIGGER accounts_added AFTER INSERT ON accounts BEGIN INSERT INTO log VALUES ('added ' || NEW.name); END",
		`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 20)
			INSERT INTO accounts (id, name, email, gone, score) SELECT i, 'name ' || i, i || '@example.org', 'gone', i FROM n`,
		"DELETE FROM accounts WHERE id > 10", // their numbers are not given again
		"INSERT INTO orders (account_id, note) SELECT id, 'note' FROM accounts, (VALUES (1), (2), (3))",
		"INSERT INTO lines (order_id) SELECT id FROM orders, (VALUES (1), (2))",
		"DELETE FROM log",
	} {
		must(tb, db.Exec(script).Error)
	}
}

const nameView = "CREATE VIEW account_names AS SELECT id, name FROM accounts"

func newAccounts(tb testing.TB) *gorm.DB {
	tb.Helper()
	db := openHooks(tb, newPath(tb), hooks.Config{Logger: silent}, quiet())
	fillAccounts(tb, db)
	must(tb, db.Exec(nameView).Error)
	return db
}

func newPlainAccounts(tb testing.TB) *gorm.DB {
	tb.Helper()
	db := openPlain(tb, newPath(tb)+wal+"&_foreign_keys=1", quiet())
	fillAccounts(tb, db)
	return db
}

// mustKeepAccounts fails unless all rows are there and what hangs on the
// accounts works.
func mustKeepAccounts(tb testing.TB, db *gorm.DB, gone ...string) {
	tb.Helper()
	for query, want := range map[string]int64{
		"SELECT count(*) FROM accounts WHERE name = 'name ' || id":                               accounts,
		"SELECT count(*) FROM orders":                                                            accounts * ordersEach,
		"SELECT count(*) FROM lines":                                                             accounts * ordersEach * linesEach,
		"SELECT count(*) FROM account_names":                                                     accounts,
		"SELECT count(*) FROM pragma_foreign_key_check":                                          0,
		"SELECT count(*) FROM sqlite_schema WHERE name GLOB 'accounts_*' AND type = 'index'":     int64(5 - len(gone)),
		"SELECT seq FROM sqlite_sequence WHERE name = 'accounts'":                                lastAccount,
		"SELECT count(*) FROM sqlite_sequence WHERE name NOT IN ('accounts', 'orders', 'lines')": 0,
		"SELECT count(*) FROM sqlite_schema WHERE name LIKE '%\\_\\_temp' ESCAPE '\\'":           0,
	} {
		if got := mustInt(tb, db, query); got != want {
			tb.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	mustEnforce(tb, db)
	undo := errors.New("undo")
	mustBe(tb, db.Transaction(func(tx *gorm.DB) error {
		must(tb, tx.Exec("INSERT INTO accounts (name, email, score) VALUES ('new', 'new', '7')").Error)
		if id := mustInt(tb, tx, "SELECT max(id) FROM accounts"); id != lastAccount+1 {
			tb.Errorf("the next account is %d, want %d", id, lastAccount+1)
		}
		if n := mustInt(tb, tx, "SELECT count(*) FROM log WHERE what = 'added new'"); n != 1 {
			tb.Errorf("the trigger ran %d times, want once", n)
		}
		if tx.Exec("INSERT INTO accounts (name, email) VALUES ('new', 'NEW')").Error == nil {
			tb.Error("the unique index is gone")
		}
		return undo
	}), undo)
}

// mustEnforce fails unless the writer has foreign keys on, and renames as it
// did.
func mustEnforce(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	must(tb, db.Transaction(func(tx *gorm.DB) error {
		if mustInt(tb, tx, "PRAGMA foreign_keys") != 1 || mustInt(tb, tx, "PRAGMA legacy_alter_table") != 0 {
			tb.Error("the writer is not as it was")
		}
		return nil
	}))
	if db.Exec("INSERT INTO orders (account_id) VALUES (999999)").Error == nil {
		tb.Error("an order of nobody is stored")
	}
}

// schemaOf returns everything in the schema.
func schemaOf(tb testing.TB, db *gorm.DB) string {
	tb.Helper()
	var all []string
	must(tb, db.Raw("SELECT type || name || coalesce(sql, '') FROM sqlite_schema ORDER BY 1").Scan(&all).Error)
	return strings.Join(all, "\n")
}

func TestT12_DropColumn(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := newPlainAccounts(t)
		must(t, db.Migrator().DropColumn(&accountV1{}, "Gone")) // no error
		if mustInt(t, db, "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM lines)") != 0 {
			t.Fatal("plain GORM has learned to keep the children")
		}
		if mustInt(t, db, "SELECT count(*) FROM sqlite_schema WHERE tbl_name = 'accounts' AND type IN ('index', 'trigger')") != 0 {
			t.Fatal("plain GORM has learned to keep indexes and triggers")
		}
		if mustInt(t, db, "SELECT seq FROM sqlite_sequence") == lastAccount {
			t.Fatal("plain GORM has learned to keep the last number")
		}
	})
	t.Run("hooks", func(t *testing.T) {
		db := newAccounts(t)
		must(t, db.Migrator().DropColumn(&accountV1{}, "Gone"))
		if mustInt(t, db, "SELECT count(*) FROM pragma_table_info('accounts') WHERE name = 'gone'") != 0 {
			t.Fatal("the column is still there")
		}
		mustKeepAccounts(t, db, "accounts_gone")
	})
	t.Run("hooks/a child", func(t *testing.T) {
		db := newAccounts(t)
		must(t, db.Migrator().DropColumn(&orderV1{}, "note"))
		mustKeepAccounts(t, db)
	})
	t.Run("hooks/GORM's prepared statements", func(t *testing.T) {
		db := newAccounts(t).Session(&gorm.Session{PrepareStmt: true})
		must(t, db.Migrator().DropColumn(&accountV1{}, "Gone"))
		mustKeepAccounts(t, db, "accounts_gone")
	})
}

func TestT12_AlterColumn(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := newPlainAccounts(t)
		must(t, db.Transaction(func(tx *gorm.DB) error { return tx.Migrator().AlterColumn(&accountV2{}, "Score") }))
		if mustInt(t, db, "SELECT count(*) FROM orders") != 0 {
			t.Fatal("plain GORM has learned to keep the children")
		}
	})
	t.Run("plain/view", func(t *testing.T) {
		db := newPlainAccounts(t)
		must(t, db.Exec(nameView).Error)
		if db.Migrator().AlterColumn(&accountV2{}, "Score") == nil {
			t.Fatal("plain GORM has learned to rebuild a table under a view")
		}
	})
	t.Run("hooks", func(t *testing.T) {
		db := newAccounts(t)
		must(t, db.Migrator().AlterColumn(&accountV2{}, "Score"))
		if n := mustInt(t, db, "SELECT count(*) FROM accounts WHERE typeof(score) = 'text' AND score = CAST(id AS TEXT)"); n != accounts {
			t.Fatalf("%d scores are right, want %d", n, accounts)
		}
		mustKeepAccounts(t, db)
	})
}

// The application changes its models and calls AutoMigrate at its start.
func TestT12_AutoMigrate(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := newPlainAccounts(t)
		must(t, db.AutoMigrate(&accountV2{}))
		if mustInt(t, db, "SELECT count(*) FROM orders") != 0 {
			t.Fatal("plain GORM has learned to keep the children")
		}
	})
	t.Run("hooks", func(t *testing.T) {
		db := newAccounts(t)
		must(t, db.AutoMigrate(&accountV2{}))
		if mustInt(t, db, "SELECT count(*) FROM pragma_foreign_key_list('accounts')") != 1 {
			t.Fatal("the foreign key is not there")
		}
		mustKeepAccounts(t, db)
		if db.Exec("UPDATE accounts SET boss = 999999 WHERE id = 1").Error == nil {
			t.Fatal("the new foreign key does not hold")
		}
		schema := schemaOf(t, db)
		must(t, db.AutoMigrate(&accountV2{}))
		if got := schemaOf(t, db); got != schema {
			t.Fatalf("a second AutoMigrate changed the schema from\n%s\nto\n%s", schema, got)
		}
		must(t, db.Migrator().DropConstraint(&accountV2{}, "Superior"))
		if mustInt(t, db, "SELECT count(*) FROM pragma_foreign_key_list('accounts')") != 0 {
			t.Fatal("the foreign key is still there")
		}
		mustKeepAccounts(t, db)
	})
	t.Run("hooks/memory", func(t *testing.T) {
		db := openHooks(t, ":memory:", hooks.Config{}, quiet())
		fillAccounts(t, db)
		must(t, db.Exec(nameView).Error)
		must(t, db.AutoMigrate(&accountV2{}))
		mustKeepAccounts(t, db)
	})
}

func TestRebuildInTransaction(t *testing.T) {
	db := newAccounts(t)
	before := schemaOf(t, db)
	for name, migrate := range map[string]func(tx *gorm.DB) error{
		"DropColumn":       func(tx *gorm.DB) error { return tx.Migrator().DropColumn(&accountV1{}, "Gone") },
		"AlterColumn":      func(tx *gorm.DB) error { return tx.Migrator().AlterColumn(&accountV2{}, "Score") },
		"CreateConstraint": func(tx *gorm.DB) error { return tx.Migrator().CreateConstraint(&accountV2{}, "Superior") },
		"DropConstraint":   func(tx *gorm.DB) error { return tx.Migrator().DropConstraint(&orderV1{}, "Account") },
		"AutoMigrate":      func(tx *gorm.DB) error { return tx.AutoMigrate(&accountV2{}) },
		"prepared": func(tx *gorm.DB) error {
			return tx.Session(&gorm.Session{PrepareStmt: true}).Migrator().DropColumn(&accountV1{}, "Gone")
		},
	} {
		t.Run(name, func(t *testing.T) {
			must(t, db.Transaction(func(tx *gorm.DB) error {
				mustBe(t, migrate(tx), hooks.ErrRebuildInTransaction)
				return nil // it is committed, and has changed nothing
			}))
			if got := schemaOf(t, db); got != before {
				t.Fatalf("the schema has changed to\n%s", got)
			}
			mustKeepAccounts(t, db)
		})
	}
}

// Who switched foreign keys off by himself may go on in a transaction.
func TestRebuildInTransactionWithoutForeignKeys(t *testing.T) {
	db := newAccounts(t)
	must(t, db.Exec("PRAGMA foreign_keys=OFF").Error)
	must(t, db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Migrator().DropColumn(&accountV1{}, "Gone"); err != nil {
			return err
		}
		return tx.Migrator().AlterColumn(&accountV2{}, "Score")
	}))
	must(t, db.Migrator().AlterColumn(&accountV1{}, "Score"))
	must(t, db.Transaction(func(tx *gorm.DB) error {
		if mustInt(t, tx, "PRAGMA foreign_keys") != 0 {
			t.Error("a rebuild switched on what the application had switched off")
		}
		return nil
	}))
	must(t, db.Exec("PRAGMA foreign_keys=ON").Error)
	mustKeepAccounts(t, db, "accounts_gone")
}

// What cannot be kept is said, and nothing is changed.
func TestRebuildRefuses(t *testing.T) {
	drop := func(db *gorm.DB) error { return db.Migrator().DropColumn(&accountV1{}, "Gone") }
	for name, test := range map[string]struct {
		plant   string
		migrate func(db *gorm.DB) error
		says    string
	}{
		"a trigger uses the column": {
			"CREATE TRIGGER t AFTER DELETE ON accounts BEGIN INSERT INTO log VALUES (OLD.gone); END", drop, `trigger "t"`},
		"a trigger watches the column": {
			"CREATE TRIGGER t AFTER UPDATE OF gone ON accounts BEGIN INSERT INTO log VALUES ('x'); END", drop, `trigger "t"`},
		"another table's trigger writes the column": {
			"CREATE TRIGGER t AFTER INSERT ON log BEGIN UPDATE accounts SET gone = 'x'; END", drop, `trigger "t"`},
		"a view uses the column":           {"CREATE VIEW v AS SELECT \"gone\" FROM accounts", drop, `view "v"`},
		"an index uses the column":         {"CREATE INDEX i ON accounts (name, gone)", drop, `index "i"`},
		"a partial index uses the column":  {"CREATE INDEX i ON accounts (name) WHERE gone > ''", drop, `index "i"`},
		"an index's expression does":       {"CREATE INDEX i ON accounts (upper(gone))", drop, `index "i"`},
		"a view of a view uses the column": {"CREATE VIEW v AS SELECT * FROM accounts; CREATE VIEW w AS SELECT gone FROM v", drop, "no such column"},
		"the copy's name is taken":         {"CREATE TABLE accounts__temp (id INTEGER)", drop, "already exists"},
		"a NULL under NOT NULL": {"UPDATE accounts SET score = NULL WHERE id = 3", func(db *gorm.DB) error {
			type accounts struct {
				ID    int64
				Score int64 `gorm:"not null"`
			}
			return db.Migrator().AlterColumn(&accounts{}, "Score")
		}, "NOT NULL"},
		"a violation in the table": {"PRAGMA foreign_keys=OFF; UPDATE accounts SET boss = 99 WHERE id = 3; PRAGMA foreign_keys=ON",
			func(db *gorm.DB) error { return db.Migrator().CreateConstraint(&accountV2{}, "Superior") }, `row 3 of "accounts"`},
		"a violation in a child": {"PRAGMA foreign_keys=OFF; UPDATE orders SET account_id = 99 WHERE id = 4; PRAGMA foreign_keys=ON",
			drop, `row 4 of "orders"`},
	} {
		t.Run(name, func(t *testing.T) {
			db := newAccounts(t)
			must(t, db.Exec(test.plant).Error)
			before := schemaOf(t, db)
			err := test.migrate(db)
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got error %v, want one that says %q", err, test.says)
			}
			if got := schemaOf(t, db); got != before {
				t.Fatalf("the schema has changed to\n%s", got)
			}
			mustEnforce(t, db)
			if n := mustInt(t, db, "SELECT count(*) FROM lines"); n != accounts*ordersEach*linesEach {
				t.Fatalf("%d lines are left", n)
			}
		})
	}
}

func TestRebuildForeignKeyError(t *testing.T) {
	db := newAccounts(t)
	must(t, db.Exec("PRAGMA foreign_keys=OFF; UPDATE orders SET account_id = 99 WHERE id < 3; PRAGMA foreign_keys=ON").Error)
	err := db.Migrator().DropColumn(&accountV1{}, "Gone")
	var broken *hooks.ForeignKeyError
	var rebuild *hooks.RebuildError
	if !errors.As(err, &broken) || !errors.As(err, &rebuild) {
		t.Fatalf("got error %v", err)
	}
	if broken.Rows != 2 || broken.Table != "orders" || broken.RowID.Int64 != 1 || broken.Parent != "accounts" || rebuild.Table != "accounts" {
		t.Fatalf("it says %+v of %q", broken, rebuild.Table)
	}
}

// GORM reads the SQL of tables with regular expressions. What they overlook is
// lost by plain GORM, error nil.
func TestRebuildOfTablesByHand(t *testing.T) {
	type papers struct {
		ID   int64
		Name string `gorm:"type:blob"`
	}
	for name, test := range map[string]struct{ create, says string }{
		"a column that begins like a constraint": {"CREATE TABLE papers (id INTEGER PRIMARY KEY, checksum TEXT, `name` TEXT)", `"checksum"`},
		"STRICT":                                 {"CREATE TABLE papers (id INTEGER PRIMARY KEY, checksum2 TEXT, `name` TEXT) STRICT", "STRICT"},
		"WITHOUT ROWID":                          {"CREATE TABLE papers (id INTEGER PRIMARY KEY, sum TEXT, `name` TEXT) WITHOUT ROWID", "WITHOUT ROWID"},
	} {
		t.Run(name, func(t *testing.T) {
			db := openHooks(t, newPath(t), hooks.Config{}, quiet())
			must(t, db.Exec(test.create).Error)
			must(t, db.Exec("INSERT INTO papers VALUES (1, 'sum', 'name')").Error)
			before := schemaOf(t, db)
			err := db.Migrator().AlterColumn(&papers{}, "Name")
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got error %v, want one that says %q", err, test.says)
			}
			if got := schemaOf(t, db); got != before {
				t.Fatalf("the schema has changed to\n%s", got)
			}
		})
	}
	t.Run("a column without quotes", func(t *testing.T) {
		db := openHooks(t, newPath(t), hooks.Config{}, quiet())
		must(t, db.Exec("CREATE TABLE papers (id INTEGER PRIMARY KEY, name TEXT)").Error)
		if err := db.Migrator().DropColumn(&papers{}, "name"); err == nil || !strings.Contains(err.Error(), "would stay") {
			t.Fatalf("got error %v", err)
		}
	})
}

// A temporary trigger goes with the table too.
func TestRebuildKeepsTemporaryTriggers(t *testing.T) {
	db := newAccounts(t)
	must(t, db.Exec("CREATE TEMP TRIGGER watch AFTER UPDATE ON main.accounts BEGIN INSERT INTO log VALUES ('watched'); END").Error)
	must(t, db.Migrator().DropColumn(&accountV1{}, "Gone"))
	must(t, db.Exec("UPDATE accounts SET score = 1 WHERE id = 1").Error)
	if n := mustInt(t, db, "SELECT count(*) FROM log"); n != 1 {
		t.Fatalf("the trigger ran %d times, want once", n)
	}
}

func TestRebuildPanics(t *testing.T) {
	db := newAccounts(t)
	before := schemaOf(t, db)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = db.Migrator().DropColumn("accounts", "gone") // GORM looks into a model that is not there
	}()
	mustKeepAccounts(t, db)
	if got := schemaOf(t, db); got != before {
		t.Fatalf("the schema has changed to\n%s", got)
	}
}

func TestRebuildContextEnds(t *testing.T) {
	db := newAccounts(t)
	before := schemaOf(t, db)
	for looks := int64(1); ; looks += 3 {
		ctx := &endsAfter{Context: t.Context(), calls: looks, done: make(chan struct{})}
		err := db.WithContext(ctx).Migrator().DropColumn(&accountV1{}, "Gone")
		if err == nil {
			if looks < 30 {
				t.Fatalf("it was never stopped, after %d looks", looks)
			}
			break
		}
		if got := schemaOf(t, db); got != before {
			t.Fatalf("ended after %d looks: the schema has changed to\n%s", looks, got)
		}
		mustEnforce(t, db)
		if n := mustInt(t, db, "SELECT count(*) FROM lines"); n != accounts*ordersEach*linesEach {
			t.Fatalf("%d lines are left", n)
		}
	}
	mustKeepAccounts(t, db, "accounts_gone")
}

// Another process's lock is waited for as long as any other, and the writer is
// as before.
func TestRebuildUnderAnotherProcess(t *testing.T) {
	path := newPath(t)
	db := openHooks(t, path, hooks.Config{Logger: silent, BusyTimeout: short}, quiet())
	fillAccounts(t, db)
	must(t, db.Exec(nameView).Error)
	release := lockElsewhere(t, path)
	var busy *hooks.BusyError
	if err := db.Migrator().DropColumn(&accountV1{}, "Gone"); !errors.As(err, &busy) {
		t.Fatalf("got error %v, want a *hooks.BusyError", err)
	}
	release()
	mustKeepAccounts(t, db)
	must(t, db.Migrator().DropColumn(&accountV1{}, "Gone"))
	mustKeepAccounts(t, db, "accounts_gone")
}

// endsAfter is a context that ends when Done was asked for so many times: a
// rebuild that is stopped at its n-th statement.
type endsAfter struct {
	context.Context
	calls int64
	asked atomic.Int64
	done  chan struct{}
}

func (c *endsAfter) Done() <-chan struct{} {
	if c.asked.Add(1) == c.calls {
		close(c.done)
	}
	return c.done
}

func (c *endsAfter) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// Others go on writing while tables are rebuilt, and never without foreign keys.
func TestRebuildAmongWriters(t *testing.T) {
	const writers, each = 8, 40
	db := newAccounts(t)
	ctx := within(t, hang)
	var strays atomic.Int64
	migrated := start(func() error {
		for range 10 {
			if err := db.WithContext(ctx).Migrator().AlterColumn(&accountV2{}, "Score"); err != nil {
				return err
			}
			if err := db.WithContext(ctx).Migrator().AlterColumn(&accountV1{}, "Score"); err != nil {
				return err
			}
			if err := db.WithContext(ctx).Migrator().DropTable("nothing"); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, atOnce(writers, func(int) error {
		for range each {
			if err := db.WithContext(ctx).Exec("INSERT INTO orders (account_id) VALUES (1)").Error; err != nil {
				return err
			}
			if db.WithContext(ctx).Exec("INSERT INTO orders (account_id) VALUES (999999)").Error == nil {
				strays.Add(1)
			}
		}
		return nil
	}))
	must(t, await(t, migrated))
	if strays.Load() != 0 {
		t.Fatalf("%d orders of nobody are stored", strays.Load())
	}
	if got, want := mustInt(t, db, "SELECT count(*) FROM orders"), int64(accounts*ordersEach+writers*each); got != want {
		t.Fatalf("%d orders are stored, want %d", got, want)
	}
	must(t, db.Exec("DELETE FROM orders WHERE id > ?", accounts*ordersEach).Error)
	mustKeepAccounts(t, db)
}

// A dropped table's children stay, as with plain GORM, and nobody writes
// without foreign keys meanwhile.
func TestMigratorDropTable(t *testing.T) {
	db := newAccounts(t)
	must(t, db.Migrator().DropTable(&orderV1{}))
	if n := mustInt(t, db, "SELECT count(*) FROM lines"); n != accounts*ordersEach*linesEach {
		t.Fatalf("%d lines are left", n)
	}
	must(t, db.WithContext(within(t, hang)).Transaction(func(tx *gorm.DB) error {
		if mustInt(t, tx, "PRAGMA foreign_keys") != 1 {
			t.Error("foreign keys are off")
		}
		return nil
	}, &sql.TxOptions{}))
}
