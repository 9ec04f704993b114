package maintenance

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"
)

// sidecars are the files that SQLite keeps beside a database. One that is left
// of an older database would be played into the copy (T23).
var sidecars = []string{"-wal", "-shm", "-journal"}

// refuseExisting refuses a path that is taken, before any work is done. What
// comes there later place finds out.
func refuseExisting(path string) error {
	for _, suffix := range append([]string{""}, sidecars...) {
		_, err := os.Lstat(path + suffix)
		if err == nil {
			return existsError(path + suffix)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func existsError(path string) error {
	return fmt.Errorf("%s: %w: choose another name, or move that file away", path, fs.ErrExist)
}

// createTemp makes an empty file beside path, under a name of its own, and
// returns its absolute path.
func createTemp(path string) (string, error) {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, ".backup-*.partial")
	if err != nil {
		return "", fmt.Errorf("make a file beside it (does its folder exist, and may this user write there?): %w", err)
	}
	return file.Name(), file.Close()
}

// removeTemp removes what is left of the temporary file. It is no error if
// nothing is.
func removeTemp(temp string) error {
	err := os.Remove(temp)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, removeSidecars(temp))
}

// removeSidecars removes what lies beside a path that has no database.
func removeSidecars(path string) error {
	var errs []error
	for _, suffix := range sidecars {
		if err := os.Remove(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// moveSidecars gives what lies beside a path the name of another.
func moveSidecars(path, to string) error {
	var errs []error
	for _, suffix := range sidecars {
		if err := os.Rename(path+suffix, to+suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// openTemp opens the temporary file with SQLite. It is synced once, at the
// end, and its journal is of no use to anybody.
func openTemp(temp string) (*sqlite3.SQLiteConn, error) {
	conn, err := (&sqlite3.SQLiteDriver{}).Open(fileURI(temp) + "?mode=rw&_synchronous=OFF&_journal_mode=MEMORY")
	if err != nil {
		return nil, err
	}
	return conn.(*sqlite3.SQLiteConn), nil
}

// readOnlyURI is where to attach the temporary file: nobody writes to it, so
// that no lock and no other file is needed, and the connection that it is
// attached to may be one to a database in memory, with a VFS of another kind.
func readOnlyURI(temp string) string {
	vfs := "unix"
	if runtime.GOOS == "windows" {
		vfs = "win32"
	}
	return fileURI(temp) + "?mode=ro&immutable=1&vfs=" + vfs
}

// fileURI returns an absolute path as SQLite reads it in a URI, whatever
// characters are in it.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path}).String()
}

// leaveWAL puts a database in rollback journal mode, and makes sure of it.
func leaveWAL(conn *sqlite3.SQLiteConn) (err error) {
	rows, err := conn.Query("PRAGMA journal_mode=DELETE", nil)
	if err != nil {
		return fmt.Errorf("set the copy's journal_mode: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	mode := make([]driver.Value, 1)
	if err := rows.Next(mode); err != nil {
		return fmt.Errorf("set the copy's journal_mode: %w", err)
	}
	if fmt.Sprint(mode[0]) != "delete" {
		return fmt.Errorf("set the copy's journal_mode: it is %v after it was set to delete", mode[0])
	}
	return nil
}

// syncFile brings a file to the disk and returns its size.
func syncFile(path string) (bytes int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Sync(); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// place gives temp the name path, unless that is taken, and brings the name to
// the disk.
func place(temp, path string) error {
	if err := rename(temp, path); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// rename makes a link, which is made or not made, where os.Rename would
// overwrite what has come to path in the meantime.
func rename(temp, path string) error {
	err := os.Link(temp, path)
	switch {
	case err == nil:
		return os.Remove(temp)
	case errors.Is(err, fs.ErrExist):
		return existsError(path)
	}
	return renameWithoutLink(temp, path)
}

// renameWithoutLink is rename for file systems that know of no hard links. It
// claims the name with an empty file, which only one can make, and renames
// over that.
func renameWithoutLink(temp, path string) error {
	claim, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return existsError(path)
	}
	if err != nil {
		return err
	}
	err = claim.Close()
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncDir brings a directory's entries to the disk, where that can be done.
func syncDir(path string) (err error) {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}
