package flashstore_test

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
)

// The traps of connections: what is set on them, and which one a statement
// runs on.

func trapPragmasOnEveryConnection(t *testing.T) {
	// enforcing counts the connections among four that enforce foreign keys.
	enforcing := func(t *testing.T, db *gorm.DB) (n int64) {
		for range 4 {
			tx := begin(t, db, &sql.TxOptions{ReadOnly: true}) // keeps its connection to the end
			n += ask(t, tx, "PRAGMA foreign_keys")
		}
		return n
	}
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		must(t, db.Exec("PRAGMA foreign_keys=ON").Error)
		if n := enforcing(t, db); n != 1 {
			t.Fatalf("%d of 4 connections have it, want the 1 that this trap is about", n)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		if n := enforcing(t, db); n != 4 {
			t.Fatalf("%d of 4 readers have it", n)
		}
		mustBeInt(t, begin(t, db), 1, "PRAGMA foreign_keys") // the writer
		var own int
		must(t, pool(t, db).QueryRow("PRAGMA foreign_keys").Scan(&own))
		if own != 1 {
			t.Fatal("a connection of db.DB() has not got it")
		}
	})
}

func trapAutoVacuumBeforeJournalMode(t *testing.T) {
	const incremental = 2
	plain := func(t *testing.T) (path string) {
		path = newPath(t)
		db := openPlain(t, path, quiet())
		pool(t, db).SetMaxOpenConns(1)
		must(t, db.Exec("PRAGMA journal_mode=WAL").Error)
		must(t, db.Exec("PRAGMA auto_vacuum=INCREMENTAL").Error) // err is nil
		must(t, db.Exec(createItems).Error)
		mustBeInt(t, db, 0, "PRAGMA auto_vacuum")
		return path
	}
	t.Run("plain", func(t *testing.T) { plain(t) })
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		mustBeInt(t, db, incremental, "PRAGMA auto_vacuum")
	})
	t.Run("flashstore/a file that exists", func(t *testing.T) {
		db := openPlain(t, plain(t), quiet())
		plugin := use(t, db, hooks.Config{})
		if !found(plugin, hooks.FindingAutoVacuum) {
			t.Fatalf("it does not say that a VACUUM is needed: %v", plugin.Findings())
		}
		_, err := maintenance.Vacuum(t.Context(), db)
		must(t, err)
		mustBeInt(t, begin(t, db), incremental, "PRAGMA auto_vacuum") // others see it with their next read
	})
}

// found reports whether db.Use found something of that kind.
func found(plugin *hooks.Plugin, kind hooks.FindingKind) bool {
	return slices.ContainsFunc(plugin.Findings(), func(f hooks.Finding) bool { return f.Kind == kind })
}

func trapPrepareStmt(t *testing.T) {
	// meet lets a goroutine outside of a transaction ask for the same text as
	// the one inside of it.
	meet := func(t *testing.T, db *gorm.DB) (outside, inside error) {
		const text = "SELECT count(*) FROM items"
		connections := pool(t, db)
		connections.SetMaxOpenConns(1)
		before := connections.Stats().WaitCount
		tx := begin(t, db)
		bounded := db.WithContext(within(t, sitOut))
		answered := start(func() error { return bounded.Exec(text).Error })
		awaitTrue(t, "the goroutine outside waits for a connection, or has its answer", func() bool {
			return len(answered) > 0 || connections.Stats().WaitCount > before
		})
		inside = await(t, start(func() error { return tx.Exec(text).Error }))
		outside = await(t, answered)
		must(t, tx.Rollback().Error)
		return outside, inside
	}
	t.Run("plain", func(t *testing.T) {
		_, path := newPlainItems(t, "")
		outside, inside := meet(t, openPlain(t, path, prepared()))
		mustBe(t, outside, context.DeadlineExceeded)
		mustBe(t, inside, context.DeadlineExceeded) // it has none: without the other one's it waits for ever
	})
	t.Run("flashstore", func(t *testing.T) {
		_, path := newPlainItems(t, "")
		outside, inside := meet(t, openHooks(t, path, prepared()))
		must(t, outside)
		must(t, inside)
	})
}

