// Package migrations is the sealed history of FlashMath's schema: plain SQL,
// one text per dialect, run by gormigrate in one transaction.
//
// The storage plugin runs it at start-up; Up, Down and Status run it by hand.
// A migration never changes once it has landed, and knows no models. Any
// number of processes may start together: each migration is applied once. A
// database that is not what the history says is refused before anything in it
// is changed.
//
// It runs on SQLite and on PostgreSQL (gorm.io/driver/postgres, which the
// application imports). On PostgreSQL the tables are in the first schema of the
// connection's search path, an advisory lock of the transaction keeps two runs
// of one prefix apart, and Check and Status write nothing, so that they can be
// asked of a standby.
package migrations
