package hooks

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"
)

// Durability says what a commit is worth when the power fails. Whatever is
// chosen, a crash of the process alone loses nothing, and the database is
// never left inconsistent.
type Durability int

// The seed's three presets (S21, S23).
const (
	// Balanced syncs at checkpoints only: a power failure may take back the
	// last commits, whole ones. synchronous=NORMAL, a checkpoint each 1000
	// pages, behind the writers. It is the default.
	Balanced Durability = iota
	// Safe syncs at every commit: what was acknowledged survives a power
	// failure. synchronous=FULL, a checkpoint each 500 pages.
	Safe
	// Fast is Balanced with a longer write-ahead log between checkpoints.
	// synchronous=NORMAL, a checkpoint each 5000 pages.
	Fast
)

// String returns the preset's name in lower case.
func (d Durability) String() string {
	if d < Balanced || d > Fast {
		return fmt.Sprintf("Durability(%d)", int(d))
	}
	return [...]string{"balanced", "safe", "fast"}[d]
}

// ParseDurability returns the preset of that name: safe, balanced or fast.
func ParseDurability(name string) (Durability, error) {
	for d := Balanced; d <= Fast; d++ {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("durability %q is not one of safe, balanced, fast", name)
}

// Config is what New takes. The zero Config is a good one.
type Config struct {
	// Durability chooses between safety and speed at a power failure. By
	// default, Balanced.
	Durability Durability

	// BusyTimeout is how long a write waits for the write lock: for the
	// writer of this process where its context has no deadline, and for
	// another process always. By default, 5 s (S6).
	BusyTimeout time.Duration

	// CacheSize is the page cache of one connection in KiB. By default,
	// 64000 (S3).
	CacheSize int

	// MmapSize is how much of the file is read through a memory map, in
	// bytes; -1 switches the map off. By default, 256 MiB (S5).
	MmapSize int64

	// MaxReaders bounds the connections that read. A read beyond it waits
	// under its context. By default, 64.
	MaxReaders int

	// StatementCache is how many prepared statements each connection keeps;
	// -1 keeps none. By default, 256.
	StatementCache int

	// Observer is told of waits, busy answers, reruns and statements. By
	// default, nobody is, and nothing is measured.
	Observer Observer

	// SlowStatement is how long a statement takes that the observer is shown
	// with its plan. By default, 200 ms.
	SlowStatement time.Duration

	// TraceRows records where rows were opened on the readers, for State: rows
	// that are never closed pin the log. It costs a microsecond a query, and is
	// meant for tests and for finding a leak. By default, off.
	TraceRows bool

	// DiskReserve is how many bytes of the disk are left free: with less, each
	// write through GORM is refused with a *DiskFullError before it begins,
	// deletions and VACUUM too; reads, pragmas, maintenance.Checkpoint and
	// maintenance.IncrementalVacuum go on. A transaction that has begun may use
	// the reserve up, and so may the checkpoint after a commit, by the length
	// of the log, some 4, 8 or 40 MiB (Safe, Balanced, Fast): give more than
	// that. The reserve does not bound what is written through db.DB(), and
	// knows nothing of a user's quota. -1 switches it off. By default, 64 MiB.
	DiskReserve int64

	// ExternalCheckpointer leaves the log to another program that moves it into
	// the database, such as Litestream: neither the plugin nor SQLite makes a
	// checkpoint of its own accord. By default, off.
	ExternalCheckpointer bool

	// Accept names kinds of severe findings that are no reason to refuse the
	// database: see FindingKind. They are still logged. By default, none.
	Accept []FindingKind

	// Logger takes findings that are not errors, such as a file that needs a
	// VACUUM. By default, slog.Default().
	Logger *slog.Logger
}

const (
	defaultBusyTimeout    = 5 * time.Second
	defaultCacheSize      = 64000
	defaultMmapSize       = 268435456
	defaultMaxReaders     = 64
	defaultStatementCache = 256
	defaultSlowStatement  = 200 * time.Millisecond
	defaultDiskReserve    = 64 << 20
	journalSizeLimit      = 67108864
)

func (c Config) withDefaults() Config {
	if c.BusyTimeout == 0 {
		c.BusyTimeout = defaultBusyTimeout
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.MmapSize == 0 {
		c.MmapSize = defaultMmapSize
	}
	if c.MaxReaders == 0 {
		c.MaxReaders = defaultMaxReaders
	}
	if c.StatementCache == 0 {
		c.StatementCache = defaultStatementCache
	}
	if c.SlowStatement == 0 {
		c.SlowStatement = defaultSlowStatement
	}
	if c.DiskReserve == 0 {
		c.DiskReserve = defaultDiskReserve
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c Config) validate() error {
	var errs []error
	reject := func(bad bool, field string, value any, want string) {
		if bad {
			errs = append(errs, fmt.Errorf("hooks.Config.%s is %v: give %s", field, value, want))
		}
	}
	reject(c.Durability < Balanced || c.Durability > Fast, "Durability", int(c.Durability), "hooks.Safe, hooks.Balanced or hooks.Fast")
	reject(c.BusyTimeout < time.Millisecond, "BusyTimeout", c.BusyTimeout, "a millisecond or more")
	reject(c.CacheSize < 0, "CacheSize", c.CacheSize, "a number of KiB")
	reject(c.MmapSize < -1, "MmapSize", c.MmapSize, "a number of bytes, or -1 for none")
	reject(c.MaxReaders < 0, "MaxReaders", c.MaxReaders, "a positive number")
	reject(c.StatementCache < -1, "StatementCache", c.StatementCache, "a positive number, or -1 for none")
	reject(c.SlowStatement < 0, "SlowStatement", c.SlowStatement, "a duration")
	reject(c.DiskReserve < -1, "DiskReserve", c.DiskReserve, "a number of bytes, or -1 for none")
	return errors.Join(errs...)
}

// synchronous and checkpointPages are the two pragmas that a preset sets.
func (d Durability) synchronous() string {
	if d == Safe {
		return "FULL"
	}
	return "NORMAL"
}

func (d Durability) checkpointPages() int {
	return map[Durability]int{Safe: 500, Balanced: 1000, Fast: 5000}[d]
}

// idleReaders is how many reading connections are kept open between reads.
func (c Config) idleReaders() int {
	return min(c.MaxReaders, max(8, 4*runtime.GOMAXPROCS(0)))
}
