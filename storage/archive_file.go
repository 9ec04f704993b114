package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
)

// archive is where answers are that were moved out of the log: on SQLite a file
// with connections of its own, on PostgreSQL a table beside the log.
//
// The file is not attached to the writer's connection: while it is written and
// synced nobody waits for the writer, and a transaction over two files with
// write-ahead logs would not be one at a power failure anyway.
type archive struct {
	path string
	main *engine // of the database that it belongs to, outside of transactions

	mu     sync.Mutex
	file   *engine // nil: not opened yet
	plugin *hooks.Plugin
	closed bool
}

// archiveApplication is the file's application_id: "FlsA".
const archiveApplication = 0x466c7341

// archiveSchema makes the tables of a new file.
const archiveSchema = `
CREATE TABLE {archive_files} (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE {answer_archive} (
    user_id          INTEGER NOT NULL,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    session_id       BLOB    CHECK (length(session_id) = 16),
    operation        TEXT    NOT NULL CHECK (operation <> ''),
    fact             TEXT    NOT NULL CHECK (fact <> ''),
    correct          INTEGER NOT NULL CHECK (correct IN (0, 1)),
    response_time_ms INTEGER NOT NULL CHECK (response_time_ms >= 0),
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID`

var (
	archiveFile = declare(`SELECT * FROM {archive_files} WHERE id > ? LIMIT 1`,
		"SEARCH archive_files USING PRIMARY KEY (id>?)")
	anyHorizon = declare(`SELECT user_id FROM {archive_horizons} WHERE user_id > 0 LIMIT 1`,
		"SEARCH archive_horizons USING INTEGER PRIMARY KEY (rowid>?)")
)

// lowestID is smaller than every id, and highestID greater. A zero one is NULL.
var (
	lowestID  = models.ID{15: 1}
	highestID = models.ID(slices.Repeat([]byte{0xff}, 16))
)

// archive returns a unit over the archive, of the database that u reads. On
// PostgreSQL it is u itself.
func (u *unit) archive() (*unit, error) {
	if u.locksRows {
		return u, nil
	}
	file := u.moved.opened()
	if file == nil {
		// Asked before the lock is taken: this query may wait for somebody who
		// waits for the lock.
		known, err := first[models.ArchiveFile](u.raw(archiveFile, lowestID))
		if err != nil {
			return nil, err
		}
		if file, err = u.moved.open(u.engine, known); err != nil {
			return nil, err
		}
	}
	return file.unitUnder(u.tx.Statement.Context, file.db), nil
}

// archiveFile returns the engine over the file, for what is written to it.
func (e *engine) archiveFile(ctx context.Context) (file *engine, err error) {
	err = e.read(ctx, func(u *unit) error {
		archive, err := u.archive()
		if err == nil {
			file = archive.engine
		}
		return err
	})
	return file, err
}

// opened returns the engine over the file, or nil where it is not open.
func (a *archive) opened() *engine {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.file
}

// open returns the engine over the file, which is opened where it is not yet.
// One that is not there, or not the known one, is an *ArchiveError.
func (a *archive) open(main *engine, known *models.ArchiveFile) (*engine, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.file != nil:
		return a.file, nil
	case a.closed:
		return nil, a.refuse("is closed, because the store is", nil)
	case a.path == "":
		return nil, a.refuse("is not configured: set storage.Config.Archive to the path of its file", nil)
	case known == nil:
		return nil, a.refuse("is not known to the database: it is another store's, or an older state of this one", nil)
	}
	_, err := os.Stat(a.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, a.refuse("is missing: put the file back, or set storage.Config.Archive to where it is", err)
	}
	if err != nil {
		return nil, a.refuse("cannot be looked at", err)
	}
	a.file, err = a.use(main, known.ID)
	return a.file, err
}

func (a *archive) refuse(reason string, err error) error {
	return &ArchiveError{Path: a.path, Reason: reason, Err: err}
}

// use opens the file, looks whether it is the one of that id before anything is
// changed, its pragmas included, and puts an engine over it.
func (a *archive) use(main *engine, id models.ID) (_ *engine, err error) {
	db, err := openFile(a.path, "rw", main.db.Logger)
	if err != nil {
		return nil, a.refuse("cannot be opened, and was left as it is", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeFile(db))
		}
	}()
	if err := a.look(db, main.cfg.TablePrefix, id); err != nil {
		return nil, err
	}
	plugin := hooks.New(archiveHooks(main.cfg.Hooks))
	if err := db.Use(plugin); err != nil {
		return nil, a.refuse("cannot be used", err)
	}
	a.plugin = plugin
	file := *main
	file.queue, file.bookings = nil, nil
	file.db = db.Session(&gorm.Session{NewDB: true})
	return &file, nil
}

// archiveHooks are those of the file: what was copied to it is deleted from the
// log, and must survive a power failure before.
func archiveHooks(of hooks.Config) hooks.Config {
	return hooks.Config{
		Durability: hooks.Safe, BusyTimeout: of.BusyTimeout, DiskReserve: of.DiskReserve,
		Accept: of.Accept, Logger: of.Logger, CacheSize: 4000, MaxReaders: 4, StatementCache: 32,
	}
}

