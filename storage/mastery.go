package storage

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

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
		stats, err = scanRows(u.raw(masteryByOperation, userID, operation), expectedFacts, scanMastery)
		return err
	})
	return stats, err
}

// Weakest returns up to limit facts that the user knows least: the lowest
// level first, then the smaller share of right answers, then the slower. An
// empty operation means all of them. A limit of 0 means 50; the most is 1000.
func (s *Mastery) Weakest(ctx context.Context, userID int64, operation string, limit int) (stats []models.MasteryStat, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		q := u.raw(masteryOfUser, userID)
		if operation != "" {
			word, _ := normalizeOperation(operation)
			q = u.raw(masteryByOperation, userID, word)
		}
		stats, err = scanRows(q, expectedFacts, scanMastery)
		return err
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

// masteryColumns are the columns in the order in which levelValues gives and
// scanMastery takes them.
const masteryColumns = "user_id, operation, fact, mastery_level, last_delta, last_answer_id, " +
	"attempts, correct_count, total_response_ms, last_response_time, updated_at"

const selectMastery = `
SELECT ` + masteryColumns + `
FROM {mastery_stats} `

var (
	masteryOfUser = declare(selectMastery+`WHERE user_id = CAST(? AS BIGINT) ORDER BY operation, fact`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=?)")
	masteryByOperation = declare(selectMastery+`WHERE user_id = CAST(? AS BIGINT) AND operation = CAST(? AS TEXT) ORDER BY fact`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=? AND operation=?)")
	masteryOfFacts = declare(selectMastery+`WHERE user_id = CAST(? AS BIGINT) AND operation = CAST(? AS TEXT) AND fact IN ?`,
		"SEARCH mastery_stats USING PRIMARY KEY (user_id=? AND operation=? AND fact=?)")
)

// expectedFacts is how many facts of an operation to make room for.
const expectedFacts = 100

// scanMastery reads what is known of one fact.
func scanMastery(rows *sql.Rows, s *models.MasteryStat) error {
	return rows.Scan(&s.UserID, &s.Operation, &s.Fact, &s.MasteryLevel, &s.LastDelta, &s.LastAnswerID,
		&s.Attempts, &s.CorrectCount, &s.TotalResponseMS, &s.LastResponseTime, (*millis)(&s.UpdatedAt))
}

func (u *unit) masteryOf(userID int64, operation string, facts []string) ([]models.MasteryStat, error) {
	return inParts(facts, func(part []string) ([]models.MasteryStat, error) {
		return scanRows(u.raw(masteryOfFacts, userID, operation, part), len(part), scanMastery)
	})
}
