package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// FindingKind names what a finding is about.
type FindingKind string

// The kinds of findings. For those marked severe db.Use refuses the database,
// unless Config.Accept names them.
const (
	// FindingSQLiteVersion is a SQLite that can damage a write-ahead log
	// (T24). Severe.
	FindingSQLiteVersion FindingKind = "sqlite_version"
	// FindingFileSystem is a file system on which a write-ahead log gets
	// damaged (T25): severe where it is known to be one of a network.
	FindingFileSystem FindingKind = "file_system"
	// FindingNotWritable is a file or directory that this user may not write
	// to. Severe.
	FindingNotWritable FindingKind = "not_writable"
	// FindingExposed is a file that every user of the machine may write to.
	FindingExposed FindingKind = "exposed"
	// FindingReadable is a file that every user of the machine may read, as
	// the usual umask makes it: listed, and logged for debugging only.
	FindingReadable FindingKind = "readable"
	// FindingFreeSpace is a disk that is nearly full.
	FindingFreeSpace FindingKind = "free_space"
	// FindingAutoVacuum is a file that never gets shorter (T2).
	FindingAutoVacuum FindingKind = "auto_vacuum"
	// FindingJournalMode is a file without a write-ahead log.
	FindingJournalMode FindingKind = "journal_mode"
	// FindingSynchronous is a connection that syncs nothing.
	FindingSynchronous FindingKind = "synchronous"
	// FindingForeignKeys is a connection that does not enforce them.
	FindingForeignKeys FindingKind = "foreign_keys"
	// FindingOtherProcess is another process that has the file open. It is
	// information: several processes are supported.
	FindingOtherProcess FindingKind = "other_process"
)

// Finding is something about a database, or about where it lies, that its
// owner should know.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	Severe bool        `json:"severe"` // db.Use refuses it, unless it is accepted
	What   string      `json:"what"`   // what was found
	Why    string      `json:"why"`    // what that leads to
	Do     string      `json:"do"`     // what changes it
}

// String says it in a line.
func (f Finding) String() string { return f.What + ": " + f.Why + "; " + f.Do }

// level is the level at which a finding is logged.
func (f Finding) level() slog.Level {
	switch f.Kind {
	case FindingReadable:
		return slog.LevelDebug
	case FindingOtherProcess:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func logFindings(to *slog.Logger, file string, found []Finding) {
	for _, f := range found {
		to.Log(context.Background(), f.level(), f.String(), "finding", string(f.Kind), "file", file)
	}
}

// RefusedError is returned by db.Use for a database that is in danger where
// it lies, or as it is opened. The *gorm.DB is as it was.
type RefusedError struct {
	Findings []Finding // the severe ones that Config.Accept does not name
}

func (e *RefusedError) Error() string {
	var said, kinds []string
	for _, f := range e.Findings {
		said = append(said, f.String())
		kinds = append(kinds, string(f.Kind))
	}
	return fmt.Sprintf("hooks refuses this database: %s (if you know better, name it in hooks.Config.Accept: %s)",
		strings.Join(said, "; and "), strings.Join(slices.Compact(kinds), ", "))
}

// refuse returns a *RefusedError where one of the findings is severe and not
// accepted.
func (c Config) refuse(found []Finding) error {
	var severe []Finding
	for _, f := range found {
		if f.Severe && !slices.Contains(c.Accept, f.Kind) {
			severe = append(severe, f)
		}
	}
	if len(severe) == 0 {
		return nil
	}
	return &RefusedError{Findings: severe}
}
