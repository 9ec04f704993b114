package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/writequeue"
)

// Name is the plugin's key in gorm.Config.Plugins.
const Name = "flashstore:storage"

// Store is FlashMath's storage: a gorm.Plugin whose fields are the nouns of
// the game. Make one with New for each *gorm.DB. It is safe for concurrent
// use; before db.Use its methods return ErrNotInUse.
type Store struct {
	Users    *Users
	Sessions *Sessions
	Answers  *Answers
	Mastery  *Mastery
	Leagues  *Leagues
	Shop     *Shop
	Coins    *Coins
	Rollups  *Rollups

	engine *engine
	hooks  *hooks.Plugin // brought along, or nil
}

var _ gorm.Plugin = (*Store)(nil)

// New returns the store. An invalid Config is reported by db.Use.
func New(cfg Config) *Store {
	return over(&engine{cfg: cfg.withDefaults(), moved: &archive{path: cfg.Archive}})
}

// over returns the API over an engine.
func over(e *engine) *Store {
	return &Store{
		Users:    &Users{e},
		Sessions: &Sessions{e},
		Answers:  &Answers{e},
		Mastery:  &Mastery{e},
		Leagues:  &Leagues{e},
		Shop:     &Shop{e},
		Coins:    &Coins{e},
		Rollups:  &Rollups{e},
		engine:   e,
	}
}

// Name returns the plugin's name.
func (s *Store) Name() string { return Name }

// Initialize checks whether the database can hold the store, brings hooks along
// on SQLite, and applies pending migrations; the first store with FTS5 indexes
// the words of the names that are there. On PostgreSQL it checks first whether
// ids can be written, and returns a *ProtocolError if they cannot. A database
// that is refused is left as it was; after a later error hooks stays in use. It
// is called by db.Use.
func (s *Store) Initialize(db *gorm.DB) error {
	if s.engine.db != nil {
		return ErrInUse
	}
	cfg := s.engine.cfg
	if err := cfg.validate(); err != nil {
		return err
	}
	if cfg.Archive != "" && isPostgres(db) {
		return errors.New("storage.Config.Archive is for SQLite: PostgreSQL keeps archived answers in a table beside the log")
	}
	ctx := db.Statement.Context
	if err := checkProtocol(ctx, db); err != nil {
		return err
	}
	if cfg.Migrate != MigrateSkip {
		// Before anything is changed, hooks' pragmas included.
		if err := s.checkSchema(ctx, db); err != nil {
			return err
		}
	}
	if err := s.bringHooks(db); err != nil {
		return err
	}
	if cfg.Migrate == MigrateApply {
		if _, err := migrations.Up(ctx, db, s.engine.migrations()); err != nil {
			return err
		}
	}
	return s.engine.open(db)
}

// checkSchema refuses a database that is not ours, or that is pending where
// the application wants it to be up to date.
func (s *Store) checkSchema(ctx context.Context, db *gorm.DB) error {
	err := migrations.Check(ctx, db, s.engine.migrations())
	if errors.Is(err, migrations.ErrPending) && s.engine.cfg.Migrate == MigrateApply {
		return nil
	}
	return err
}

func (s *Store) bringHooks(db *gorm.DB) error {
	if _, ok := db.Plugins[hooks.Name]; ok || db.Name() != "sqlite" {
		return nil
	}
	plugin := hooks.New(s.engine.cfg.Hooks)
	if err := db.Use(plugin); err != nil {
		return fmt.Errorf("use hooks: %w", err)
	}
	s.hooks = plugin
	return nil
}

// Close writes the times that Users.Touch keeps, waits for what is being
// written, refuses what comes later with writequeue.ErrClosed, and closes the
// connections that the store opened: those of the hooks plugin, where it
// brought it along. It may be called more than once.
func (s *Store) Close() error {
	var err error
	if s.engine.queue != nil {
		err = errors.Join(s.engine.presence.close(), s.engine.queue.Close())
		s.engine.folds.close()
	}
	err = errors.Join(err, s.engine.moved.close())
	if s.hooks != nil {
		err = errors.Join(err, s.hooks.Close())
	}
	return err
}

// Queue returns the write queue, for the application's own writes and for its
// figures; nil before db.Use and inside a transaction.
func (s *Store) Queue() *writequeue.Queue { return s.engine.queue }

// In returns the same store inside tx, a transaction of the caller's: what its
// methods write commits or rolls back with tx. A method that fails undoes its
// own part and leaves the rest of tx as it was.
//
// On PostgreSQL rows stay locked until tx ends: a transaction that changes
// several users does so in the order of their ids, or may end with a deadlock,
// which hooks.Transaction runs again. Until then use the store that In returns:
// the outer one would wait for the rows that tx holds.
func (s *Store) In(tx *gorm.DB) *Store { return over(s.engine.in(tx)) }
