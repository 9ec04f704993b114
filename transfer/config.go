package transfer

import (
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Config says how to copy. The zero value is a good one.
type Config struct {
	// TablePrefix goes before every table name, on both sides.
	TablePrefix string

	// BatchRows is how many rows are written in one transaction, and so at most
	// how many an interruption takes back. By default, 10,000.
	BatchRows int

	// DryRun compares and counts, and writes nothing, not even the tables of
	// an empty target. One with migrations pending counts as empty.
	DryRun bool

	// FromArchive and ToArchive are the archives' files, of a source and a target
	// on SQLite, as storage.Config.Archive names them; PostgreSQL has archived
	// answers in a table. They are needed where the source has any: without, Copy
	// returns an *ArchivedError before it writes a row. The target's file must
	// belong to the target: storage's Answers.Archive makes it, even if it
	// moves nothing. A dry run does without. By default, none.
	FromArchive, ToArchive *gorm.DB

	// Progress is called now and then, from the goroutine that called Copy,
	// with figures that never go back. By default, nobody is told.
	Progress func(Progress)
}

func (c Config) validate() error {
	if c.BatchRows < 0 {
		return fmt.Errorf("BatchRows is %d: give 1 or more, or 0 for %d", c.BatchRows, defaultBatchRows)
	}
	return nil
}

const defaultBatchRows = 10_000

// Progress is how far a copy has come.
type Progress struct {
	Table string `json:"table"` // its name, with the prefix
	// Checking is false while rows are compared and written, and true while
	// what was written is read again.
	Checking bool `json:"checking"`
	// Done of Total rows have been read: each row of the source once, and once
	// more at the target unless it is a dry run.
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// Report says what a copy did, or what a dry run would do.
type Report struct {
	Tables   []TableReport `json:"tables"` // those that others refer to first
	DryRun   bool          `json:"dry_run"`
	Duration time.Duration `json:"duration_ns"`
}

// Rows returns how many rows the source has.
func (r Report) Rows() (n int64) {
	for _, t := range r.Tables {
		n += t.Rows
	}
	return n
}

// Written returns how many rows were added, changed or removed.
func (r Report) Written() (n int64) {
	for _, t := range r.Tables {
		n += t.Added + t.Changed + t.Removed
	}
	return n
}

// TableReport says what a copy did to one table. After a dry run the figures
// of the target and the checksums are zero.
type TableReport struct {
	Table string `json:"table"` // its name, with the prefix
	Rows  int64  `json:"rows"`  // of the source, at the moment of the copy

	Added   int64 `json:"added"`
	Changed int64 `json:"changed"`
	Removed int64 `json:"removed"`

	TargetRows     int64  `json:"target_rows"`
	Checksum       string `json:"checksum"` // SHA-256 in hex, the same on every engine
	TargetChecksum string `json:"target_checksum"`
}

// Agrees reports whether both sides had the same rows at the end.
func (t TableReport) Agrees() bool {
	return t.Rows == t.TargetRows && t.Checksum == t.TargetChecksum
}
