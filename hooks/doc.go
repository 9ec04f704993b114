// Package hooks is a GORM plugin that makes SQLite safe and fast under any
// GORM application.
//
// One line puts it to use, right after gorm.Open:
//
//	err := db.Use(hooks.New(hooks.Config{}))
//
// From then on every connection has the same pragmas, read back one by one;
// writers take turns in Go, first come, first served, under their context, on
// the one connection that writes; reads go to connections that cannot write
// and never wait for the writer; every writing transaction begins IMMEDIATE.
// The application's code stays as it is.
//
// The pragmas are busy_timeout, auto_vacuum=INCREMENTAL in a new file,
// journal_mode=WAL, synchronous, cache_size, temp_store=MEMORY, mmap_size,
// foreign_keys=ON, wal_autocheckpoint and journal_size_limit (64 MiB); query_only
// on connections that read. Config has those that are a matter of choice. What
// the data source name says of any of them, of _txlock or of cache is not used;
// its other parameters are, and pragmas that stand in it as parameters of the
// driver are set on every connection. Two of them an application may notice:
// WAL stays with the file, and foreign keys are enforced, which SQLite, and GORM
// with it, leaves off.
//
// The package knows nothing of the rest of this module.
package hooks
