package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"
)

var (
	// ErrForeignDriver means that the connections are not mattn's, whose
	// backup functions are needed.
	ErrForeignDriver = errors.New("backup needs github.com/mattn/go-sqlite3: leave sqlite.Config.DriverName empty, " +
		"or register a *sqlite3.SQLiteDriver under that name")
	// ErrDamaged means that the copy failed its check, and was thrown away.
	ErrDamaged = errors.New("the copy is damaged: run maintenance.Check (or: flashstore check) on the database")
)

// BackupResult says what Backup made.
type BackupResult struct {
	Path     string        `json:"path"` // as it was given
	Bytes    int64         `json:"bytes"`
	Pages    int           `json:"pages"`
	Duration time.Duration `json:"duration_ns"`
}

// Progress is how far a backup has got.
type Progress struct {
	Done, Total int // pages
}

// BackupOption changes how Backup works.
type BackupOption func(*backup)

// OnProgress calls fn after each step. By default, nobody is told. The source
// is held while fn runs: it must be quick, and not use the database.
func OnProgress(fn func(Progress)) BackupOption {
	return func(b *backup) { b.onProgress = fn }
}

// PagesPerStep sets how many pages are copied between two looks at the context.
// By default, and with n below 1, 1000: a few milliseconds.
func PagesPerStep(n int) BackupOption {
	return func(b *backup) {
		if n > 0 {
			b.pagesPerStep = n
		}
	}
}

// Backup copies the database to path while the application goes on (S59). The
// copy is the database as one moment saw it, near the call's start. It is a
// single file in rollback journal mode, so that it can be moved about; the
// plugin puts it in WAL mode again when it opens it. It has passed quick_check
// and is synced to disk before it gets its name.
//
// A file that exists at path is never overwritten: the error is then
// fs.ErrExist, as it is if a -wal, -shm or -journal file of that name exists.
// Of several backups to one path, one wins. After an error, or when ctx ends,
// nothing remains. Too little free disk is a *NoSpaceError. Only its owner can
// read the file.
//
// In WAL mode nobody waits for a backup, but the log grows while it runs: the
// source is one snapshot, because a backup without one starts over whenever
// others write (T17). In other modes writers wait until it has copied.
func Backup(ctx context.Context, db *gorm.DB, path string, opts ...BackupOption) (BackupResult, error) {
	start := time.Now()
	b := &backup{path: path, pagesPerStep: 1000, onProgress: func(Progress) {}}
	for _, opt := range opts {
		opt(b)
	}
	result, err := b.run(ctx, db)
	if err != nil {
		return BackupResult{}, fmt.Errorf("back up to %s: %w", path, err)
	}
	result.Duration = time.Since(start)
	return result, nil
}

// backup is one call of Backup.
type backup struct {
	path         string
	temp         string // absolute, beside path
	pagesPerStep int
	onProgress   func(Progress)
	pages        int // copied
}

func (b *backup) run(ctx context.Context, db *gorm.DB) (result BackupResult, err error) {
	if err := usable(db); err != nil {
		return result, err
	}
	if err := refuseExisting(b.path); err != nil {
		return result, err
	}
	if b.temp, err = createTemp(b.path); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, removeTemp(b.temp)) }()
	err = onOwn(ctx, db, func(conn *sql.Conn) error {
		if err := b.copy(ctx, conn); err != nil {
			return err
		}
		return b.check(ctx, conn)
	})
	if err != nil {
		return result, err
	}
	bytes, err := syncFile(b.temp)
	if err != nil {
		return result, err
	}
	return BackupResult{Path: b.path, Bytes: bytes, Pages: b.pages}, place(b.temp, b.path)
}

// copy copies a snapshot of conn's database into the temporary file.
func (b *backup) copy(ctx context.Context, conn *sql.Conn) error {
	return inTransaction(ctx, conn, beginRead, func() error {
		l, err := readLayout(ctx, conn) // the first read: the snapshot is taken
		if err != nil {
			return err
		}
		if err := needSpace(freeSpace, b.temp, l.bytes()); err != nil {
			return err
		}
		return conn.Raw(func(driverConn any) error {
			source, ok := driverConn.(*sqlite3.SQLiteConn)
			if !ok {
				return fmt.Errorf("%w (this one is %T)", ErrForeignDriver, driverConn)
			}
			return b.copyFrom(ctx, source)
		})
	})
}

func (b *backup) copyFrom(ctx context.Context, source *sqlite3.SQLiteConn) (err error) {
	target, err := openTemp(b.temp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := b.copyPages(ctx, target, source); err != nil {
		return err
	}
	// The copy's header says WAL where the source's does: whoever opens it
	// would make a -wal and a -shm file beside it.
	return leaveWAL(target)
}

func (b *backup) copyPages(ctx context.Context, target, source *sqlite3.SQLiteConn) (err error) {
	pages, err := target.Backup("main", source, "main")
	if err != nil {
		return err
	}
	defer func() {
		b.pages = pages.PageCount()
		// Finish says again what Step has said.
		if finishing := pages.Finish(); err == nil {
			err = finishing
		}
	}()
	return b.steps(ctx, pages)
}

// stepper is SQLite's backup.
type stepper interface {
	Step(pages int) (done bool, err error)
	Remaining() int
	PageCount() int
}

const (
	// stallPause is the sleep between steps that move nothing, and stallMost
	// how many of them in a row, about 5 s, end a backup.
	stallPause = 10 * time.Millisecond
	stallMost  = 500
)

// steps copies all pages. Step reports "not done" for BUSY and LOCKED too, and
// a bare loop would spin (T18): a step that moved nothing is recognised by the
// pages that remain.
func (b *backup) steps(ctx context.Context, pages stepper) error {
	remaining, stalled := -1, 0
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := pages.Step(b.pagesPerStep)
		if err != nil {
			return err
		}
		b.onProgress(Progress{Done: pages.PageCount() - pages.Remaining(), Total: pages.PageCount()})
		if done {
			return nil
		}
		if pages.Remaining() != remaining {
			remaining, stalled = pages.Remaining(), 0
			continue
		}
		if stalled++; stalled > stallMost {
			return fmt.Errorf("another connection has the database locked for too long: %w", sqlite3.ErrBusy)
		}
		if err := pause(ctx, stallPause); err != nil {
			return err
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// check runs quick_check on the copy, attached to the source's connection: the
// application's own functions and collations, which its tables and indexes may
// need, are registered there and nowhere else.
func (b *backup) check(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS flashstore_copy", readOnlyURI(b.temp)); err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	defer func() {
		_, err := conn.ExecContext(context.WithoutCancel(ctx), "DETACH flashstore_copy")
		if err != nil {
			discard(conn)
		}
	}()
	found, err := readIntegrity(ctx, conn, "flashstore_copy.quick_check")
	if isDamage(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	if len(found) > 0 {
		return fmt.Errorf("%w: %s", ErrDamaged, strings.Join(found, "; "))
	}
	return nil
}
