package maintenance

import (
	"fmt"
	"path/filepath"
)

// NoSpaceError says that a disk has too little room for what was asked.
// Nothing was done.
type NoSpaceError struct {
	Dir  string // where the room is missing
	Need int64  // bytes
	Free int64  // bytes
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("%s has %d MB free and this needs %d MB: make room there first",
		e.Dir, e.Free>>20, (e.Need+1<<20-1)>>20)
}

// unknownSpace is what a freeSpaceFunc returns where it cannot tell.
const unknownSpace = -1

// freeSpaceFunc returns how many bytes an ordinary user may still write in
// the file system that dir is on.
type freeSpaceFunc func(dir string) (int64, error)

// needSpace refuses what needs more bytes than are free beside file.
func needSpace(free freeSpaceFunc, file string, need int64) error {
	dir := filepath.Dir(file)
	got, err := free(dir)
	if err != nil {
		return fmt.Errorf("ask how much room is free in %s: %w", dir, err)
	}
	if got != unknownSpace && got < need {
		return &NoSpaceError{Dir: dir, Need: need, Free: got}
	}
	return nil
}
