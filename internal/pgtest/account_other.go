//go:build !unix

package pgtest

import (
	"fmt"
	"os"
	"syscall"
)

// account is of Unix; here there is none.
type account struct{}

func serverUser() (*account, error) {
	return nil, fmt.Errorf("%w; and this helper knows Unix only: run these tests there", errMissing)
}

func (*account) attributes() *syscall.SysProcAttr { return nil }

func newFolder(*account) (string, error) { return os.MkdirTemp("", "flashstore-pg-") }
