//go:build !unix

package pghost

import (
	"fmt"
	"syscall"
)

// Account exists on Unix only.
type Account struct{}

// ServerAccount returns an error: servers are started on Unix only.
func ServerAccount() (*Account, error) {
	return nil, fmt.Errorf("%w; and servers are started on Unix only: do it there", ErrMissing)
}

// Attributes exist on Unix only.
func (*Account) Attributes() *syscall.SysProcAttr { return nil }

// Own does nothing here.
func (*Account) Own(string) error { return nil }

// Passable cannot tell here.
func Passable(string) bool { return true }
