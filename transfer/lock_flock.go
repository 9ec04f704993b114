//go:build linux || darwin

package transfer

import (
	"errors"
	"os"
	"syscall"
)

// lockFile makes a file and locks it, or returns ErrOtherCopy. The system lets
// go of the lock with the process, however that ends; the file is taken over.
func lockFile(path string) (unlock func() error, err error) {
	for {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			if errors.Is(err, syscall.EWOULDBLOCK) {
				err = ErrOtherCopy
			}
			return nil, errors.Join(err, file.Close())
		}
		there, err := isAt(file, path)
		if there && err == nil {
			return func() error { return errors.Join(os.Remove(path), file.Close()) }, nil
		}
		// Who had it before has removed it: this lock is one that nobody sees.
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
	}
}

// isAt reports whether a file still has its name.
func isAt(file *os.File, path string) (bool, error) {
	opened, err := file.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, named), err
}
