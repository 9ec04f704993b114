package maintenance

import (
	"os"
	"path/filepath"
	"strconv"
)

// otherProcesses counts the other processes that have the file open, of those
// that this user may look at.
func otherProcesses(path string) int {
	if path == "" {
		return 0 // in memory
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return -1
	}
	file, err := os.Stat(path)
	if err != nil {
		return -1
	}
	n := 0
	for _, process := range processes {
		if pid, err := strconv.Atoi(process.Name()); err == nil && pid != os.Getpid() && hasOpen(pid, file) {
			n++
		}
	}
	return n
}

// hasOpen asks by the links of the process: to open the file here and close it
// again would end all locks of this process on it.
func hasOpen(pid int, file os.FileInfo) bool {
	folder := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, entry := range entries {
		if open, err := os.Stat(filepath.Join(folder, entry.Name())); err == nil && os.SameFile(file, open) {
			return true
		}
	}
	return false
}
