//go:build sqlite_fts5

package storage_test

// hasFTS5 says that SQLite has FTS5 here.
const hasFTS5 = true
