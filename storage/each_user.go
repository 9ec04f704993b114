package storage

import "context"

// userPage is how many ids of users are read at once.
const userPage = 500

var userIDsAfter = declare(`
SELECT id FROM {users} WHERE id > CAST(? AS BIGINT) ORDER BY id LIMIT CAST(? AS BIGINT)`,
	"SEARCH users USING INTEGER PRIMARY KEY (rowid>?)")

// eachUser calls fn with the id of every user, in order, and stops at its
// first error. No transaction is open meanwhile: a user may have left when fn
// is called for them.
func (e *engine) eachUser(ctx context.Context, fn func(userID int64) error) error {
	for after := int64(0); ; {
		var ids []int64
		err := e.read(ctx, func(u *unit) error { return u.raw(userIDsAfter, after, userPage).Scan(&ids).Error })
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := fn(id); err != nil {
				return err
			}
		}
		if len(ids) < userPage {
			return nil
		}
		after = ids[len(ids)-1]
	}
}
