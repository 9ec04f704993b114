// Package storage is FlashMath's storage: users, practice sessions, answers,
// mastery, leagues, shop and coins, in the application's own database.
//
// One line puts it into an application that uses GORM:
//
//	store := storage.New(storage.Config{})
//	if err := db.Use(store); err != nil { … }
//	defer store.Close()
//
// On SQLite it brings the hooks plugin along, and it migrates its tables at
// start-up. On PostgreSQL, opened with gorm.io/driver/postgres, everything is
// the same; how the two differ inside is in row_locks.go, postgres.go,
// inserts_postgres.go and answers_postgres.go, and in what archive.go and
// ranks.go say of themselves.
//
// Each noun is a field of Store; store.In(tx) is the same API inside a
// transaction of the caller's. Everything is safe for concurrent use, every
// method takes the context first and honours it, and every error says what
// happened to what: bad input is an *InvalidError and changes nothing.
package storage
