package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"golang.org/x/sync/semaphore"
	"gorm.io/gorm"
)

// ErrGuardStopped means that Look was called after Stop.
var ErrGuardStopped = errors.New("the guardian of the log has been stopped: start another one with maintenance.Guard")

// GuardConfig is what Guard takes. The zero GuardConfig is a good one.
type GuardConfig struct {
	// SoftLimit is how long the log gets, in bytes, before the guardian
	// presses: 1 MiB or more. It should be above what the plugin by itself lets
	// the log reach, some 56 to 63 MiB. By default, 64 MiB.
	SoftLimit int64

	// HardLimit is how long the log gets, in bytes, before writes are refused.
	// It is above SoftLimit. By default, 1 GiB.
	HardLimit int64

	// Interval is the time between two looks. By default, 1 s.
	Interval time.Duration

	// Logger is told when the log stays above a limit, and when it is below
	// again: once each, not at every look. By default, slog.Default().
	Logger *slog.Logger
}

const (
	defaultSoftLimit     = 64 << 20
	defaultHardLimit     = 1 << 30
	defaultGuardInterval = time.Second
	leastSoftLimit       = 1 << 20
)

func (c GuardConfig) withDefaults() GuardConfig {
	if c.SoftLimit == 0 {
		c.SoftLimit = defaultSoftLimit
	}
	if c.HardLimit == 0 {
		c.HardLimit = defaultHardLimit
	}
	if c.Interval == 0 {
		c.Interval = defaultGuardInterval
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c GuardConfig) validate() error {
	var errs []error
	reject := func(bad bool, field string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("maintenance.GuardConfig.%s is %v: give %s", field, value, want))
		}
	}
	reject(c.SoftLimit < leastSoftLimit, "SoftLimit", c.SoftLimit, "1 MiB (1 << 20) or more")
	reject(c.HardLimit <= c.SoftLimit, "HardLimit", c.HardLimit, fmt.Sprintf("more than the SoftLimit of %d", c.SoftLimit))
	reject(c.Interval < 0, "Interval", c.Interval, "a duration")
	return errors.Join(errs...)
}

// GuardReport is what a look of the guardian found, and did.
type GuardReport struct {
	// Bytes is how much of the log is in use, after the press if there was one.
	// It does not shrink with what is moved into the database, only when the
	// log starts over. What a transaction has not committed does not count.
	// With SQLite before 3.51, it is FileBytes.
	Bytes int64 `json:"bytes"`
	// FileBytes is the size of the log's file: a high-water mark, which a
	// writer that starts the log over leaves as it is.
	FileBytes int64 `json:"file_bytes"`
	// Pressed means that the log or its file was above the soft limit, and
	// checkpoints were made.
	Pressed bool `json:"pressed"`
	// Held is how long the press held back the writers.
	Held time.Duration `json:"held_ns"`
	// Refusing means that writes are refused from now on.
	Refusing bool `json:"refusing"`
	// Readers are the rows of this process that are open, the oldest first,
	// where the log is above the soft limit and hooks.Config.TraceRows is on.
	Readers []hooks.OpenRows `json:"readers"`
}

// Guardian keeps a log from taking all of the disk. Make one with Guard. It is
// safe for concurrent use.
type Guardian struct {
	db       *gorm.DB
	plugin   *hooks.Plugin
	cfg      GuardConfig
	path     string // of the database
	page     int64  // bytes
	asks     bool   // this SQLite can be asked how long the log is
	external bool   // checkpoints are another program's
	now      func() time.Time

	open context.Context // ends with Stop
	end  context.CancelFunc
	all  sync.WaitGroup
	turn *semaphore.Weighted // one look at a time

	// Of the look whose turn it is.
	waited   time.Time // when a press last waited for readers
	refusing bool
	warned   bool  // that the log is above the soft limit
	failed   error // the last look, if it did
}

