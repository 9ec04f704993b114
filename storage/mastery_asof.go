package storage

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/flashstore/flashstore/models"
)

// AsOf returns what was known of every fact of an operation at a moment, in
// the order of the facts' spelling: a fold, by the store's rules, of the
// answers whose ids are of that millisecond or before. An answer that arrived
// late counts from the time in its id. It reads the user's log up to there, and
// so takes the longer the more answers there are; for the present, Operation is
// quicker. It returns an *InvalidError for a time before 1970 or after 9999,
// and an *ArchiveError where answers of the user were moved to an archive that
// cannot be read.
func (s *Mastery) AsOf(ctx context.Context, userID int64, operation string, at time.Time) (stats []models.MasteryStat, err error) {
	if at, err = checkTime("at", at); err != nil {
		return nil, err
	}
	operation, _ = normalizeOperation(operation)
	err = s.engine.snapshotWithArchive(ctx, func(u *unit) error {
		stats, err = u.foldLog(userID, firstIDAfter(at), operation)
		return err
	})
	return stats, err
}

// firstIDAfter returns what is greater than every id up to a millisecond, and
// smaller than every later one.
func firstIDAfter(at time.Time) (id models.ID) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli()+1)<<16) // 48 bits are time
	return id
}
