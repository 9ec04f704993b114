//go:build !unix

package maintenance

import "io/fs"

// chown does nothing: files have no owner that is a number here.
func chown(string, fs.FileInfo) error { return nil }
