// Package storagetest shows that package storage keeps its promises on a
// database: another driver, version or pool than the project itself tests on,
// or an application's own callbacks and settings.
//
//	func TestStorage(t *testing.T) {
//		storagetest.Exercise(t, func(t *testing.T) *gorm.DB {
//			db, err := gorm.Open(postgres.Open(newDatabase(t)), &gorm.Config{})
//			…
//			return db
//		})
//	}
//
// Exercise runs the promises of the API; CrashPoints fails an operation at each
// of its statements and commits and looks at what is left. Both call open for
// every part, and need a new database each time, in which nothing is stored and
// the store is not in use. open itself must close what it opens, with
// t.Cleanup. They write to the store's tables alone, and on SQLite to an
// archive in t.TempDir, and they wait for nothing but the database.
package storagetest
