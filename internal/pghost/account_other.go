//go:build !unix

package pghost

import (
	"fmt"
	"syscall"
)

// Account is of Unix; here there is none.
type Account struct{}

// ServerAccount returns an error: what starts servers knows Unix only.
func ServerAccount() (*Account, error) {
	return nil, fmt.Errorf("%w; and what starts it knows Unix only: do it there", ErrMissing)
}

// Attributes are of Unix.
func (*Account) Attributes() *syscall.SysProcAttr { return nil }

// Own is of Unix.
func (*Account) Own(string) error { return nil }

// Passable is of Unix.
func Passable(string) bool { return true }
