package hooks

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"
)

// DiskFullError says that a write was refused because the disk has less room
// than Config.DiskReserve. Nothing of it was done; reads go on, and so do
// writes once there is room again.
type DiskFullError struct {
	Dir     string // where the database lies
	Free    int64  // bytes
	Reserve int64  // bytes
}

func (e *DiskFullError) Error() string {
	return fmt.Sprintf("%s has %d KiB free, and writes stop below %d KiB: "+
		"make room there, or lower hooks.Config.DiskReserve", e.Dir, e.Free>>10, e.Reserve>>10)
}

// lookAgain is how long an answer about a disk with plenty of room holds.
const lookAgain = 50 * time.Millisecond

// reserve keeps writes off a disk that is nearly full. It is safe for
// concurrent use. A nil reserve lets everything through.
type reserve struct {
	dir   string
	least int64 // bytes
	free  func(dir string) (int64, error)
	now   func() time.Time

	mu    sync.Mutex
	until time.Time // how long the last answer holds
}

// newReserve returns the reserve of the database at path, nil where there is
// none: for -1, in memory, and where nothing is written.
func newReserve(least int64, path string, src source, free func(dir string) (int64, error)) *reserve {
	if least < 0 || path == "" || src.readOnly {
		return nil
	}
	return &reserve{dir: filepath.Dir(path), least: least, free: free, now: time.Now}
}

// check returns a *DiskFullError where too little room is left. It asks the
// file system at every write while there is less than twice the reserve, and
// every 50 ms otherwise. Where that cannot be told, SQLite meets it itself.
func (r *reserve) check() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if now.Before(r.until) {
		return nil
	}
	free, err := r.free(r.dir)
	if err != nil || free == unknownSpace || free >= 2*r.least {
		r.until = now.Add(lookAgain)
		return nil
	}
	if free < r.least {
		return &DiskFullError{Dir: r.dir, Free: free, Reserve: r.least}
	}
	return nil
}

// roomFor checks the reserve for a statement outside of the transactions that
// the plugin begins. What a caller of WithWriter does in one that it began as
// text is its own affair, and pragmas go on: they give space back.
func (c *writerConn) roomFor(query string) error {
	err := c.room.check()
	if err == nil || !c.AutoCommit() {
		return nil
	}
	switch firstKeyword(query) {
	case "PRAGMA", "BEGIN":
		return nil
	}
	if !isScript(query) && c.onlyReads(query) {
		return nil // of a temporary table, which readers cannot see
	}
	return err
}

// onlyReads asks SQLite whether query writes.
func (c *writerConn) onlyReads(query string) bool {
	stmt, err := c.Prepare(query)
	if err != nil {
		return false
	}
	defer func() { _ = stmt.Close() }()
	reading, ok := stmt.(interface{ Readonly() bool })
	return ok && reading.Readonly()
}
