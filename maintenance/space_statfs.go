//go:build linux || darwin

package maintenance

import "syscall"

// freeSpace asks the file system. The types of its fields differ between the
// systems that have them.
func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * int64(fs.Bsize), nil //nolint:unconvert // Bsize is an int64 on Linux and a uint32 on macOS
}
