// Package transfer moves a store between engines: it makes one database a copy
// of another, row for row, from SQLite to PostgreSQL, back, or between two of
// a kind.
//
// Copy compares both, table by table in the order of their keys, and writes
// what differs: rows that the target lacks are added, rows that changed are
// overwritten, and those that the source no longer has (erased users) are
// removed. There is nothing else to remember: a copy that was stopped goes on
// where the rows end, and a second copy carries over what came since. At the
// end both sides are counted, and a checksum over all rows of each table proves
// that they are the same.
//
// It is a layer of its own: it knows models, migrations and GORM, and nothing
// of package storage. What it does not copy is the list of migrations that were
// applied: each database has its own.
package transfer
