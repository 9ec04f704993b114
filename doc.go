// Package flashstore makes SQLite safe and fast under GORM. On top of that it
// is the storage of FlashMath, an arithmetic-training game.
//
// Its rooms are packages of their own:
//
//   - hooks: SQLite under any GORM application, with one db.Use
//   - writequeue: group commit for any GORM application
//   - storage: the game's users, sessions, mastery, leagues, shop and coins,
//     with one db.Use
//   - models: their rows
//   - migrations: their schema's history
//   - maintenance: checkpoint, vacuum, backup, check and statistics for any
//     GORM + SQLite database
//   - transfer: moves a store between SQLite and PostgreSQL
//   - storagetest: the promises of storage, run against any database
//   - cmd/flashstore: the command line
//
// Start with the README, or with the Example of this package.
package flashstore
