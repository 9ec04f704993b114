package hooks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
)

// PragmaError says that a pragma did not take effect on a connection. It is
// returned by db.Use, or by the first statement on a new connection.
type PragmaError struct {
	Pragma string // its name
	Want   string // the value that was asked for
	Got    string // the value that was read back
	Err    error  // what SQLite said, where it said something
}

func (e *PragmaError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("set PRAGMA %s=%s: %v", e.Pragma, e.Want, e.Err)
	}
	return fmt.Sprintf("PRAGMA %s did not take effect: it is %q after it was set to %q; "+
		"check that the file is writable and no other program holds it in another mode", e.Pragma, e.Got, e.Want)
}

func (e *PragmaError) Unwrap() error { return e.Err }

// pragma is one setting of a connection and how SQLite spells it when asked.
type pragma struct {
	name, value, want string
}

// pragmas returns what every connection to src gets, in the order that
// SQLite needs: the busy timeout before anything may wait, auto_vacuum before
// journal_mode, because the first write to a new file settles it (T2), and
// query_only last.
func (c Config) pragmas(src source, r role) []pragma {
	list := []pragma{number("busy_timeout", c.busyTimeout(r).Milliseconds())}
	if !src.readOnly && !src.memory {
		if r != reader {
			list = append(list, pragma{name: "auto_vacuum", value: "INCREMENTAL", want: "2"})
		}
		list = append(list, pragma{"journal_mode", "WAL", "wal"})
	}
	sync := map[string]string{"NORMAL": "1", "FULL": "2"}[c.Durability.synchronous()]
	list = append(list,
		pragma{"synchronous", c.Durability.synchronous(), sync},
		number("cache_size", -int64(c.CacheSize)),
		pragma{"temp_store", "MEMORY", "2"})
	if !src.memory {
		list = append(list, number("mmap_size", max(c.MmapSize, 0)))
	}
	list = append(list,
		pragma{"foreign_keys", "ON", "1"},
		number("wal_autocheckpoint", int64(c.autocheckpoint(r))),
		// It trims the log after a checkpoint and forces none (T29).
		number("journal_size_limit", journalSizeLimit))
	if r == reader {
		list = append(list, pragma{"query_only", "ON", "1"})
	}
	return list
}

// busyTimeout is how long SQLite itself waits on a connection of that role.
func (c Config) busyTimeout(r role) time.Duration {
	if r == checkpointer {
		return finishWait
	}
	return c.BusyTimeout
}

// autocheckpoint is the length of the log, in pages, at which SQLite makes a
// checkpoint of its own on a connection of that role. For the writer the plugin
// makes them.
func (c Config) autocheckpoint(r role) int {
	if c.ExternalCheckpointer || r == writer && canAskLog {
		return 0
	}
	return c.Durability.checkpointPages()
}

func number(name string, value int64) pragma {
	text := strconv.FormatInt(value, 10)
	return pragma{name, text, text}
}

// apply sets the pragmas on a new connection and reads each one back.
func apply(ctx context.Context, conn *sqlite3.SQLiteConn, list []pragma, timeout time.Duration) error {
	for _, p := range list {
		if p.name == "auto_vacuum" {
			if err := applyAutoVacuum(conn, p); err != nil {
				return err
			}
			continue
		}
		if err := applyOne(ctx, conn, p, timeout); err != nil {
			return err
		}
	}
	return nil
}

// applyOne sets p. Processes that open a new file at once meet at
// journal_mode, where SQLite answers busy without having waited; the wait is
// here.
func applyOne(ctx context.Context, conn *sqlite3.SQLiteConn, p pragma, timeout time.Duration) error {
	err := waitWhileBusy(ctx, timeout, func() error {
		_, err := conn.Exec("PRAGMA "+p.name+"="+p.value, nil)
		return err
	})
	if err != nil {
		return &PragmaError{Pragma: p.name, Want: p.value, Err: err}
	}
	got, err := readPragma(conn, p.name)
	if err != nil || !strings.EqualFold(got, p.want) {
		return &PragmaError{Pragma: p.name, Want: p.want, Got: got, Err: err}
	}
	return nil
}

// applyAutoVacuum asks for auto_vacuum where the file has none yet. A file
// that has tables keeps what it has until a VACUUM, so that nothing is wrong
// with the connection when the value read back is 0: the plugin's findings
// say it. Setting it again where it is on would write to the file.
func applyAutoVacuum(conn *sqlite3.SQLiteConn, p pragma) error {
	got, err := readPragma(conn, p.name)
	if err == nil && got == "0" {
		_, err = conn.Exec("PRAGMA auto_vacuum="+p.value, nil)
	}
	if err != nil {
		return &PragmaError{Pragma: p.name, Want: p.value, Err: err}
	}
	return nil
}

// readPragma returns the first column of PRAGMA name as text.
func readPragma(conn *sqlite3.SQLiteConn, name string) (value string, err error) {
	rows, err := conn.Query("PRAGMA "+name, nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	first := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(first); err != nil {
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		return "", err
	}
	return fmt.Sprint(first[0]), nil
}
