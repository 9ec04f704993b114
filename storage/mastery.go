package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// Mastery is how well each user knows each fact: a fold of the answer log in
// the order of the answers' ids.
type Mastery struct{ engine *engine }

// Fact returns what is known of one fact of a user, in any spelling, or
// ErrNotFound where it was never answered.
func (s *Mastery) Fact(ctx context.Context, userID int64, operation, fact string) (stat models.MasteryStat, err error) {
	operation, _ = normalizeOperation(operation)
	err = s.engine.read(ctx, func(u *unit) error {
		found, err := u.masteryOf(userID, operation, []string{NormalizeFact(fact)})
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("user %d never answered %q in %q: %w", userID, fact, operation, ErrNotFound)
		}
		if err == nil {
			stat = found[0]
		}
		return err
	})
	return stat, err
}

// Operation returns every fact of an operation that the user has answered, in
// the order of the facts' spelling (S9).
func (s *Mastery) Operation(ctx context.Context, userID int64, operation string) (stats []models.MasteryStat, err error) {
	operation, _ = normalizeOperation(operation)
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(masteryByOperation, userID, operation).Scan(&stats).Error
	})
	return stats, err
}

// Weakest returns up to limit facts that the user knows least: the lowest
// level first, then the smaller share of right answers, then the slower. An
// empty operation means all of them. By default, with a limit of 0, 50; at
// the most 1000.
func (s *Mastery) Weakest(ctx context.Context, userID int64, operation string, limit int) (stats []models.MasteryStat, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		if operation == "" {
			return u.raw(masteryOfUser, userID).Scan(&stats).Error
		}
		word, _ := normalizeOperation(operation)
		return u.raw(masteryByOperation, userID, word).Scan(&stats).Error
	})
	// A user has hundreds of facts: sorted here, they need no index of their
	// own, which every answer would have to keep.
	slices.SortStableFunc(stats, weaker)
	return stats[:min(limit, len(stats))], err
}

// weaker orders facts from the least known.
func weaker(a, b models.MasteryStat) int {
	return cmp.Or(
		cmp.Compare(a.MasteryLevel, b.MasteryLevel),
		cmp.Compare(a.CorrectCount*b.Attempts, b.CorrectCount*a.Attempts),
		cmp.Compare(b.TotalResponseMS*a.Attempts, a.TotalResponseMS*b.Attempts),
		strings.Compare(a.Operation, b.Operation),
		strings.Compare(a.Fact, b.Fact),
	)
}

var (
	masteryOfUser = declare(`
SELECT * FROM {mastery_stats} WHERE user_id = ? ORDER BY operation, fact`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=?)")
	masteryByOperation = declare(`
SELECT * FROM {mastery_stats} WHERE user_id = ? AND operation = ? ORDER BY fact`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=? AND operation=?)")
	masteryOfFacts = declare(`
SELECT * FROM {mastery_stats} WHERE user_id = ? AND operation = ? AND fact IN ?`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=? AND operation=? AND fact=?)")
)

func (u *unit) masteryOf(userID int64, operation string, facts []string) ([]models.MasteryStat, error) {
	return find[models.MasteryStat](facts, func(part []string) *gorm.DB {
		return u.raw(masteryOfFacts, userID, operation, part)
	})
}
