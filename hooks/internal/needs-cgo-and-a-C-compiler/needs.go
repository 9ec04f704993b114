//go:build cgo

// Package needs is empty. Where cgo is off, which it is by itself on a machine
// without a C compiler, its path is what a build says in place of a list of
// names that github.com/mattn/go-sqlite3 does not have there.
package needs
