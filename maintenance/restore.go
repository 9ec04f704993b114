package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// ErrInUse means that another connection has the database open.
var ErrInUse = errors.New("the database is open elsewhere: stop every program that uses it, and restore again")

// ErrSameFile means that the backup is the database itself.
var ErrSameFile = errors.New("the backup is the database that is to be replaced: name another file")

// RestoreResult says what Restore did.
type RestoreResult struct {
	Path     string        `json:"path"`
	Replaced string        `json:"replaced"` // where the former database is now; "": there was none
	Bytes    int64         `json:"bytes"`
	Duration time.Duration `json:"duration_ns"`
}

// Restore replaces the database at path, which nobody may have open, by a
// backup (S60): stop the application first. The backup is copied beside path,
// checked and synced before anything is swapped, and stays as it is. The former
// database is not thrown away: it is moved aside, with the content of its log
// moved into it. No log of the former is left beside the new one, which SQLite
// would replay into it (T23); one that is there alone is moved aside too.
//
// At every moment there is a database at path, the former or the new one, except
// on a file system without hard links. A Restore that is killed may leave a file
// beside it whose name ends in .partial or contains .restored-. Whoever could
// read the former can read the new one, and a symbolic link stays one.
//
// It returns ErrInUse, as far as that can be seen, ErrSameFile, a *NoSpaceError or
// ErrDamaged; then the database at path is as it was.
func Restore(ctx context.Context, backup, path string) (RestoreResult, error) {
	start := time.Now()
	result, err := restore(ctx, backup, path)
	if err != nil {
		return RestoreResult{}, fmt.Errorf("restore %s from %s: %w", path, backup, err)
	}
	result.Path, result.Duration = path, time.Since(start)
	return result, nil
}

func restore(ctx context.Context, backup, path string) (result RestoreResult, err error) {
	if path, err = linked(path); err != nil {
		return result, err
	}
	former, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	if former != nil {
		if err := mayReplace(path, former, backup); err != nil {
			return result, err
		}
	}
	fresh := fmt.Sprintf("%s.restored-%d", path, time.Now().UnixNano())
	copied, err := copyOf(ctx, backup, fresh)
	if err != nil {
		return result, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeTemp(fresh))
		}
	}()
	result.Bytes = copied.Bytes
	aside := fmt.Sprintf("%s.replaced-%s", path, time.Now().UTC().Format("20060102T150405.000000000"))
	if former == nil {
		if err := moveSidecars(path, aside); err != nil {
			return result, err
		}
		return result, place(fresh, path)
	}
	if err := alike(fresh, former); err != nil {
		return result, err
	}
	result.Replaced = aside
	return result, swap(fresh, path, aside)
}

// linked returns what a symbolic link leads to. SQLite has a database's log
// beside that, and it may be on another disk.
func linked(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil //nolint:nilerr // what is not there is no link
	}
	return filepath.EvalSymlinks(path)
}

// mayReplace refuses early what would be refused, or be of no use, later.
func mayReplace(path string, former fs.FileInfo, backup string) error {
	if copied, err := os.Stat(backup); err == nil && os.SameFile(former, copied) {
		return ErrSameFile
	}
	absolute, err := filepath.Abs(path)
	if err == nil && otherProcesses(absolute) > 0 {
		err = ErrInUse
	}
	return err
}

// alike gives a file the permissions and the owner of the former one: the
// application is often another user than who restores.
func alike(path string, former fs.FileInfo) error {
	if err := chown(path, former); err != nil {
		return fmt.Errorf("give it to the former database's owner (run this as that user): %w", err)
	}
	return os.Chmod(path, former.Mode().Perm())
}

// swap gives the database at path the name aside, alone and complete, and fresh
// the name path. Nobody can open the former from when it is settled until it is
// replaced, and whoever is killed in between leaves one of them at path.
func swap(fresh, path, aside string) (err error) {
	settled, err := settle(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, settled()) }()
	if err := moveSidecars(path, aside); err != nil {
		return err
	}
	if err := nameTwice(path, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return errors.Join(err, nameOnce(aside, path))
	}
	return syncDir(filepath.Dir(path))
}

// nameTwice gives a file a second name. On a file system without hard links it
// is the only one.
func nameTwice(path, second string) error {
	err := os.Link(path, second)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return os.Rename(path, second)
}

// nameOnce takes nameTwice back.
func nameOnce(second, path string) error {
	if err := os.Rename(second, path); err != nil {
		return err
	}
	if err := os.Remove(second); !errors.Is(err, fs.ErrNotExist) { // two names of one file are not renamed
		return err
	}
	return nil
}

// copyOf copies and checks a database file that nobody writes to.
func copyOf(ctx context.Context, backup, target string) (result BackupResult, err error) {
	absolute, err := filepath.Abs(backup)
	if err != nil {
		return result, err
	}
	if _, err := os.Stat(absolute); err != nil {
		return result, err
	}
	db, err := gorm.Open(sqlite.Open(fileURI(absolute)+"?mode=ro"), &gorm.Config{Logger: logger.Discard})
	if isDamage(err) {
		return result, fmt.Errorf("%w: the backup cannot be read: %w", ErrDamaged, err)
	}
	if err != nil {
		return result, err
	}
	pool, err := db.DB()
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	return Backup(ctx, db, target)
}

// settle takes a database's log in and leaves WAL mode, which nobody can do
// while another connection has it open, and keeps others out until settled is
// called. One that is damaged stays as it is.
func settle(path string) (settled func() error, err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	nothing := func() error { return nil }
	opened, err := (&sqlite3.SQLiteDriver{}).Open(fileURI(absolute) + "?mode=rw&_busy_timeout=250")
	if isDamage(err) {
		return nothing, nil
	}
	if err != nil {
		return nil, inUse(err)
	}
	conn := opened.(*sqlite3.SQLiteConn)
	err = leaveWAL(conn)
	if err == nil {
		_, err = conn.Exec("BEGIN EXCLUSIVE", nil)
	}
	if err == nil && runtime.GOOS != "windows" { // there a file that is open is not replaced
		return conn.Close, nil
	}
	closing := conn.Close()
	if err == nil || isDamage(err) {
		return nothing, closing
	}
	return nil, errors.Join(inUse(err), closing)
}

// inUse says what a lock that another connection holds means here.
func inUse(err error) error {
	var se sqlite3.Error
	if errors.As(err, &se) && (se.Code == sqlite3.ErrBusy || se.Code == sqlite3.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return err
}
