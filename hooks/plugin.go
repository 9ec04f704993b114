package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

// Name is the plugin's key in gorm.Config.Plugins.
const Name = "flashstore:hooks"

// Errors of db.Use.
var (
	// ErrNotSQLite means that the *gorm.DB was opened for another engine.
	ErrNotSQLite = errors.New("hooks is for SQLite: open the database with gorm.Open(sqlite.Open(path)) of gorm.io/driver/sqlite")
	// ErrForeignPool means that the connections were made elsewhere, where
	// they could not be given their pragmas.
	ErrForeignPool = errors.New("hooks cannot set the pragmas of connections it did not open: " +
		"give the path, gorm.Open(sqlite.Open(path)), instead of sqlite.Config{Conn: …}")
	// ErrForeignDriver means that the connections are not mattn's.
	ErrForeignDriver = errors.New("hooks needs github.com/mattn/go-sqlite3: leave sqlite.Config.DriverName empty, " +
		"or register a *sqlite3.SQLiteDriver under that name")
	// ErrResolver means that gorm.io/plugin/dbresolver is in use, which hands
	// statements to connections that the plugin would close, and to others past it.
	ErrResolver = errors.New("hooks does not go together with gorm.io/plugin/dbresolver: leave that one out, " +
		"hooks has a connection that writes and many that read")
	// ErrInUse means that the Plugin is in use on another *gorm.DB, and would take
	// the connections of the second for those of both. It is what plugins do that
	// open further connections with the same gorm.Config.
	ErrInUse = errors.New("this hooks.Plugin is in use on another *gorm.DB: make one with hooks.New for each")
)

// Plugin puts SQLite's connections under GORM in order. Make one with New for
// each *gorm.DB. It is safe for concurrent use.
type Plugin struct {
	cfg    Config
	inUse  atomic.Bool
	pool   *pool
	doctor doctor
	found  []Finding // at open
}

var _ gorm.Plugin = (*Plugin)(nil)

// New returns the plugin. An invalid Config is reported by db.Use.
func New(cfg Config) *Plugin {
	return &Plugin{cfg: cfg.withDefaults(), doctor: doctor{probe: realProbe}}
}

// Name returns the plugin's name.
func (p *Plugin) Name() string { return Name }

// Initialize opens the plugin's own connections and puts them in place of those
// that GORM opened, which it closes: call db.Use right after gorm.Open, on the
// *gorm.DB that it returned and not on a session of it. A database in danger is
// refused with a *RefusedError, and lesser findings are logged. After an error,
// db is as it was. It is called by db.Use.
func (p *Plugin) Initialize(db *gorm.DB) error {
	if !p.inUse.CompareAndSwap(false, true) {
		return ErrInUse
	}
	err := p.takePlace(db)
	p.inUse.Store(err == nil)
	return err
}

// takePlace does what Initialize says.
func (p *Plugin) takePlace(db *gorm.DB) error {
	if err := p.cfg.validate(); err != nil {
		return err
	}
	before, err := openedByGORM(db)
	if err != nil {
		return err
	}
	src, err := parseDSN(db.Dialector.(*sqlite.Dialector).DSN)
	if err != nil {
		return err
	}
	found, err := p.refuse(before, src)
	if err != nil {
		return err
	}
	src = src.at(p.doctor.path)
	room := newReserve(p.cfg.DiskReserve, p.doctor.path, src, p.doctor.probe.freeSpace)
	opened, err := openPool(p.cfg, before.Driver().(*sqlite3.SQLiteDriver), src, room)
	if err != nil {
		return err
	}
	settled, err := p.doctor.opened(context.Background(), opened.writer)
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	if err := errors.Join(takeOffPreparedStatements(db, opened), cutBatches(db), undoPanics(db), p.cfg.watchStatements(db)); err != nil {
		return errors.Join(err, opened.Close())
	}
	p.pool, p.found = opened, append(found, settled...)
	logFindings(p.cfg.Logger, p.doctor.path, p.found)
	installDialector(db, opened, p.cfg.Logger)
	db.ConnPool = opened
	db.Statement.ConnPool = opened
	return before.Close()
}

// Close closes all connections. It may be called more than once; db.DB() and
// its Close do the same.
func (p *Plugin) Close() error {
	if p.pool == nil {
		return nil
	}
	return p.pool.Close()
}

// WithWriter runs fn alone on the connection that writes: after waiting for the
// lane under ctx, outside any transaction. It is for maintenance that cannot
// run in a transaction (VACUUM). On a database without the plugin it is a
// connection of db.DB() like any other.
func WithWriter(ctx context.Context, db *gorm.DB, fn func(conn *sql.Conn) error) (err error) {
	from, err := db.DB()
	if err != nil {
		return fmt.Errorf("find the database's connections: %w", err)
	}
	if p, ok := db.Plugins[Name].(*Plugin); ok {
		ticket, err := p.pool.lane.enter(ctx)
		if err != nil {
			return err
		}
		defer ticket.leave()
		from = p.pool.writer
	}
	conn, err := from.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return fn(conn)
}

// resolver is the key of gorm.io/plugin/dbresolver in gorm.Config.Plugins.
const resolver = "gorm:db_resolver"

// openedByGORM returns the connections that gorm.Open made, if the plugin can
// make its own like them.
func openedByGORM(db *gorm.DB) (*sql.DB, error) {
	dialector, ok := db.Dialector.(*sqlite.Dialector)
	if !ok {
		return nil, fmt.Errorf("%w (this one is %s)", ErrNotSQLite, typeOf(db.Dialector))
	}
	if dialector.Conn != nil {
		return nil, ErrForeignPool
	}
	if _, ok := db.Plugins[resolver]; ok {
		return nil, ErrResolver
	}
	opened, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("find the connections that GORM opened: %w", err)
	}
	if _, ok := opened.Driver().(*sqlite3.SQLiteDriver); !ok {
		return nil, fmt.Errorf("%w (this one is %s)", ErrForeignDriver, typeOf(opened.Driver()))
	}
	return opened, nil
}

// typeOf names a value's type with its package's path: that of more than one
// dialector is sqlite.Dialector.
func typeOf(v any) string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() + "." + t.Name()
}

// openPool opens the writer, which creates the file, and then the others.
func openPool(cfg Config, driver *sqlite3.SQLiteDriver, src source, room *reserve) (*pool, error) {
	p := &pool{lane: newLane(&cfg), rows: &openRows{}}
	of := func(r role, close func() error) *sql.DB {
		return (&connector{driver: driver, cfg: cfg, src: src, role: r, close: close, log: p.log, rows: p.rows, room: room}).open()
	}
	if canAskLog && !cfg.ExternalCheckpointer && !src.memory && !src.readOnly {
		p.log = newCheckpoints(of(checkpointer, nil), &cfg)
	}
	p.writer = of(writer, nil)
	p.writer.SetMaxOpenConns(1)
	p.direct = of(direct, p.closeOthers)
	if !src.memory {
		p.readers = of(reader, nil)
		p.readers.SetMaxOpenConns(cfg.MaxReaders)
		p.readers.SetMaxIdleConns(cfg.idleReaders())
		p.router = newRouter(of(reader, nil))
	}
	if err := p.check(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// check opens the first writer and the first reader, so that what is wrong
// comes out of db.Use.
func (p *pool) check() error {
	if err := p.writer.Ping(); err != nil {
		return err
	}
	if p.readers == nil {
		return nil
	}
	return p.readers.Ping()
}
