package storage

import (
	"errors"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/writequeue"
)

// Migrate says what db.Use does about the tables.
type Migrate int

const (
	// MigrateApply applies pending migrations, and where SQLite has FTS5 makes
	// the index of words for Users.Search. It is the default.
	MigrateApply Migrate = iota
	// MigrateCheck fails with migrations.ErrPending where any are pending.
	MigrateCheck
	// MigrateSkip checks nothing: the tables are known to be right.
	MigrateSkip
)

// Config is what New takes. The zero Config is a good one.
type Config struct {
	// Hooks configures the hooks plugin where the store brings it along: on
	// SQLite, unless the application has it in use already.
	Hooks hooks.Config

	// TablePrefix goes before every table and index name, for applications
	// that have a users table of their own. By default, nothing.
	TablePrefix string

	// Migrate says whether db.Use applies migrations. By default,
	// MigrateApply.
	Migrate Migrate

	// Queue configures the write queue, in which calls that wait at the same
	// time share a commit. A user's id is the key of their calls. By default,
	// writequeue's own defaults; on PostgreSQL with two lanes, each of which
	// takes a connection. Let the pool keep as many idle connections as there
	// are lanes and readers (sql.DB.SetMaxIdleConns; by default, it keeps two):
	// otherwise it opens and closes one at every turn, at less than half the
	// rate.
	Queue writequeue.Config

	// PresenceInterval is how often the times that Users.Touch keeps are
	// written. A negative one writes them at Users.FlushPresence and at Close
	// only. By default, 30 seconds.
	PresenceInterval time.Duration

	// SettleBatch is how many users one transaction of a season's settlement
	// moves or pays. By default, 500.
	SettleBatch int

	// Archive is the path of the file to which Answers.Archive moves answers on
	// SQLite. The file is made when it is first needed, belongs to this one
	// database, and goes with it into every backup. Whoever opens the database
	// needs it from then on. On PostgreSQL the path must be empty. By default,
	// none.
	Archive string

	// ArchiveBatch is how many answers are moved to the archive at once. By
	// default, 5000.
	ArchiveBatch int

	// Rules are the game's. By default, DefaultRules().
	Rules *Rules

	// Now is the clock: asked once a transaction. By default, time.Now.
	Now func() time.Time
}

func (c Config) withDefaults() Config {
	rules := DefaultRules()
	if c.Rules != nil {
		rules = *c.Rules // a copy: a running store's rules stand
	}
	c.Rules = &rules
	if c.SettleBatch == 0 {
		c.SettleBatch = defaultSettleBatch
	}
	if c.ArchiveBatch == 0 {
		c.ArchiveBatch = defaultArchiveBatch
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PresenceInterval == 0 {
		c.PresenceInterval = 30 * time.Second
	}
	return c
}

func (c Config) validate() error {
	var bad error
	if c.Migrate < MigrateApply || c.Migrate > MigrateSkip {
		bad = fmt.Errorf("storage.Config.Migrate is %d: give storage.MigrateApply, MigrateCheck or MigrateSkip", c.Migrate)
	}
	if c.SettleBatch < 0 {
		bad = errors.Join(bad, fmt.Errorf("storage.Config.SettleBatch is %d: give 1 or more, or 0 for %d", c.SettleBatch, defaultSettleBatch))
	}
	if c.ArchiveBatch < 0 {
		bad = errors.Join(bad, fmt.Errorf("storage.Config.ArchiveBatch is %d: give 1 or more, or 0 for %d", c.ArchiveBatch, defaultArchiveBatch))
	}
	prefix := migrations.Config{TablePrefix: c.TablePrefix}
	return errors.Join(bad, prefix.Validate(), c.Queue.Validate(), c.Rules.validate())
}
