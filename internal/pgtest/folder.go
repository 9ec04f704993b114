package pgtest

import (
	"os"

	"github.com/flashstore/flashstore/internal/pghost"
)

// maxFolder leaves room for the socket's own name: its path has at most 107
// bytes on Linux and 103 elsewhere.
const maxFolder = 103 - len("/.s.PGSQL.5432.lock")

// newFolder makes a folder that the account owns, with a short path, below
// folders that it may pass through.
func newFolder(owner *pghost.Account) (string, error) {
	parent := os.TempDir()
	if len(parent)+len("/flashstore-pg-1234567890") > maxFolder || owner != nil && !pghost.Passable(parent) {
		parent = "/tmp"
	}
	folder, err := os.MkdirTemp(parent, "flashstore-pg-")
	if err != nil {
		return "", err
	}
	return folder, owner.Own(folder)
}
