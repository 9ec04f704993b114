package migrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-gormigrate/gormigrate/v2"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// Config says where the tables are.
type Config struct {
	// TablePrefix goes before every table and index name: lower-case
	// letters, digits and underscores. By default, nothing.
	TablePrefix string
}

// Validate refuses, with a *PrefixError, a prefix that cannot be part of a
// name. Every function of this package calls it first, and then refuses a
// prefix that is too long for the database: PostgreSQL's names have at most 63
// bytes, which leaves 28 for the prefix. SQLite has no limit.
func (c Config) Validate() error {
	if !validPrefix.MatchString(c.TablePrefix) || strings.HasPrefix(c.TablePrefix, "sqlite_") {
		return &PrefixError{c.TablePrefix, "give lower-case letters, digits and underscores, " +
			"a letter first, and not SQLite's own sqlite_"}
	}
	return nil
}

// PrefixError says what is wrong with a TablePrefix. Nothing was changed.
type PrefixError struct {
	Prefix string
	Reason string
}

func (e *PrefixError) Error() string { return fmt.Sprintf("TablePrefix is %q: %s", e.Prefix, e.Reason) }

// Step is one migration that was applied or rolled back.
type Step struct {
	Version  string        `json:"version"`
	Duration time.Duration `json:"duration_ns"`
}

// Result says what a run did.
type Result struct {
	Steps    []Step        `json:"steps"` // in the order they were done; none: there was nothing to do
	Duration time.Duration `json:"duration_ns"`
}

// State is one migration of the history and when it was applied.
type State struct {
	Version   string     `json:"version"`
	AppliedAt *time.Time `json:"applied_at"` // nil: it is pending
}

// ErrPending is returned by Check when migrations are still to be applied.
var ErrPending = errors.New("migrations are pending: run migrations.Up (or: flashstore migrate up)")

// Up applies what is pending, all of it or nothing, and returns what it did.
// It is safe from many processes at once. A database that it does not know is
// refused with a *SchemaError, unchanged.
func Up(ctx context.Context, db *gorm.DB, cfg Config) (Result, error) {
	// Only what is pending needs the write lock.
	if err := Check(ctx, db, cfg); err == nil {
		return Result{}, nil
	} else if !errors.Is(err, ErrPending) {
		return Result{}, fmt.Errorf("migrate up: %w", err)
	}
	return change(ctx, db, cfg, "migrate up", func(m *runner) error {
		if !m.found.versionTable {
			if err := run(m.tx, m.dialect.versionTable, m.cfg.TablePrefix); err != nil {
				return err
			}
		}
		return m.gormigrate().Migrate()
	})
}

// Down rolls back the latest steps migrations, or all of them when steps is
// 0 or less, and with them every row of their tables. Rows of the application's
// own that refer to those stop it, or go with them if their foreign key says ON
// DELETE CASCADE; on PostgreSQL such a foreign key stops it, with or without
// rows. All of it is done or nothing.
func Down(ctx context.Context, db *gorm.DB, cfg Config, steps int) (Result, error) {
	return change(ctx, db, cfg, "migrate down", func(m *runner) error {
		applied := len(m.found.applied)
		if steps <= 0 || steps > applied {
			steps = applied
		}
		for range steps {
			if err := m.gormigrate().RollbackLast(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Status returns the whole history in its order, with what is applied.
func Status(ctx context.Context, db *gorm.DB, cfg Config) ([]State, error) {
	found, err := inspect(ctx, db, cfg)
	if err != nil {
		return nil, err
	}
	states := make([]State, 0, len(found.history))
	for _, m := range found.history {
		state := State{Version: m.version}
		if at, ok := found.applied[m.version]; ok {
			state.AppliedAt = &at
		}
		states = append(states, state)
	}
	return states, nil
}

// Check returns nil when the database is up to date, ErrPending when migrations
// are pending, and a *SchemaError when it is not ours. It changes nothing.
func Check(ctx context.Context, db *gorm.DB, cfg Config) error {
	states, err := Status(ctx, db, cfg)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(states, func(s State) bool { return s.AppliedAt == nil }) {
		return ErrPending
	}
	return nil
}

// runner is one run in its transaction.
type runner struct {
	dialect *dialect
	tx      *gorm.DB
	cfg     Config
	found   inspection
	steps   []Step
}

// change runs fn in one transaction that holds others off from its start,
// after a look at what is there under that lock.
func change(ctx context.Context, db *gorm.DB, cfg Config, verb string, fn func(*runner) error) (Result, error) {
	start := time.Now()
	d, err := dialectOf(db)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", verb, err)
	}
	var m *runner
	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		if err := d.lock(tx, cfg.TablePrefix); err != nil {
			return err
		}
		found, err := inspectIn(tx, d, cfg)
		if err != nil {
			return err
		}
		m = &runner{dialect: d, tx: tx, cfg: cfg, found: found}
		return fn(m)
	}, d.writing)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", verb, err)
	}
	return Result{Steps: m.steps, Duration: time.Since(start)}, nil
}

// gormigrate returns the runner of the history. It opens no transaction of
// its own: change has.
func (m *runner) gormigrate() *gormigrate.Gormigrate {
	list := make([]*gormigrate.Migration, 0, len(m.found.history))
	for _, step := range m.found.history {
		list = append(list, &gormigrate.Migration{
			ID:       step.version,
			Migrate:  m.step(step.version, step.up),
			Rollback: m.step(step.version, step.down),
		})
	}
	return gormigrate.New(m.tx, &gormigrate.Options{
		TableName:                 m.cfg.TablePrefix + "schema_migrations",
		IDColumnName:              "version",
		ValidateUnknownMigrations: true,
	}, list)
}

func (m *runner) step(version, script string) func(*gorm.DB) error {
	return func(tx *gorm.DB) error {
		start := time.Now()
		if err := run(tx, script, m.cfg.TablePrefix); err != nil {
			return fmt.Errorf("migration %s: %w", version, err)
		}
		m.steps = append(m.steps, Step{Version: version, Duration: time.Since(start)})
		return nil
	}
}
