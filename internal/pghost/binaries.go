// Package pghost knows where PostgreSQL's programs are on this machine, and as
// whom a server of tests or benchmarks runs there.
package pghost

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// ErrMissing says that there is no server here.
var ErrMissing = errors.New("PostgreSQL's server is not on this machine (initdb, pg_ctl and postgres " +
	"are neither in PATH nor under /usr/lib/postgresql): apt-get install postgresql")

// debian is where Debian and its kin put the server, outside of PATH.
const debian = "/usr/lib/postgresql/*/bin"

// Binaries returns the folder of the server's programs: the one in PATH, or
// Debian's of the highest version.
func Binaries() (string, error) {
	var folders []string
	if path, err := exec.LookPath("pg_ctl"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, filepath.Dir(path))
		}
	}
	versions, err := filepath.Glob(debian)
	if err != nil {
		return "", err
	}
	slices.SortFunc(versions, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range append(folders, versions...) {
		if whole(folder) {
			return folder, nil
		}
	}
	return "", ErrMissing
}

// version returns the number in /usr/lib/postgresql/15/bin; 9.6 and what is no
// number are below all others.
func version(folder string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder)))
	return n
}

// whole reports whether all programs are there that a server needs.
func whole(folder string) bool {
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
			return false
		}
	}
	return true
}
