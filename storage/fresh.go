package storage

import "context"

type freshKey struct{}

// Fresh marks ctx for reads that must see what was written before them. Where
// the application sends reads to replicas with gorm.io/plugin/dbresolver, used
// before the store, those of one statement go there, and replicas are a moment
// behind; with a ctx of Fresh they go to the primary, as all others and all
// writes do. Without replicas, and on SQLite, it changes nothing.
func Fresh(ctx context.Context) context.Context { return context.WithValue(ctx, freshKey{}, true) }

// mustBeFresh reports whether a read under ctx may not go to a replica.
func (e *engine) mustBeFresh(ctx context.Context) bool {
	return e.locksRows && ctx.Value(freshKey{}) != nil
}
