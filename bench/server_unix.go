//go:build unix

package main

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system's user that the server runs as; nil is the one who
// runs the benchmark.
type account struct{ uid, gid int }

// serverAccount is another user where root runs the benchmark, which
// PostgreSQL refuses to run as.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(found.Uid)
			gid, err2 := strconv.Atoi(found.Gid)
			return &account{uid, gid}, errors.Join(err1, err2)
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: " +
		"run the benchmark as another user")
}

// attributes give the keeper a process group of its own: what ends the
// benchmark from the terminal does not end it before it has cleaned up.
func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// folder makes one in parent that the account owns.
func (a *account) folder(parent string) (string, error) {
	folder, err := os.MkdirTemp(parent, "bench-pg-")
	if err != nil || a == nil {
		return folder, err
	}
	return folder, os.Chown(folder, a.uid, a.gid)
}

// reachable is dir, if the account may pass through all that is above it, or
// else another folder on a disk that everybody may use.
func (a *account) reachable(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil || a == nil {
		return dir
	}
	for _, folder := range []string{dir, "/var/tmp", "/tmp"} {
		if kind := filesystem(folder); passable(folder) && kind != "tmpfs" && kind != "ramfs" {
			return folder
		}
	}
	return dir // where the server will say what is wrong
}

// passable reports whether everybody may pass through a folder.
func passable(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return true
		}
		folder = parent
	}
}
