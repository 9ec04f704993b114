package storage

import "context"

type freshKey struct{}

// Fresh marks ctx for reads that must see what was written before them. If the
// application uses gorm.io/plugin/dbresolver before the store, reads of one
// statement go to its replicas, which are a moment behind; under a Fresh ctx
// they go to the primary, as all other reads and all writes do. Without
// replicas, and on SQLite, it changes nothing.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

// mustBeFresh reports whether a read under ctx may not go to a replica.
func (e *engine) mustBeFresh(ctx context.Context) bool {
	return e.locksRows && ctx.Value(freshKey{}) != nil
}
