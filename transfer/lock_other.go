//go:build !linux && !darwin

package transfer

// lockFile locks nothing: here two copies into one file are not kept apart.
// They write the same rows, or find at the end that they disagree.
func lockFile(string) (unlock func() error, err error) { return func() error { return nil }, nil }
