//go:build linux || darwin

package hooks

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// freeSpace returns how many bytes an ordinary user may still write in the
// file system that dir is on. It knows nothing of a user's quota.
func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // Bsize is an int64 on Linux and a uint32 on macOS
}

// mayWrite is W_OK of access(2).
const mayWrite = 2

// writable asks the system, which knows of owners, lists and read-only mounts.
func writable(path string) error { return syscall.Access(path, mayWrite) }

// exposure returns what every user of the machine may do with a file, by its
// permissions and by those of the directories above it: the bits of 0o006.
func exposure(path string) (fs.FileMode, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	open := info.Mode().Perm() & 0o006
	for dir := filepath.Dir(path); open != 0; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return 0, err // nobody gets past it
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return open, nil
}
