package hooks

import "gorm.io/gorm"

// steps are those of GORM's between the begin and the commit of the transaction
// that it puts around a create, an update or a delete.
var steps = struct{ create, update, delete []string }{
	create: []string{
		"gorm:before_create", "gorm:save_before_associations", "gorm:create", "gorm:save_after_associations", "gorm:after_create",
	},
	update: []string{
		"gorm:setup_reflect_value", "gorm:before_update", "gorm:save_before_associations", "gorm:update",
		"gorm:save_after_associations", "gorm:after_update",
	},
	delete: []string{"gorm:before_delete", "gorm:delete_before_associations", "gorm:delete", "gorm:after_delete"},
}

// undoPanics puts itself around these steps. What they call of the
// application's, a BeforeCreate for example, may panic, and GORM leaves its
// transaction open then: with one writer nobody would write any more.
func undoPanics(db *gorm.DB) error {
	calls := db.Callback()
	if err := undoIn(calls.Create(), steps.create); err != nil {
		return err
	}
	if err := undoIn(calls.Update(), steps.update); err != nil {
		return err
	}
	return undoIn(calls.Delete(), steps.delete)
}

// processor has the steps of one operation.
type processor interface {
	Get(name string) func(*gorm.DB)
	Replace(name string, fn func(*gorm.DB)) error
}

func undoIn(of processor, names []string) error {
	for _, name := range names {
		step := of.Get(name)
		if step == nil {
			continue // the application has taken it away
		}
		if err := of.Replace(name, undoing(step)); err != nil {
			return err
		}
	}
	return nil
}

// undoing returns step, which rolls back the transaction that GORM has begun
// where it does not return.
func undoing(step func(*gorm.DB)) func(*gorm.DB) {
	return func(db *gorm.DB) {
		returned := false
		defer func() {
			if returned {
				return
			}
			if _, began := db.InstanceGet("gorm:started_transaction"); began {
				db.Rollback()
			}
		}()
		step(db)
		returned = true
	}
}
