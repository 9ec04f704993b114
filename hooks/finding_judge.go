package hooks

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
)

// walResetFixed reports whether a version of SQLite has the fix of the WAL
// reset bug (T24), or is one of the two older lines that got it too.
// https://www.sqlite.org/wal.html#walresetbug
func walResetFixed(version string) bool {
	var v [3]int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		return false
	}
	atLeast := func(fixed ...int) bool { return slices.Compare(v[:], fixed) >= 0 }
	return atLeast(3, 51, 3) ||
		(atLeast(3, 50, 7) && !atLeast(3, 51)) ||
		(atLeast(3, 44, 6) && !atLeast(3, 45))
}

func judgeVersion(version string, readOnly bool) []Finding {
	if walResetFixed(version) {
		return nil
	}
	return []Finding{{
		Kind:   FindingSQLiteVersion,
		Severe: !readOnly,
		What:   "SQLite is version " + version,
		Why:    "versions before 3.51.3 can damage a database in WAL mode when its log starts over",
		Do:     "update github.com/mattn/go-sqlite3",
	}}
}

// judgeExposure makes a finding of the bits of 0o006 that are set.
func judgeExposure(path string, open fs.FileMode) Finding {
	kind, what, why := FindingReadable, "read", "whoever has an account here can read all that is stored"
	if open&0o002 != 0 {
		kind, what, why = FindingExposed, "write to", "whoever has an account here can change or destroy all that is stored"
	}
	return Finding{
		Kind: kind,
		What: fmt.Sprintf("every user of this machine may %s %s (mode %#o)", what, path, open),
		Why:  why,
		Do:   "take the permission from others: chmod o-rw, or keep the file in a directory with chmod o-x",
	}
}

// judgeFreeSpace warns while there is still some room above the reserve.
func judgeFreeSpace(dir string, free, reserve int64) []Finding {
	why := fmt.Sprintf("writes are refused below %d MB (hooks.Config.DiskReserve)", reserve>>20)
	if reserve < 0 {
		reserve = defaultDiskReserve
		why = "writes fail when the disk is full"
	}
	if free >= 2*reserve {
		return nil
	}
	return []Finding{{
		Kind: FindingFreeSpace,
		What: fmt.Sprintf("%s has %d MB free", dir, free>>20),
		Why:  why,
		Do:   "make room there",
	}}
}

func judgeOtherProcess(pid int) Finding {
	who := fmt.Sprintf("process %d", pid)
	if pid == 0 {
		who = "a process that has no id here"
	}
	return Finding{
		Kind: FindingOtherProcess,
		What: who + " has the database open too",
		Why:  "writers of several processes are not queued in order, and its readers hold up checkpoints",
		Do:   "nothing if that is intended; otherwise end that process",
	}
}

// settings are what is read back from a connection.
type settings struct {
	memory      bool
	readOnly    bool
	journalMode string
	synchronous int
	foreignKeys bool
	autoVacuum  int
}

func readSettings(ctx context.Context, on asker) (s settings, err error) {
	for _, read := range []struct {
		pragma string
		dest   any
	}{
		{"journal_mode", &s.journalMode},
		{"synchronous", &s.synchronous},
		{"foreign_keys", &s.foreignKeys},
		{"auto_vacuum", &s.autoVacuum},
	} {
		if err := on.QueryRowContext(ctx, "PRAGMA "+read.pragma).Scan(read.dest); err != nil {
			return s, fmt.Errorf("read PRAGMA %s: %w", read.pragma, err)
		}
	}
	return s, nil
}

// judge makes findings of the settings. What is about writing to a file does
// not matter in memory, or where nothing is written.
func (s settings) judge() []Finding {
	var found []Finding
	note := func(bad bool, kind FindingKind, what, why, do string) {
		if bad {
			found = append(found, Finding{Kind: kind, What: what, Why: why, Do: do})
		}
	}
	written := !s.memory && !s.readOnly
	note(!s.foreignKeys, FindingForeignKeys,
		"foreign_keys is off on connections of db.DB()",
		"rows may refer to rows that do not exist",
		"use the hooks plugin, or open with _foreign_keys=1")
	note(written && s.journalMode != "wal", FindingJournalMode,
		fmt.Sprintf("journal_mode is %q", s.journalMode),
		"readers and the writer wait for each other",
		"use the hooks plugin, or set PRAGMA journal_mode=WAL")
	note(written && s.synchronous == 0, FindingSynchronous,
		"synchronous is OFF on connections of db.DB()",
		"a power failure can damage the database",
		"use the hooks plugin, or open with _synchronous=NORMAL")
	note(written && s.autoVacuum == 0, FindingAutoVacuum,
		"auto_vacuum is off",
		"the file never gets shorter, whatever is deleted",
		"run maintenance.Vacuum (or: flashstore vacuum) once in a quiet hour")
	return found
}
