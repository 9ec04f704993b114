package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

// database is an open database with the store on it.
type database struct {
	*storage.Store
	db *gorm.DB
}

// create opens the database for writing and makes it if there is none.
func (o *options) create(rules storage.Rules) (*database, error) {
	db, cfg, err := o.connect("rwc")
	if err != nil {
		return nil, err
	}
	store := storage.New(storage.Config{Hooks: cfg, Rules: &rules, TablePrefix: o.prefix, Archive: o.archiveFile})
	if err := db.Use(store); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.name(), err), closePool(db))
	}
	return &database{Store: store, db: db}, nil
}

// Close closes the store and all connections, which on SQLite it has opened
// itself.
func (d *database) Close() error {
	err := d.Store.Close()
	if d.db.Name() == "postgres" {
		err = errors.Join(err, closePool(d.db))
	}
	return err
}

// view runs fn with the store on an existing database that it does not
// change: it is not migrated, and refused where that is to be done.
func (o *options) view(fn func(*storage.Store) error) error {
	return o.look(func(db *gorm.DB) error {
		store, err := o.storeOn(db)
		if err != nil {
			return err
		}
		return fn(store)
	})
}

// storeOn puts the store on a database that is up to date.
func (o *options) storeOn(db *gorm.DB) (*storage.Store, error) {
	store := storage.New(storage.Config{Migrate: storage.MigrateCheck, TablePrefix: o.prefix, Archive: o.archiveFile})
	if err := db.Use(store); err != nil {
		return nil, fmt.Errorf("open %s: %w", o.name(), err)
	}
	return store, nil
}

// look runs fn with hooks alone on an existing database, whatever tables it
// has. One without a write-ahead log, such as a backup, is opened for reading
// only: hooks would give it one for good.
func (o *options) look(fn func(*gorm.DB) error) error {
	wal, err := o.hasWAL()
	if err != nil {
		return err
	}
	mode := "ro"
	if wal {
		mode = "rw" // the last to close it takes its log away
	}
	return o.with(mode, nil, fn)
}

// bare runs fn with hooks alone on an existing database, whatever tables it
// has.
func (o *options) bare(fn func(*gorm.DB) error) error {
	if err := o.mustExist(); err != nil {
		return err
	}
	return o.with("rw", nil, fn)
}

// with runs fn with hooks alone, after before has looked at the database as
// it was without them.
func (o *options) with(mode string, before, fn func(*gorm.DB) error) (err error) {
	db, cfg, err := o.connect(mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closePool(db)) }()
	if before != nil {
		if err := before(db); err != nil {
			return err
		}
	}
	if o.isPostgres() {
		return fn(db)
	}
	if err := db.Use(hooks.New(cfg)); err != nil {
		return fmt.Errorf("open %s: %w", o.db, err)
	}
	return fn(db)
}

// states returns the migrations that db has and lacks.
func (o *options) states(ctx context.Context, db *gorm.DB) ([]migrations.State, error) {
	return migrations.Status(ctx, db, migrations.Config{TablePrefix: o.prefix})
}

// connect opens the file, or the database of a server, as GORM does, before any
// plugin. The mode is one of SQLite's: ro, rw, or rwc to create it.
func (o *options) connect(mode string) (*gorm.DB, hooks.Config, error) {
	durability, err := hooks.ParseDurability(o.durability)
	if err != nil {
		return nil, hooks.Config{}, &usageError{err}
	}
	dialector := sqlite.Open(o.dsn(mode))
	if o.isPostgres() {
		dialector = postgres.Open(o.db)
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		if db != nil {
			_ = closePool(db) // GORM leaves it open where the server does not answer
		}
		return nil, hooks.Config{}, fmt.Errorf("open %s: %w", o.name(), err)
	}
	// What hooks would log, check shows.
	return db, hooks.Config{Durability: durability, Logger: slog.New(slog.DiscardHandler)}, nil
}

// dsn names the file as a URI, so that any character may be in its name.
func (o *options) dsn(mode string) string {
	path := url.URL{Path: filepath.ToSlash(filepath.Clean(o.db))}
	return "file:" + path.EscapedPath() + "?mode=" + mode
}

func (o *options) mustExist() error {
	_, err := o.hasWAL()
	return err
}

// isPostgres reports whether --db is the URL of a PostgreSQL database.
func (o *options) isPostgres() bool {
	return strings.HasPrefix(o.db, "postgres://") || strings.HasPrefix(o.db, "postgresql://")
}

// name is --db as people may see it: without a password.
func (o *options) name() string {
	if !o.isPostgres() {
		return o.db
	}
	at, err := url.Parse(o.db)
	if err != nil {
		return "the PostgreSQL database that --db names"
	}
	query := at.Query()
	if query.Has("password") {
		query.Set("password", "xxxxx")
		at.RawQuery = query.Encode()
	}
	return at.Redacted()
}

// onlySQLite has a command refuse a server's database before it does anything.
// One that makes a file of its own, unless --db names one, does not mind what
// the environment names.
func (o *options) onlySQLite(cmd *cobra.Command, makesFile bool) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if o.isPostgres() && (cmd.Flags().Changed("db") || !makesFile) {
			return &usageError{fmt.Errorf("%s is for SQLite files, and %s is a PostgreSQL database: use the server's own tools", cmd.Name(), o.name())}
		}
		return run(cmd, args)
	}
	return cmd
}

// hasWAL reports whether the database, which must be there, has a write-ahead
// log: its header says so. It must be asked while this process has the file
// not open: closing it here would give up SQLite's locks.
// https://www.sqlite.org/fileformat2.html#file_format_version_numbers
func (o *options) hasWAL() (wal bool, err error) {
	if o.isPostgres() {
		return true, nil // it is the server's to say what is there
	}
	file, err := os.Open(o.db)
	if errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("there is no database at %s: name one with --db, or make one with 'flashstore demo' or 'flashstore replay'", o.db)
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	header := make([]byte, 20)
	if _, err := io.ReadFull(file, header); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil // empty, or no database: SQLite will say so
	} else if err != nil {
		return false, err
	}
	return header[18] == 2, nil
}

// closePool closes a database's connections.
func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