func trapWritesThatLookLikeReads(t *testing.T) {
	insert := []string{
		"INSERT INTO items (n) VALUES (1) RETURNING id",
		"WITH x (n) AS (SELECT 1) INSERT INTO items (n) SELECT n FROM x RETURNING id",
	}
	t.Run("plain", func(t *testing.T) {
		t.Log("no harm to show: plain GORM has one pool, and who splits it judges by the text (gorm.io/plugin/dbresolver). " +
			"Checked instead: that a pool for reading, where these texts are sent then, refuses them")
		_, path := newPlainItems(t, "")
		reading := openPlain(t, path+"?_query_only=1", quiet())
		for _, text := range insert {
			if err := reading.Raw(text).Scan(new(int64)).Error; err == nil {
				t.Errorf("%s: it wrote", text)
			}
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		db, _ := newItems(t)
		for i, text := range insert {
			mustBeInt(t, db, int64(i+1), text) // the id of the new row
		}
		mustCount(t, db, int64(len(insert)))

		tx := begin(t, db)
		must(t, add(tx))
		patient := db.WithContext(within(t, hang))
		for _, text := range []string{"SELECT 1 /* INSERT */", "WITH x AS (SELECT 1) SELECT * FROM x", "PRAGMA foreign_keys"} {
			mustBeInt(t, patient, 1, text) // it waits for no writer
		}
	})
}

func trapMemory(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, "file::memory:", quiet())
		must(t, db.Exec(createItems).Error)
		must(t, add(begin(t, db)))
		if err := add(db); err == nil || !strings.Contains(err.Error(), "no such table") {
			t.Fatalf("got error %v, want the missing table that this trap is about", err)
		}
	})
	t.Run("flashstore", func(t *testing.T) {
		const writers = 16
		db := openHooks(t, "file::memory:", quiet())
		must(t, db.Exec(createItems).Error)
		own := pool(t, db)
		must(t, atOnce(writers, func(int) error {
			if err := db.Transaction(add); err != nil {
				return err
			}
			_, err := own.Exec("INSERT INTO items (n) VALUES (1)")
			return err
		}))
		mustCount(t, db, 2*writers)
	})
}

func trapScripts(t *testing.T) {
	const script = "CREATE TABLE one (id INTEGER); CREATE TABLE two (id INTEGER)"
	const tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('one', 'two')"
	t.Run("plain", func(t *testing.T) {
		db := openPlain(t, newPath(t), prepared())
		must(t, db.Exec(script).Error) // err is nil
		mustBeInt(t, db, 1, tables)
	})
	t.Run("flashstore", func(t *testing.T) {
		db := openHooks(t, newPath(t), prepared())
		must(t, db.Exec(script).Error)
		mustBeInt(t, db, 2, tables)
	})
}

func trapSQLiteVersion(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		var version string
		must(t, openPlain(t, newPath(t), quiet()).Raw("SELECT sqlite_version()").Scan(&version).Error)
		t.Logf("no harm to show: the driver of go.mod brings SQLite %s, and the harm ends with 3.51.3. "+
			"Checked instead: that the plugin has nothing to say of this version", version)
	})
	t.Run("flashstore", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		if plugin := use(t, db, hooks.Config{}); found(plugin, hooks.FindingSQLiteVersion) {
			t.Fatalf("got %v", plugin.Findings())
		}
		t.Log("that db.Use refuses an older one is tested in package hooks, where the version can be made up")
	})
}

func trapFileSystem(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		must(t, openPlain(t, newPath(t)+inWAL, quiet()).Exec(createItems).Error)
		t.Log("no harm to show: it takes a network's file system, and power failures. " +
			"Checked instead: that the plugin takes the disk of the tests")
	})
	t.Run("flashstore", func(t *testing.T) {
		db := openPlain(t, newPath(t), quiet())
		if plugin := use(t, db, hooks.Config{}); found(plugin, hooks.FindingFileSystem) {
			t.Fatalf("got %v", plugin.Findings())
		}
		t.Log("that db.Use refuses NFS, SMB, 9p and virtiofs is tested in package hooks, where the file system can be made up")
	})
}
