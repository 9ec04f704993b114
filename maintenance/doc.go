// Package maintenance looks after any GORM + SQLite database: it checkpoints,
// vacuums, backs up, checks and measures it while the application goes on.
//
// Each function does one thing once and returns what it did. Nothing runs in
// the background except what Guard starts, until it is stopped; nothing else is
// kept between two calls, and every function is safe for concurrent use:
//
//	result, err := maintenance.Backup(ctx, db, "backups/monday.db")
//
// They take the *gorm.DB of the application, with the plugin of package hooks
// or without it. With the plugin, what writes waits for its turn among the
// application's writers; without it, SQLite's own locks and the busy timeout
// decide. What reads, and what takes no write lock for long, has a connection
// of its own out of db.DB(). A database in memory works too, where the call
// makes sense for one: without the plugin, each connection to ":memory:" is a
// database of its own, so that db.DB() must be limited to one connection. Thin
// only looks at files.
//
// The *gorm.DB must not be inside a transaction, or the error is
// ErrInTransaction. Every call waits under its context.
package maintenance
