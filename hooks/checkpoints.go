package hooks

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
	"golang.org/x/sync/semaphore"
)

// checkpoints moves the log's pages into the database behind the writers, in
// place of SQLite's own checkpoint, which stops the one that commits: a PASSIVE
// one on a connection of its own, in a goroutine that ends with it. It is safe
// for concurrent use. A nil one does nothing.
//
// Behind writers that never pause there is always something left, and the log
// begins from its start only where nothing is. So a long log is finished by a
// writer: its commit moves the rest while the others wait, some 10 ms, most of
// it for the disk to take what the checkpoints before it have moved. That is
// not to happen often. Measured with 64 writers of answers of 1,000 learners at
// NORMAL, the rate and the wait of one in a hundred: finished at 8 MiB 20,500/s
// and 15 ms, at 32 MiB 29,000/s and 14 ms, at 64 MiB 30,000/s and 13 ms, and with
// the checkpoints before it following closely, so that little is left, 11 ms;
// never, 5 ms and a log without end.
//
// Where each commit is synced, one that makes the file longer takes twice as
// long as one that writes over what is there: the file system syncs the length
// as well. So there the log begins short and is allowed to grow step by step.
type checkpoints struct {
	conn  *sql.DB // one connection
	cfg   *Config
	turn  *semaphore.Weighted // one at a time; Close keeps it
	open  context.Context     // ends with Close
	end   context.CancelFunc
	pages int          // left in the log, at which a checkpoint begins
	long  int          // in the log, at which a writer finishes it; 0: not known yet. The writer's alone, as most is
	most  int          // that long becomes
	stuck atomic.Int64 // the log's length when a checkpoint was of no use, or -1
}

// longLog is how many bytes the log has when a writer finishes it. An eighth
// more is still below what package maintenance's guardian takes for too long. A
// smaller reserve of the disk bounds it as well.
const longLog = 56 << 20

// finishWait is how long a writer that finishes the log waits for those who
// read its end.
const finishWait = 10 * time.Millisecond

func newCheckpoints(conn *sql.DB, cfg *Config) *checkpoints {
	conn.SetMaxOpenConns(1)
	pages := cfg.Durability.checkpointPages()
	c := &checkpoints{conn: conn, cfg: cfg, turn: semaphore.NewWeighted(1), pages: pages}
	c.stuck.Store(-1)
	c.open, c.end = context.WithCancel(context.Background())
	return c
}

// measure finds out how long the log may become: longLog in pages, and twice
// what a checkpoint moves at the least.
func (c *checkpoints) measure() {
	c.long, c.most = 2*c.pages, 2*c.pages
	size := int64(longLog)
	if c.cfg.DiskReserve > 0 {
		size = min(size, c.cfg.DiskReserve)
	}
	var page int64
	if err := c.conn.QueryRow("PRAGMA page_size").Scan(&page); err == nil {
		c.most = max(c.most, int(size/page))
	}
	if c.cfg.Durability.synchronous() != "FULL" {
		c.long = c.most
	}
}

// wal is the state of a write-ahead log, in pages.
type wal struct {
	length int // of the log
	moved  int // of it, into the database
}

func (w wal) left() int { return w.length - w.moved }

// committed is told of the log after each commit, by the writer.
func (c *checkpoints) committed(now wal) {
	if c.long == 0 {
		c.measure()
	}
	due := c.pages
	if now.length >= c.long {
		due /= 4 // less and less is left, until the rest is moved at once
	}
	switch {
	case now.left() < due && now.length < c.long, c.isStuck(now):
	case now.length >= c.long+c.long/8: // they do not catch up
		c.finish(now)
	case !c.turn.TryAcquire(1): // one is being made
	case now.left() < due:
		c.restart(now)
	default:
		go c.checkpoint("PASSIVE", now)
	}
}

// isStuck reports whether a reader kept the last checkpoint from its work and
// the log has hardly grown since: another one would not do better.
func (c *checkpoints) isStuck(now wal) bool {
	then := int(c.stuck.Load())
	return then >= 0 && then <= now.length && now.length < then+max(c.pages, then/4)
}

// finish waits for the checkpoint that is being made, and moves what it left
// while the writers wait, so that the next one begins the log from its start.
func (c *checkpoints) finish(now wal) {
	if c.turn.Acquire(c.open, 1) == nil {
		c.restart(now)
	}
}

// restart is a checkpoint after which the log begins from its start, and may
// become longer than it was.
func (c *checkpoints) restart(now wal) {
	c.checkpoint("RESTART", now)
	c.long = min(c.long+c.long/4, c.most)
}

// checkpoint makes one, and gives the turn back. What fails is told to the
// observer, and tried again when the log has grown.
func (c *checkpoints) checkpoint(mode string, now wal) {
	defer c.turn.Release(1)
	begin := time.Now()
	var busy bool
	var after wal
	err := c.conn.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &after.length, &after.moved)
	if err == nil && after.length == 0 {
		after.moved = now.length // the log begins from its start
	}
	c.cfg.tell(Event{Kind: Checkpointed, Duration: time.Since(begin), Pages: max(after.moved, 0), Err: err})
	if busy || after.left() >= c.pages {
		c.stuck.Store(int64(max(after.length, now.length)))
	} else {
		c.stuck.Store(-1)
	}
}

// Close waits for a checkpoint that runs. None begins after it.
func (c *checkpoints) Close() error {
	if c == nil {
		return nil
	}
	c.end()
	_ = c.turn.Acquire(context.Background(), 1)
	return c.conn.Close()
}

// canAskLog says whether this SQLite can be asked how long the log is. One
// before 3.51 takes the question for a checkpoint, and goes on with its own.
var canAskLog = func() bool { _, version, _ := sqlite3.Version(); return version >= 3051000 }()

// askLog is the question.
const askLog = "PRAGMA wal_checkpoint(NOOP)"

// committed tells the checkpoints of the log, where a commit may have made it
// longer. It takes a microsecond.
func (c *writerConn) committed() {
	if c.log == nil || c.tx != nil || !c.AutoCommit() {
		return
	}
	if now, err := c.walState(); err == nil {
		c.log.committed(now)
	}
}

func (c *writerConn) walState() (now wal, err error) {
	rows, err := c.askLog.QueryContext(context.Background(), nil)
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	answer := make([]driver.Value, 3) // busy, length, moved
	err = rows.Next(answer)
	length, _ := answer[1].(int64)
	moved, _ := answer[2].(int64)
	return wal{length: int(length), moved: int(moved)}, err
}
