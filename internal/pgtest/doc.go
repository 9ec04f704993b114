// Package pgtest gives tests a real PostgreSQL server of their own.
//
// Server starts it on first use, once for a test process; Database makes an
// empty database in it for one test, and Schema, in less time, an empty schema.
// It listens on a Unix socket in a temporary folder and nowhere else, and ends
// with the process, whatever ended that: no port, no password and nothing to
// clean up.
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		dsn := pgtest.Server(t).Database(t)
//		db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{})
//		…
//	}
package pgtest
