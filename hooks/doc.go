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
// The package knows nothing of the rest of this module.
package hooks