// look refuses a file that is not the archive of that id.
func (a *archive) look(db *gorm.DB, prefix string, id models.ID) error {
	var application int64
	var tables []string
	if err := errors.Join(
		db.Raw("PRAGMA application_id").Scan(&application).Error,
		db.Raw("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name").Scan(&tables).Error,
	); err != nil {
		return a.refuse("cannot be read, and was left as it is", err)
	}
	ours := []string{prefix + models.ArchivedAnswer{}.TableName(), prefix + models.ArchiveFile{}.TableName()}
	if application != archiveApplication || !slices.Equal(tables, ours) {
		return a.refuse("is another program's file, or of another TablePrefix, and was left as it is: "+
			"set storage.Config.Archive to another path", nil)
	}
	var file models.ArchiveFile
	if err := db.Table(ours[1]).Limit(1).Scan(&file).Error; err != nil {
		return a.refuse("cannot be read, and was left as it is", err)
	}
	if file.ID != id {
		return a.refuse(fmt.Sprintf("is another store's (its id is %s, and this store's archive is %s), and was left as it is: "+
			"set storage.Config.Archive to this store's", file.ID, id), nil)
	}
	return nil
}

// make makes the file where there is none: whole, beside its place, and then
// put there. Another process may do so at the same moment; one of the two files
// stands, and both have the same id.
func (a *archive) make(prefix string, row models.ArchiveFile, log logger.Interface) (err error) {
	if _, err := os.Stat(a.path); !errors.Is(err, fs.ErrNotExist) {
		return nil // open says what is wrong with it
	}
	beside := a.path + ".new-" + models.NewID().String()
	defer func() {
		if err != nil {
			err = a.refuse("cannot be made", err)
		}
	}()
	defer func() { _ = os.Remove(beside) }()
	if err := makeFile(beside, prefix, row, log); err != nil {
		return err
	}
	if err := os.Link(beside, a.path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(beside, a.path); err != nil { // where there are no links
			return err
		}
	}
	if dir, err := os.Open(filepath.Dir(a.path)); err == nil {
		_ = dir.Sync() // not every system can
		_ = dir.Close()
	}
	return nil
}

func makeFile(path, prefix string, row models.ArchiveFile, log logger.Interface) (err error) {
	db, err := openFile(path, "rwc", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile(db)) }()
	// It settles before the first table.
	if err := db.Exec("PRAGMA auto_vacuum = INCREMENTAL").Error; err != nil {
		return err
	}
	return db.Transaction(func(tx *gorm.DB) error {
		for _, text := range []string{withPrefix(archiveSchema, prefix), fmt.Sprintf("PRAGMA application_id = %d", archiveApplication)} {
			if err := tx.Exec(text).Error; err != nil {
				return err
			}
		}
		return tx.Table(prefix + row.TableName()).Create(&row).Error
	})
}

// openFile opens a file by one connection, without any plugin.
func openFile(path, mode string, log logger.Interface) (*gorm.DB, error) {
	name := url.URL{Path: filepath.ToSlash(filepath.Clean(path))}
	db, err := gorm.Open(sqlite.Open("file:"+name.EscapedPath()+"?mode="+mode), &gorm.Config{Logger: log})
	if err != nil {
		if db != nil {
			err = errors.Join(err, closeFile(db))
		}
		return nil, err
	}
	pool, err := db.DB()
	if err == nil {
		pool.SetMaxOpenConns(1)
	}
	return db, err
}

func closeFile(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return nil // it was never open
	}
	return pool.Close()
}

// close closes the file. It may be called more than once.
func (a *archive) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed, a.file = true, nil
	if a.plugin == nil {
		return nil
	}
	return a.plugin.Close()
}

// makeArchive returns when there is an archive to move answers to, and makes it
// where answers were never moved before.
func (e *engine) makeArchive(ctx context.Context) error {
	a := e.moved
	if e.locksRows {
		return nil
	}
	if a.path == "" {
		return a.refuse("is not configured: set storage.Config.Archive to the path of a file, which is made when it is first needed", nil)
	}
	var row models.ArchiveFile
	var used []int64
	made := false
	err := e.write(ctx, func(u *unit) error {
		known, err := first[models.ArchiveFile](u.raw(archiveFile, lowestID))
		if err != nil {
			return err
		}
		if made = known == nil; made {
			known = &models.ArchiveFile{ID: models.NewID(), MadeAt: u.now}
			if err := u.table(known).Create(known).Error; err != nil {
				return err
			}
		}
		row, used = *known, nil
		return u.raw(anyHorizon).Scan(&used).Error
	})
	if err != nil {
		return err
	}
	if made {
		// The file must not outlive the row that knows it.
		if err := e.makeDurable(ctx); err != nil {
			return err
		}
	}
	if len(used) > 0 {
		return nil // if it is missing, a new one would not have what was moved
	}
	return a.make(e.cfg.TablePrefix, row, e.db.Logger)
}

// makeDurable makes everything that was committed on SQLite survive a power
// failure, whatever the durability is: what happens to the archive's file next
// relies on it. A synced commit carries all earlier ones with it.
func (e *engine) makeDurable(ctx context.Context) error {
	return hooks.WithWriter(ctx, e.db, func(conn *sql.Conn) (err error) {
		var before int
		if err := conn.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&before); err != nil {
			return err
		}
		const full = 2
		if before >= full {
			return nil
		}
		set := func(value int) error {
			_, err := conn.ExecContext(context.WithoutCancel(ctx), fmt.Sprintf("PRAGMA synchronous = %d", value))
			return err
		}
		defer func() { err = errors.Join(err, set(before)) }()
		if err := set(full); err != nil {
			return err
		}
		// The row is written and ends as it was: its page goes to the log.
		const there, back = "UPDATE {archive_files} SET made_at = made_at + 1;", "UPDATE {archive_files} SET made_at = made_at - 1;"
		_, err = conn.ExecContext(ctx, withPrefix("BEGIN IMMEDIATE;"+there+back+"COMMIT", e.cfg.TablePrefix))
		return err
	})
}
