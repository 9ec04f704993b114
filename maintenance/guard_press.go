package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/flashstore/flashstore/hooks"
	"github.com/mattn/go-sqlite3"
)

const (
	// restBetween keeps presses that wait for readers apart: 250 ms in 5 s.
	restBetween = 20 * holdMost
	// leftMost is how many frames may be left to move while the writers are
	// held back: some 5 ms.
	leftMost = 1000
	// movesMost is how often the press moves what writers have added while it
	// moved what was there before.
	movesMost = 5
	// writerMost is how long a press waits for its turn among the writers. It
	// holds back nobody meanwhile.
	writerMost = time.Second
)

// canAskLog says whether this SQLite can be asked how long the log is: one
// before 3.51 takes the question for a checkpoint.
var canAskLog = func() bool { _, version, _ := sqlite3.Version(); return version >= 3051000 }()

// ask returns the state of the log and changes nothing.
func ask(ctx context.Context, conn *sql.Conn) (r CheckpointResult, err error) {
	err = readPragma(ctx, conn, "wal_checkpoint(NOOP)", &r.Busy, &r.Log, &r.Moved)
	if err == nil && r.Log < 0 && !r.Busy {
		err = ErrNotWAL
	}
	return r, err
}

// measure sets how long the log and its file are.
func (g *Guardian) measure(ctx context.Context, conn *sql.Conn, r *GuardReport) (err error) {
	if r.FileBytes, err = fileBytes(g.path + "-wal"); err != nil {
		return err
	}
	r.Bytes = r.FileBytes
	if !g.asks {
		return nil
	}
	now, err := ask(ctx, conn)
	if err == nil && now.Log >= 0 {
		r.Bytes = g.bytes(now)
	}
	return err
}

// bytes returns how long a log of so many frames is.
func (g *Guardian) bytes(log CheckpointResult) int64 {
	if log.Log == 0 {
		return 0
	}
	return walHeaderBytes + int64(log.Log)*(g.page+walFrameHeaderBytes)
}

// press brings a log that is too long, or whose file is, into the database and
// truncates the file, as far as readers let it, and measures again. Where much
// is left, behind a reader that stays, there is no waiting for it: the writers
// would be held back in vain, or, when it goes at last, while all of that is
// moved.
func (g *Guardian) press(ctx context.Context, conn *sql.Conn, r *GuardReport) error {
	if g.external || r.FileBytes <= g.cfg.SoftLimit { // the log is never longer than its file
		return nil
	}
	r.Pressed = true
	left, err := moveMost(ctx, conn)
	if err == nil && left <= leftMost {
		err = g.truncate(ctx, conn, r)
	}
	if err != nil {
		return err
	}
	return g.measure(ctx, conn, r)
}

// moveMost moves frames without holding back anybody until few are left, or
// no more can be moved, and returns how many are left.
func moveMost(ctx context.Context, conn *sql.Conn) (left int, err error) {
	moved := -1
	for range movesMost {
		r, err := movePassively(ctx, conn)
		if err != nil {
			return 0, err
		}
		if left = r.Log - r.Moved; r.Log < 0 {
			return leftMost + 1, nil // not known
		}
		if left <= leftMost || r.Moved == moved {
			return left, nil
		}
		moved = r.Moved
	}
	return left, nil
}

// movePassively makes a passive checkpoint. It waits a moment for another one
// that is on its way, the plugin's own perhaps.
func movePassively(ctx context.Context, conn *sql.Conn) (CheckpointResult, error) {
	for giveUp := time.Now().Add(holdMost); ; {
		r, err := checkpoint(ctx, conn, Passive, 0)
		if err != nil || r.Log >= 0 || !time.Now().Before(giveUp) {
			return r, err
		}
		if err := pause(ctx, lookAgain); err != nil {
			return r, err
		}
	}
}

// truncate cuts the log's file, in its turn among the writers: so it waits for
// readers only, and new ones that come meanwhile do not read from the log.
func (g *Guardian) truncate(ctx context.Context, conn *sql.Conn, r *GuardReport) error {
	wait := g.waitMost(r.Bytes)
	bounded, cancel := context.WithTimeout(ctx, writerMost)
	defer cancel()
	err := hooks.WithWriter(bounded, g.db, func(*sql.Conn) error {
		start := time.Now()
		defer func() { r.Held = time.Since(start) }()
		if g.asks { // somebody may have written much while we waited for our turn
			if now, err := ask(ctx, conn); err != nil || now.Log-now.Moved > leftMost {
				return err
			}
		}
		if wait > 0 {
			g.waited = g.now()
		}
		_, err := checkpoint(ctx, conn, Truncate, wait) // what it did is measured
		return err
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil // a long transaction has the writer: the next look will do
	}
	return err
}

// waitMost returns how long a press may wait for readers while the writers are
// held back. The size of the file alone is no reason to; while writes are
// refused, there is nobody to hold back.
func (g *Guardian) waitMost(bytes int64) time.Duration {
	switch {
	case bytes <= g.cfg.SoftLimit:
		return 0
	case g.refusing, g.now().Sub(g.waited) >= restBetween:
		return holdMost
	}
	return 0
}
