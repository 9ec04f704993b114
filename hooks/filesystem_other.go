//go:build !linux && !darwin

package hooks

import "io/fs"

// None of this can be told here; SQLite says so itself when it meets it.
func fileSystemType(string) (string, error) { return "", nil }
func freeSpace(string) (int64, error)       { return unknownSpace, nil }
func writable(string) error                 { return nil }
func exposure(string) (fs.FileMode, error)  { return 0, nil }
