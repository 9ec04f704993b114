//go:build unix

package maintenance

import (
	"io/fs"
	"os"
	"syscall"
)

// chown gives a file to the owner and the group of another one, if they differ.
func chown(path string, like fs.FileInfo) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	is, known := info.Sys().(*syscall.Stat_t)
	want, wanted := like.Sys().(*syscall.Stat_t)
	if !known || !wanted || is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	return os.Chown(path, int(want.Uid), int(want.Gid))
}
