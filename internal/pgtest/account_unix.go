//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the system's user that the server runs as; nil is the one who
// runs the tests.
type account struct{ uid, gid int }

// serverUser returns nobody in particular where the tests run as root, which
// PostgreSQL refuses to do.
func serverUser() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(found.Uid)
			gid, err2 := strconv.Atoi(found.Gid)
			if err1 == nil && err2 == nil {
				return &account{uid, gid}, nil
			}
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: " +
		"run the tests as another user")
}

// attributes gives the keeper a process group of its own: what ends the tests
// from the terminal does not end it before it has cleaned up.
func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// maxFolder leaves room for the socket's own name: its path has at most 107
// bytes on Linux and 103 elsewhere.
const maxFolder = 103 - len("/.s.PGSQL.5432.lock")

// newFolder makes a folder that the account owns, with a short path, below
// folders that it may pass through.
func newFolder(owner *account) (string, error) {
	parent := os.TempDir()
	if len(parent)+len("/flashstore-pg-1234567890") > maxFolder || owner != nil && !passable(parent) {
		parent = "/tmp"
	}
	folder, err := os.MkdirTemp(parent, "flashstore-pg-")
	if err != nil || owner == nil {
		return folder, err
	}
	return folder, os.Chown(folder, owner.uid, owner.gid)
}

// passable reports whether everybody may pass through the folder.
func passable(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if parent := filepath.Dir(folder); parent != folder {
			folder = parent
			continue
		}
		return true
	}
}
