package storage

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// RebuildResult says what a rebuilding changed.
type RebuildResult struct {
	Users   int `json:"users"`   // that were looked at
	Added   int `json:"added"`   // levels that were missing
	Changed int `json:"changed"` // levels that were different
	Removed int `json:"removed"` // levels that were surplus
}

// Rows is how many levels were written or removed: 0 where all was well.
func (r RebuildResult) Rows() int { return r.Added + r.Changed + r.Removed }

func (r RebuildResult) plus(other RebuildResult) RebuildResult {
	return RebuildResult{
		Users: r.Users + other.Users, Added: r.Added + other.Added,
		Changed: r.Changed + other.Changed, Removed: r.Removed + other.Removed,
	}
}

// Rebuild makes what is stored for a user's facts agree with the answer log, in
// one transaction (N8). It changes only what Verify finds different, and queues
// the user for the next rollup; if all is well, it writes nothing and does not
// wait for the writer. It may be repeated. It returns ErrNotFound when there is
// no such user.
func (s *Mastery) Rebuild(ctx context.Context, userID int64) (result RebuildResult, err error) {
	differences, err := s.Verify(ctx, userID)
	if err != nil {
		return result, err
	}
	if len(differences) == 0 {
		return RebuildResult{Users: 1}, nil
	}
	err = s.engine.write(ctx, func(u *unit) error {
		result, err = u.rebuildMastery(userID)
		return err
	})
	if err != nil {
		return RebuildResult{}, err // all of it is rolled back
	}
	return result, nil
}

// RebuildAll rebuilds all users, in the order of their ids, each in a
// transaction of their own: others write in between. After a change of
// Rules.Mastery it brings every level to the new rule. After an error the
// result says what was done so far; it may be called again.
func (s *Mastery) RebuildAll(ctx context.Context) (result RebuildResult, err error) {
	err = s.engine.eachUser(ctx, func(userID int64) error {
		one, err := s.Rebuild(ctx, userID)
		if errors.Is(err, ErrNotFound) {
			return nil // left meanwhile
		}
		if err != nil {
			return fmt.Errorf("rebuild the levels of user %d: %w", userID, err)
		}
		result = result.plus(one)
		return nil
	})
	return result, err
}

// rebuildMastery looks again, with the user locked as whoever books answers has
// them locked: none comes between the fold and what is written of it.
func (u *unit) rebuildMastery(userID int64) (RebuildResult, error) {
	result := RebuildResult{Users: 1}
	if _, err := u.lockUser(userID); err != nil {
		return RebuildResult{}, err
	}
	differences, err := u.masteryDifferences(userID)
	if err != nil || len(differences) == 0 {
		return result, err
	}
	var right, surplus []models.MasteryStat
	for _, d := range differences {
		switch d.Kind {
		case DifferenceMissing:
			result.Added++
			right = append(right, *d.Computed)
		case DifferenceDifferent:
			result.Changed++
			right = append(right, *d.Computed)
		case DifferenceSurplus:
			result.Removed++
			surplus = append(surplus, *d.Stored)
		}
	}
	err = firstError(
		func() error { return u.saveMastery(right) },
		func() error { return u.removeMastery(surplus) },
		func() error { _, err := u.put(insertRollupTasks, []any{userID}); return err },
	)
	return result, err
}

// removeMastery takes levels away, and with each its summary, which no rollup
// would touch any more.
func (u *unit) removeMastery(stats []models.MasteryStat) error {
	for _, s := range stats {
		for _, table := range []schema.Tabler{&models.MasteryStat{}, &models.MasteryRollup{}} {
			err := u.table(table).Where("user_id = CAST(? AS BIGINT) AND operation = ? AND fact = ?",
				s.UserID, s.Operation, s.Fact).Delete(table).Error
			if err != nil {
				return err
			}
		}
	}
	return nil
}
