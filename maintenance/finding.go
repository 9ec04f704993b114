package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
)

// Finding is a setting that could be better.
type Finding struct {
	What string `json:"what"` // the setting as it is
	Why  string `json:"why"`  // what that leads to
	Do   string `json:"do"`   // what changes it
}

// String says it in a line.
func (f Finding) String() string { return f.What + ": " + f.Why + "; " + f.Do }

// settings are what findings are made from.
type settings struct {
	version     string
	memory      bool
	journalMode string
	synchronous int
	foreignKeys bool
	autoVacuum  int
}

func readFindings(ctx context.Context, conn *sql.Conn) ([]Finding, error) {
	path, err := readPath(ctx, conn)
	s := settings{memory: path == ""}
	err = errors.Join(err,
		conn.QueryRowContext(ctx, versionSQL).Scan(&s.version),
		readPragma(ctx, conn, "journal_mode", &s.journalMode),
		readPragma(ctx, conn, "synchronous", &s.synchronous),
		readPragma(ctx, conn, "foreign_keys", &s.foreignKeys),
		readPragma(ctx, conn, "auto_vacuum", &s.autoVacuum))
	if err != nil {
		return nil, err
	}
	return s.findings(), nil
}

// findings judges the settings. What concerns a file does not matter to a
// database in memory.
func (s settings) findings() []Finding {
	found := []Finding{}
	note := func(bad bool, what, why, do string) {
		if bad {
			found = append(found, Finding{what, why, do})
		}
	}
	note(!walResetFixed(s.version),
		"SQLite is version "+s.version,
		"versions before 3.51.3 can damage a database in WAL mode when its log begins anew",
		"update github.com/mattn/go-sqlite3")
	note(!s.foreignKeys,
		"foreign_keys is off on connections of db.DB()",
		"rows may refer to rows that do not exist",
		"take the hooks plugin in use, or open with _foreign_keys=1")
	note(!s.memory && s.journalMode != "wal",
		fmt.Sprintf("journal_mode is %q", s.journalMode),
		"readers and the writer wait for each other",
		"take the hooks plugin in use, or set PRAGMA journal_mode=WAL")
	note(!s.memory && s.synchronous == 0,
		"synchronous is OFF on connections of db.DB()",
		"a power failure can damage the database",
		"take the hooks plugin in use, or open with _synchronous=NORMAL")
	note(!s.memory && s.autoVacuum == autoVacuumNone,
		"auto_vacuum is off",
		"the file never gets shorter, whatever is deleted",
		"run maintenance.Vacuum (or: flashstore vacuum) once in a quiet hour")
	return found
}

const versionSQL = `SELECT sqlite_version()`

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
