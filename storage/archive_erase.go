package storage

import (
	"context"
	"errors"

	"github.com/flashstore/flashstore/models"
)

var (
	nextArchived = declare(`
SELECT user_id FROM {answer_archive} WHERE user_id > CAST(? AS BIGINT) ORDER BY user_id LIMIT 1`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id>?)")
	userIDsOf = declare(`SELECT id FROM {users} WHERE id IN ?`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)")
)

// sweepArchive removes what the file has of users who no longer exist, and
// returns how many answers. On PostgreSQL they go with their users.
func (e *engine) sweepArchive(ctx context.Context) (removed int64, err error) {
	if e.locksRows {
		return 0, nil
	}
	for after := int64(0); ; {
		var ids, gone []int64
		err := e.read(ctx, func(u *unit) (err error) {
			if ids, err = u.archivedUsers(after); err == nil {
				gone, err = u.whoLeft(ids)
			}
			return err
		})
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		n, err := e.forget(ctx, gone)
		if removed += n; err != nil {
			return removed, err
		}
		after = ids[len(ids)-1]
	}
}

// archivedUsers returns the next users whose answers are in the archive.
func (u *unit) archivedUsers(after int64) (ids []int64, err error) {
	archive, err := u.archive()
	for err == nil && len(ids) < userPage {
		var next []int64
		if err = archive.raw(nextArchived, after).Scan(&next).Error; len(next) == 0 {
			break
		}
		after = next[0]
		ids = append(ids, after)
	}
	return ids, err
}

// whoLeft returns which of the users no longer exist.
func (u *unit) whoLeft(ids []int64) (gone []int64, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var there []int64
	if err := u.raw(userIDsOf, ids).Scan(&there).Error; err != nil {
		return nil, err
	}
	stayed := make(map[int64]bool, len(there))
	for _, id := range there {
		stayed[id] = true
	}
	for _, id := range ids {
		if !stayed[id] {
			gone = append(gone, id)
		}
	}
	return gone, nil
}

// forget removes from the file what it has of users who are erased, and returns
// how many answers. That they are erased survives a power failure from then on.
func (e *engine) forget(ctx context.Context, users []int64) (removed int64, err error) {
	if len(users) == 0 || e.locksRows {
		return 0, nil
	}
	file, err := e.archiveFile(ctx)
	if err != nil {
		return 0, err
	}
	if err := e.makeDurable(ctx); err != nil {
		return 0, err
	}
	err = file.write(ctx, func(u *unit) error {
		deleted := u.table(models.ArchivedAnswer{}).Where("user_id IN ?", users).Delete(&models.ArchivedAnswer{})
		removed = deleted.RowsAffected
		return deleted.Error
	})
	return removed, err
}

// inFile reports whether the archive's file has answers of a user. One with a
// horizon has, and then the file must be there; without, a copy may have been
// interrupted before anything was deleted from the log.
func (u *unit) inFile(userID int64, horizon *models.ArchiveHorizon) (bool, error) {
	if horizon != nil {
		_, err := u.archive()
		return true, err
	}
	if u.moved.path == "" {
		return false, nil
	}
	archive, err := u.archive()
	if missing := (*ArchiveError)(nil); errors.As(err, &missing) {
		return false, nil // there is none yet
	}
	if err != nil {
		return false, err
	}
	var next []int64
	err = archive.raw(nextArchived, userID-1).Scan(&next).Error
	return len(next) > 0 && next[0] == userID, err
}

// forgetLeft completes an Erase that was interrupted after its commit.
func (e *engine) forgetLeft(ctx context.Context, userID int64) error {
	if e.queue == nil || e.locksRows {
		return nil
	}
	var left bool
	err := e.read(ctx, func(u *unit) (err error) {
		left, err = u.inFile(userID, nil)
		return err
	})
	if err == nil && left {
		_, err = e.forget(ctx, []int64{userID})
	}
	return err
}