// Guard starts a goroutine that looks at the log of a database with the hooks
// plugin, each Interval, until Stop. One is enough for a database.
//
// Above the soft limit it presses: it makes checkpoints, first without holding
// anybody back, then truncating the log's file, which gives the disk back. That
// may hold back writers while readers are waited for, at most 250 ms in each 5
// s, a twentieth of the time, and only if little is left to move. What readers
// pin, no checkpoint can move: that is logged once, with the rows that are open
// if hooks.Config.TraceRows is on (T16).
//
// Above the hard limit, writes through GORM are refused with a *WALFullError
// before they begin. Reads go on, and so do transactions that have begun, what
// is written through db.DB(), and maintenance. Nothing that was acknowledged is
// lost, and with the first look that finds or brings the log below the hard
// limit, writes go on, on the same *gorm.DB. The limit is checked each
// Interval: give the disk room for what is written meanwhile. An application
// that has a guardian must not call hooks.RefuseWrites itself.
//
// With hooks.Config.ExternalCheckpointer the guardian makes no checkpoint: it
// looks, logs and refuses.
//
// Without the plugin the error is hooks.ErrNoPlugin; without a log (in memory)
// it is ErrNotWAL.
func Guard(db *gorm.DB, cfg GuardConfig) (*Guardian, error) {
	g, err := newGuardian(db, cfg.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("guard the log: %w", err)
	}
	g.all.Go(g.run)
	return g, nil
}

// startMost bounds how long Guard waits for a connection.
const startMost = 5 * time.Second

func newGuardian(db *gorm.DB, cfg GuardConfig) (*Guardian, error) {
	if err := errors.Join(cfg.validate(), usable(db)); err != nil {
		return nil, err
	}
	plugin, ok := db.Plugins[hooks.Name].(*hooks.Plugin)
	if !ok {
		return nil, hooks.ErrNoPlugin
	}
	g := &Guardian{
		db: db, plugin: plugin, cfg: cfg, asks: canAskLog, external: plugin.Config().ExternalCheckpointer,
		now: time.Now, turn: semaphore.NewWeighted(1),
	}
	ctx, cancel := context.WithTimeout(context.Background(), startMost)
	defer cancel()
	if err := onOwn(ctx, db, func(conn *sql.Conn) error { return g.readFile(ctx, conn) }); err != nil {
		return nil, err
	}
	g.open, g.end = context.WithCancel(context.Background())
	return g, nil
}

// readFile reads what stays as it is as long as the database is open.
func (g *Guardian) readFile(ctx context.Context, conn *sql.Conn) error {
	l, err := readLayout(ctx, conn)
	if err != nil {
		return err
	}
	var mode string
	if err := readPragma(ctx, conn, "journal_mode", &mode); err != nil {
		return err
	}
	if l.path == "" || mode != "wal" {
		return ErrNotWAL
	}
	g.path, g.page = l.path, l.pageSize
	return nil
}

func (g *Guardian) run() {
	ticker := time.NewTicker(g.cfg.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-g.open.Done():
			return
		case <-ticker.C:
			_, _ = g.Look(g.open) // what fails is told by Look
		}
	}
}

// Stop ends the guardian, waits for the look that is under way, and ends a
// refusal that the guardian began. It may be called more than once. Call it
// before the database is closed.
func (g *Guardian) Stop() {
	g.end()
	g.all.Wait()
	_ = g.turn.Acquire(context.Background(), 1)
	defer g.turn.Release(1)
	g.allow()
}

// Look does at once, under ctx, what the guardian does each Interval, and
// returns what it found. It waits for another look that is under way. After
// Stop the error is ErrGuardStopped.
func (g *Guardian) Look(ctx context.Context) (GuardReport, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.open, cancel)()
	r, err := g.look(ctx)
	switch {
	case g.open.Err() != nil:
		return GuardReport{}, ErrGuardStopped
	case err != nil:
		return GuardReport{}, fmt.Errorf("look at the log: %w", err)
	}
	return r, nil
}

func (g *Guardian) look(ctx context.Context) (r GuardReport, err error) {
	if err := g.turn.Acquire(ctx, 1); err != nil {
		return r, err
	}
	defer g.turn.Release(1)
	if g.open.Err() != nil {
		return r, ErrGuardStopped
	}
	measured := false
	err = onOwn(ctx, g.db, func(conn *sql.Conn) error {
		if err := g.measure(ctx, conn, &r); err != nil {
			return err
		}
		measured = true
		return g.press(ctx, conn, &r)
	})
	if measured { // a press that fails, on a disk that is full for example, is no reason to let writers through
		err = errors.Join(err, g.judge(&r))
	}
	if ctx.Err() == nil {
		g.tellFailure(err)
	}
	return r, err
}
