package storage

import (
	"context"
	"database/sql"

	"gorm.io/gorm"
)

// eachRow runs a query and hands on its rows one at a time, so that what it
// needs does not grow with them. scan must not ask the database: on PostgreSQL
// the connection is busy with the rows.
func eachRow(tx *gorm.DB, scan func(*sql.Rows) error) (err error) {
	rows, err := tx.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err() // some rows are not all of them
}

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
