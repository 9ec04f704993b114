// Package writequeue is group commit for GORM: calls that wait at the same time
// share one transaction and its one sync of the disk, and each gets an answer
// of its own.
//
//	q := writequeue.New(db, writequeue.Config{})
//	defer q.Close()
//	err := q.Do(ctx, func(tx *gorm.DB) error { return tx.Create(&row).Error })
//
// SQLite has one writer, and a commit costs the same for one row as for a
// hundred: what breaks down first is the line in front of it. A call that is
// alone starts at once. There is no goroutine in the background: the callers do
// the work, one after the other, each in its own goroutine, and the last of a
// group commits for all.
//
// Each call of a group has a savepoint of its own: one that fails, panics or
// runs out of time takes nobody along. No call returns before what it wrote is
// committed.
//
// Bulk goes further where calls are data: it hands what waits to one function,
// which writes all of it in a few statements; on a server, where each round trip
// counts, with AtOnce in a single one.
//
// It works over any GORM dialect. Without package hooks a call that is made
// inside another one's function is not noticed, and waits for itself.
package writequeue
