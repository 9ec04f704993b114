package hooks

import "gorm.io/gorm"

// TakeOver says that the calling goroutine goes on with tx, which another one
// has begun: from now on it is named as the one that holds the writer, and told
// when it waits for itself. It is for code that hands a transaction from
// goroutine to goroutine, as package writequeue does; one at a time may use it.
func TakeOver(tx *gorm.DB) {
	if begun := beganThrough(tx); begun != nil && begun.ticket != nil && !begun.ticket.left.Load() && !begun.ticket.lane.isMine() {
		from := here()
		begun.ticket.lane.inside.Store(&from)
	}
}

// WaitsForItself returns a *SelfWaitError where the calling goroutine is in a
// transaction that holds the writer of db, and nil otherwise: waiting for
// another turn on db, it would wait for itself.
func WaitsForItself(db *gorm.DB) error {
	p, ok := db.Plugins[Name].(*Plugin)
	if !ok || p.pool == nil || !p.pool.lane.isMine() {
		return nil
	}
	return &SelfWaitError{Site: p.pool.lane.holder().Site}
}

// beganThrough returns the transaction of the plugin that tx is in, or nil. One
// that somebody has wrapped says what is inside with Unwrap.
func beganThrough(tx *gorm.DB) *transaction {
	pool := tx.Statement.ConnPool
	if outer, ok := pool.(interface{ Unwrap() gorm.ConnPool }); ok {
		pool = outer.Unwrap()
	}
	if wrapped, ok := pool.(*gorm.PreparedStmtTX); ok {
		pool = wrapped.Tx
	}
	begun, _ := pool.(*transaction)
	return begun
}
