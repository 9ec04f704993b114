package maintenance

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ThinConfig says which of many backups stay: each that one of the four numbers
// asks for. The latest of all stays in any case.
type ThinConfig struct {
	Latest  int // this many of the latest
	Daily   int // the latest of each of this many days that have one
	Weekly  int // likewise of weeks, Monday to Sunday
	Monthly int // likewise of calendar months

	// Zone is where days begin. By default, UTC.
	Zone *time.Location

	// DryRun removes nothing, and only says what would be.
	DryRun bool
}

// ErrThinNothing means that a ThinConfig does not say what stays.
var ErrThinNothing = errors.New("say which backups stay: give one of Latest, Daily, Weekly and Monthly, and none below 0")

// ThinResult says what Thin did. Paths are from the latest backup to the
// oldest.
type ThinResult struct {
	Kept    []string `json:"kept"`
	Removed []string `json:"removed"` // with DryRun, what would be
	// Skipped are files that are not backups, which stay and do not count.
	Skipped []string `json:"skipped"`
	Bytes   int64    `json:"bytes"` // of those that were removed
}

// Thin removes backups that are no longer needed, among the files that the
// pattern matches (see filepath.Match), such as "backups/*.db". A backup's age
// is given by its modification time, which Backup leaves at the backup's end.
// Only the backups count, not today's date: if no more are made, none is
// removed.
//
// A file is a backup if it is a SQLite database in rollback journal mode, as
// Backup makes them, with no file of SQLite's beside it: a database in WAL
// mode, which an application may have open, stays, and so does what is not a
// database.
//
// After an error the result says what was removed; Thin may be run again at any
// time. If several run at once, each removes what it can, and it is no error if
// another one was first.
func Thin(pattern string, cfg ThinConfig) (result ThinResult, err error) {
	if min(cfg.Latest, cfg.Daily, cfg.Weekly, cfg.Monthly) < 0 || max(cfg.Latest, cfg.Daily, cfg.Weekly, cfg.Monthly) == 0 {
		return result, fmt.Errorf("thin out %s: %w", pattern, ErrThinNothing)
	}
	found, skipped, err := findBackups(pattern)
	if err != nil {
		return result, fmt.Errorf("thin out %s: %w", pattern, err)
	}
	result = ThinResult{Kept: []string{}, Removed: []string{}, Skipped: skipped}
	stays := cfg.staying()
	for _, b := range found {
		switch {
		case stays(b.at):
			result.Kept = append(result.Kept, b.path)
			continue
		case !cfg.DryRun:
			if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return result, fmt.Errorf("thin out %s: %w", pattern, err)
			}
		}
		result.Removed = append(result.Removed, b.path)
		result.Bytes += b.bytes
	}
	return result, nil
}

// staying returns a function that reports of each backup, from the latest to
// the oldest, whether it stays.
func (c ThinConfig) staying() func(at time.Time) bool {
	zone := cmp.Or(c.Zone, time.UTC)
	n := 0
	periods := []struct {
		left int
		of   func(at time.Time) string
		last string
	}{
		{left: max(c.Latest, 1), of: func(time.Time) string { n++; return fmt.Sprint(n) }},
		{left: c.Daily, of: func(at time.Time) string { return at.Format(time.DateOnly) }},
		{left: c.Weekly, of: func(at time.Time) string { year, week := at.ISOWeek(); return fmt.Sprint(year, "-", week) }},
		{left: c.Monthly, of: func(at time.Time) string { return at.Format("2006-01") }},
	}
	return func(at time.Time) (stays bool) {
		for i := range periods {
			p := &periods[i]
			if period := p.of(at.In(zone)); period != p.last && p.left > 0 {
				p.last, stays = period, true
				p.left--
			}
		}
		return stays
	}
}

// backupFile is a backup that was made before.
type backupFile struct {
	path  string
	at    time.Time
	bytes int64
}

// findBackups returns the backups of a pattern, the latest first, and the paths
// of what else it matches.
func findBackups(pattern string) (found []backupFile, skipped []string, err error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, nil, err
	}
	skipped = []string{}
	for _, path := range paths {
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // another one was first
		case err != nil:
			return nil, nil, err
		}
		isBackup := info.Mode().IsRegular()
		if isBackup {
			if isBackup, err = looksLikeBackup(path); err != nil {
				return nil, nil, err
			}
		}
		if isBackup {
			found = append(found, backupFile{path, info.ModTime(), info.Size()})
		} else {
			skipped = append(skipped, path)
		}
	}
	slices.SortFunc(found, func(a, b backupFile) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(b.path, a.path))
	})
	return found, skipped, nil
}

// What a database file begins with, and where it says how it is written: 1 is
// with a rollback journal, 2 with a write-ahead log (SQLite's file format, 1.3).
const (
	magic         = "SQLite format 3\x00"
	writeVersion  = 18
	headerLength  = 20
	rollbackWrite = 1
)

// looksLikeBackup reports whether a file is as Backup makes them.
func looksLikeBackup(path string) (is bool, err error) {
	for _, suffix := range sidecars {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(file, header); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = nil // too short for a database
		}
		return false, err
	}
	return string(header[:len(magic)]) == magic && header[writeVersion] == rollbackWrite, nil
}
