package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
)

// ErrNotWAL means that the database has no write-ahead log to checkpoint.
var ErrNotWAL = errors.New("database has no write-ahead log: use the hooks plugin, " +
	"or set PRAGMA journal_mode=WAL (a database in memory cannot have one)")

// Mode says how far a checkpoint goes, and whom it holds up on its way.
type Mode int

// SQLite's four modes. The last three wait for others while they hold back
// every writer: Checkpoint bounds that wait.
const (
	// Passive moves what it can without waiting for anybody. It is the one to
	// run in working hours, and the zero Mode.
	Passive Mode = iota
	// Full waits for the writer and for the readers that need the log, and
	// then moves all of it.
	Full
	// Restart is Full, and then waits until nobody reads from the log, so that
	// the next writer starts it over.
	Restart
	// Truncate is Restart, and cuts the log's file to nothing (S54).
	Truncate
)

var modeNames = [...]string{"passive", "full", "restart", "truncate"}

// String returns the mode's name in lower case.
func (m Mode) String() string {
	if !m.valid() {
		return fmt.Sprintf("Mode(%d)", int(m))
	}
	return modeNames[m]
}

func (m Mode) valid() bool { return m >= Passive && m <= Truncate }

// ParseMode returns the mode of that name, in either case: passive, full,
// restart or truncate.
func ParseMode(name string) (Mode, error) {
	for m := Passive; m <= Truncate; m++ {
		if strings.EqualFold(m.String(), name) {
			return m, nil
		}
	}
	return 0, fmt.Errorf("checkpoint mode %q is not one of %s", name, strings.Join(modeNames[:], ", "))
}

// CheckpointResult says what a checkpoint did. Success is what was moved, not
// Busy: under a reader, Passive moves a part and is not busy at all (T14).
type CheckpointResult struct {
	// Busy means that somebody was in the way of what the mode asks for: a
	// reader, the writer, or another checkpoint. For Passive only the last
	// counts.
	Busy bool `json:"busy"`
	// Log is how many frames (pages, as they were written) the log holds: 0
	// after a Truncate that was not busy, -1 if another checkpoint was at it.
	Log int `json:"log_frames"`
	// Moved is how many of them are in the database by now, those of earlier
	// checkpoints among them: 0 and -1 as with Log.
	Moved int `json:"moved_frames"`
}

// Complete reports whether every frame of the log is in the database. If it is
// and Busy is set too, the log could not be started over or cut yet.
func (r CheckpointResult) Complete() bool { return r.Log >= 0 && r.Moved == r.Log }

// holdMost bounds how long a checkpoint waits for others. While it waits it
// holds back every writer; the busy timeout of an ordinary connection, often
// 5 s, would be as long as that (T15). Litestream's and rqlite's bounds are of
// this size.
const holdMost = 250 * time.Millisecond

// Checkpoint moves the write-ahead log into the database (S54, S55). It runs on
// a connection of its own and, in the modes above Passive, waits at most 250 ms
// for others, less if ctx ends sooner; that somebody was in the way is a
// result, not an error. A database without a log is ErrNotWAL.
func Checkpoint(ctx context.Context, db *gorm.DB, mode Mode) (CheckpointResult, error) {
	var result CheckpointResult
	err := onOwn(ctx, db, func(conn *sql.Conn) (err error) {
		result, err = checkpoint(ctx, conn, mode, holdMost)
		return err
	})
	if err != nil {
		return CheckpointResult{}, fmt.Errorf("checkpoint (%s): %w", mode, err)
	}
	return result, nil
}

// checkpoint waits for others no longer than most.
func checkpoint(ctx context.Context, conn *sql.Conn, mode Mode, most time.Duration) (r CheckpointResult, err error) {
	if !mode.valid() {
		return r, errors.New("no such mode: give maintenance.Passive, Full, Restart or Truncate")
	}
	if mode != Passive {
		giveBack, err := borrowPragma(ctx, conn, "busy_timeout", bound(ctx, most).Milliseconds())
		if err != nil {
			return r, err
		}
		defer giveBack()
	}
	for giveUp := time.Now().Add(bound(ctx, most)); ; {
		if err := readPragma(ctx, conn, "wal_checkpoint("+mode.String()+")", &r.Busy, &r.Log, &r.Moved); err != nil {
			return r, err
		}
		switch {
		case r.Log < 0 && !r.Busy:
			return r, ErrNotWAL
		case r.Log >= 0 || mode == Passive || !time.Now().Before(giveUp):
			return r, nil
		}
		// Another checkpoint is at it, the plugin's own perhaps: for that one
		// SQLite does not wait.
		time.Sleep(lookAgain)
	}
}

// lookAgain is the pause between two looks whether another checkpoint is done.
const lookAgain = time.Millisecond

// bound returns most, or what is left of ctx if that is less: SQLite's wait
// knows of no context (T4).
func bound(ctx context.Context, most time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(0, min(most, time.Until(deadline)))
	}
	return most
}
