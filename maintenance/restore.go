package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// ErrInUse means that another connection has the database open.
var ErrInUse = errors.New("the database is open elsewhere: stop every program that uses it, and restore again")

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
// would replay into it (T23).
//
// It returns ErrInUse, as far as that can be seen, a *NoSpaceError or
// ErrDamaged; then the database at path is as it was.
func Restore(ctx context.Context, backup, path string) (RestoreResult, error) {
	start := time.Now()
	result, err := restore(ctx, backup, path)
	if err != nil {
		return RestoreResult{}, fmt.Errorf("restore %s from %s: %w", path, backup, err)
	}
	result.Duration = time.Since(start)
	return result, nil
}

func restore(ctx context.Context, backup, path string) (result RestoreResult, err error) {
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
	replaced, err := moveAside(path)
	if err != nil {
		return result, err
	}
	if err := place(fresh, path); err != nil {
		if replaced != "" {
			err = errors.Join(err, os.Rename(replaced, path))
		}
		return result, err
	}
	return RestoreResult{Path: path, Replaced: replaced, Bytes: copied.Bytes}, nil
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

// moveAside gives the database at path another name, alone and complete, and
// returns it; "" where there is no database.
func moveAside(path string) (string, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", removeSidecars(path)
	}
	if err := settle(path); err != nil {
		return "", err
	}
	aside := fmt.Sprintf("%s.replaced-%s", path, time.Now().UTC().Format("20060102T150405.000000000"))
	if err := os.Rename(path, aside); err != nil {
		return "", err
	}
	return aside, removeSidecars(path)
}

// settle takes a database's log in and leaves WAL mode, which nobody can do
// while another connection has it open. One that is damaged is moved as it is.
func settle(path string) (err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	opened, err := (&sqlite3.SQLiteDriver{}).Open(fileURI(absolute) + "?mode=rw&_busy_timeout=250")
	if isDamage(err) {
		return nil
	}
	if err != nil {
		return inUse(err)
	}
	conn := opened.(*sqlite3.SQLiteConn)
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = leaveWAL(conn)
	if isDamage(err) {
		return nil
	}
	return inUse(err)
}

// inUse says what a lock that another connection holds means here.
func inUse(err error) error {
	var se sqlite3.Error
	if errors.As(err, &se) && (se.Code == sqlite3.ErrBusy || se.Code == sqlite3.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return err
}
