package hooks

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// shmAlive is the byte of a -shm file that every process which has the
// database open keeps locked: UNIX_SHM_DMS of SQLite's os_unix.c.
const shmAlive = 128

// otherProcess returns the id of another process that has the write-ahead log
// of path open, 0 for one that has no id here, such as one of another
// container.
//
// It asks for the lock by SQLite's own descriptor. To open the file and close
// it again would end all locks of this process on it.
func otherProcess(path string) (pid int, found bool) {
	for _, fd := range descriptors(path + "-shm") {
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: shmAlive, Len: 1}
		if err := syscall.FcntlFlock(fd, syscall.F_GETLK, &lock); err == nil && lock.Type != syscall.F_UNLCK {
			return max(int(lock.Pid), 0), true
		}
	}
	return 0, false
}

// descriptors returns those of this process that are of the file at path.
func descriptors(path string) []uintptr {
	const own = "/proc/self/fd"
	file, err := os.Stat(path)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(own)
	if err != nil {
		return nil
	}
	var found []uintptr
	for _, entry := range entries {
		fd, err := strconv.ParseUint(entry.Name(), 10, 31)
		if err != nil {
			continue
		}
		if open, err := os.Stat(filepath.Join(own, entry.Name())); err == nil && os.SameFile(file, open) {
			found = append(found, uintptr(fd))
		}
	}
	return found
}
