//go:build unix

package pghost

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the system's user that a server runs as; nil is the one who runs
// this program.
type Account struct{ uid, gid int }

// ServerAccount returns the account that a server runs as: an unprivileged one
// if root, as whom PostgreSQL refuses to run, runs this program, or else nil.
func ServerAccount() (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.Atoi(found.Uid)
			gid, err2 := strconv.Atoi(found.Gid)
			if err1 == nil && err2 == nil {
				return &Account{uid, gid}, nil
			}
		}
	}
	return nil, fmt.Errorf("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: " +
		"do it as another user")
}

// Attributes give the keeper of a server a process group of its own: what ends
// this program from the terminal does not end it before it has cleaned up.
func (a *Account) Attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// Own gives the account a folder.
func (a *Account) Own(folder string) error {
	if a == nil {
		return nil
	}
	return os.Chown(folder, a.uid, a.gid)
}

// Passable reports whether everybody may pass through the folder.
func Passable(folder string) bool {
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
