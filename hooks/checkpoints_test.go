package hooks_test

import (
	"database/sql"
	"os"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// page is the size of a page of the log, in bytes.
const page = 4096

// heard hands on the checkpoints that it is told of.
type heard chan hooks.Event

func (h heard) Observe(e hooks.Event) {
	if e.Kind == hooks.Checkpointed {
		h <- e
	}
}

// newHeard returns a new file whose checkpoints are heard of. None is lost.
func newHeard(t *testing.T, cfg hooks.Config) (db *gorm.DB, path string, told heard) {
	t.Helper()
	path, told = newPath(t), make(heard, 1000)
	cfg.Observer = told
	db = openHooks(t, path, cfg, quiet())
	must(t, db.Exec(createItems).Error)
	return db, path, told
}

// addPages writes about that many pages in one statement.
func addPages(db *gorm.DB, pages int) error {
	const rows = `
WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < ?)
INSERT INTO items (n, name) SELECT n, printf('%.*c', 4000, 'x') FROM r`
	return db.Exec(rows, pages).Error
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	file, err := os.Stat(path)
	must(t, err)
	return file.Size()
}

func TestCheckpointsAreMadeBehindTheWriter(t *testing.T) {
	writes := map[string]func(db *gorm.DB) error{
		"transaction": func(db *gorm.DB) error {
			return db.Transaction(func(tx *gorm.DB) error { return addPages(tx, 1100) })
		},
		"statement": func(db *gorm.DB) error { return addPages(db, 1100) },
		"returning": func(db *gorm.DB) error {
			var ids []int64
			return db.Raw("INSERT INTO items (n, name) SELECT 1, printf('%.*c', 4600000, 'x') RETURNING id").Scan(&ids).Error
		},
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			db, path, told := newHeard(t, hooks.Config{})
			must(t, write(db))
			if e := <-told; e.Err != nil || e.Pages < 1000 || e.Duration <= 0 {
				t.Fatalf("the checkpoint is told as %+v", e)
			}
			if got := size(t, path); got < 1000*page {
				t.Fatalf("the database has %d bytes after the checkpoint", got)
			}
		})
	}
}

// A short log is left alone, and so is one that another program looks after.
func TestCheckpointsThatAreNotDue(t *testing.T) {
	for name, cfg := range map[string]hooks.Config{
		"short":    {Durability: hooks.Fast},
		"external": {ExternalCheckpointer: true},
	} {
		t.Run(name, func(t *testing.T) {
			db, path, told := newHeard(t, cfg)
			must(t, addPages(db, 2000))
			pool, err := db.DB()
			must(t, err)
			_, err = pool.Exec("INSERT INTO items (n) VALUES (1)") // past the plugin
			must(t, err)
			if got := size(t, path); got > 10*page {
				t.Errorf("the database has %d bytes: there was a checkpoint", got)
			}
			must(t, pool.Close())
			if len(told) > 0 {
				t.Errorf("a checkpoint was made: %+v", <-told)
			}
		})
	}
}

// Without a pause among the writers the log begins from its start all the
// same; where each commit is synced, it is short at first.
func TestCheckpointsKeepTheLogShort(t *testing.T) {
	const pages = 200 // of a statement
	for _, test := range []struct {
		durability hooks.Durability
		statements int
		most       int64 // bytes of the log, with what a statement writes
	}{
		{hooks.Balanced, 200, 64 << 20},
		{hooks.Safe, 50, 24 << 20},
	} {
		t.Run(test.durability.String(), func(t *testing.T) {
			db, path, told := newHeard(t, hooks.Config{Durability: test.durability})
			must(t, atOnce(4, func(i int) error {
				for range (test.statements + i) / 4 {
					if err := addPages(db, pages); err != nil {
						return err
					}
				}
				return nil
			}))
			mustCount(t, db, int64(test.statements*pages))
			if got := size(t, path+"-wal"); got > test.most {
				t.Errorf("the log has grown to %d bytes, of %d written", got, test.statements*pages*page)
			}
			must(t, mustPool(t, db).Close())
			if len(told) == 0 {
				t.Fatal("no checkpoint was made")
			}
			mustCount(t, openPlain(t, path, quiet()), int64(test.statements*pages))
		})
	}
}

// What a reader keeps in the log is not tried again at each commit.
func TestCheckpointsWaitForTheLogToGrow(t *testing.T) {
	db, path, told := newHeard(t, hooks.Config{})
	must(t, add(db))
	snapshot := mustBeginRead(t, db)
	must(t, addPages(db, 1100))
	<-told
	for range 500 {
		must(t, add(db))
	}
	if len(told) > 0 {
		t.Fatalf("the log was tried again: %+v", <-told)
	}
	must(t, addPages(db, 1100))
	<-told
	must(t, snapshot.Rollback().Error)
	must(t, addPages(db, 1100))
	if e := <-told; e.Pages < 3000 {
		t.Fatalf("%d pages are moved after the reader has gone", e.Pages)
	}
	if got := size(t, path); got < 3000*page {
		t.Fatalf("the database has %d bytes", got)
	}
}

// mustBeginRead begins a transaction that has read: it holds the log where it
// is.
func mustBeginRead(t *testing.T, db *gorm.DB) *gorm.DB {
	t.Helper()
	tx := mustBegin(t, db, &sql.TxOptions{ReadOnly: true})
	mustInt(t, tx, "SELECT count(*) FROM items")
	return tx
}
