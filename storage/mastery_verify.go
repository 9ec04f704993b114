package storage

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flashstore/flashstore/models"
)

// DifferenceKind says how a stored level differs from the answer log.
type DifferenceKind string

const (
	// DifferenceMissing means that the log has answers to a fact for which
	// nothing is stored.
	DifferenceMissing DifferenceKind = "missing"
	// DifferenceSurplus means that something is stored for a fact to which the
	// log has no answer.
	DifferenceSurplus DifferenceKind = "surplus"
	// DifferenceDifferent means that the log makes it another level, or other
	// sums.
	DifferenceDifferent DifferenceKind = "different"
)

// MasteryDifference is one fact of one user for which something else is stored
// than the answer log says.
type MasteryDifference struct {
	UserID    int64               `json:"user_id"`
	Operation string              `json:"operation"`
	Fact      string              `json:"fact"`
	Kind      DifferenceKind      `json:"kind"`
	Stored    *models.MasteryStat `json:"stored"`   // nil: it is missing
	Computed  *models.MasteryStat `json:"computed"` // nil: it is surplus
}

// String names every column that differs.
func (d MasteryDifference) String() string {
	var what []string
	switch d.Kind {
	case DifferenceMissing:
		what = []string{fmt.Sprintf("nothing is stored, the log makes it level %s", d.Computed.MasteryLevel)}
	case DifferenceSurplus:
		what = []string{fmt.Sprintf("level %s is stored, the log has no answer", d.Stored.MasteryLevel)}
	default:
		computed := levelValues(*d.Computed)
		for i, stored := range levelValues(*d.Stored) {
			if stored != computed[i] {
				what = append(what, fmt.Sprintf("%s is %v, the log makes it %v", levelColumns[i], stored, computed[i]))
			}
		}
	}
	return fmt.Sprintf("user %d, %s %s: %s", d.UserID, d.Operation, d.Fact, strings.Join(what, "; "))
}

// levelColumns are the names of what levelValues returns.
var levelColumns = strings.Split(masteryColumns, ", ")

// Verify folds all answers of a user again, in the order of their ids and by
// the store's rules, and compares the result with what is stored (N8). It
// returns where they differ, by operation and fact; nothing if all is well. It
// reads one moment and changes nothing, takes the longer the more answers there
// are, and keeps only the user's facts in memory. It returns ErrNotFound when
// there is no such user, and an *ArchiveError where answers of theirs were
// moved to an archive that cannot be read, or has not all of them.
func (s *Mastery) Verify(ctx context.Context, userID int64) (differences []MasteryDifference, err error) {
	err = s.engine.snapshotWithArchive(ctx, func(u *unit) error {
		if _, err := u.user(userByID, userID); err != nil {
			return err
		}
		differences, err = u.masteryDifferences(userID)
		return err
	})
	return differences, err
}

// VerifyAll verifies all users, in the order of their ids, and calls fn with
// each difference. Every user is read at a moment of their own, so that no
// snapshot stays open for long; a user who is erased meanwhile is left out. It
// stops at the first error of fn and returns it.
func (s *Mastery) VerifyAll(ctx context.Context, fn func(MasteryDifference) error) error {
	return s.engine.eachUser(ctx, func(userID int64) error {
		differences, err := s.Verify(ctx, userID)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("verify the levels of user %d: %w", userID, err)
		}
		for _, d := range differences {
			if err := fn(d); err != nil {
				return err
			}
		}
		return nil
	})
}

// The columns that a fold needs of an answer, in the order in which scanLogged
// takes them; in the log and in the archive, of all operations or of one.
const (
	selectLogged = `
SELECT user_id, id, operation, fact, correct, response_time_ms, created_at
FROM {answer_events} WHERE user_id = CAST(? AS BIGINT) AND id >= ? AND id < ?`
	selectArchived = `
SELECT user_id, id, operation, fact, correct, response_time_ms, created_at
FROM {answer_archive} WHERE user_id = CAST(? AS BIGINT) AND id >= ? AND id < ?`
	ofOperation = ` AND operation = CAST(? AS TEXT)`
)

var (
	foldLogged = declare(selectLogged+` ORDER BY id`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=? AND id>? AND id<?)")
	foldLoggedOf = declare(selectLogged+ofOperation+` ORDER BY id`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=? AND id>? AND id<?)")
	foldArchived = declare(selectArchived+` ORDER BY id`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id>? AND id<?)")
	foldArchivedOf = declare(selectArchived+ofOperation+` ORDER BY id`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id>? AND id<?)")
)

func scanLogged(rows *sql.Rows, e *models.AnswerEvent) error {
	return rows.Scan(&e.UserID, &e.ID, &e.Operation, &e.Fact, &e.Correct, &e.ResponseTimeMS, (*millis)(&e.CreatedAt))
}

// foldLog folds a user's answers of ids before until, of the given operation or
// of all, and returns the levels by operation and fact. They are read one at a
// time: those that are archived, with those of the log that came late among
// them, and then the rest of the log.
func (u *unit) foldLog(userID int64, until models.ID, operation ...string) (stats []models.MasteryStat, err error) {
	folds := map[string]*fold{} // by operation
	add := func(e *models.AnswerEvent) {
		if folds[e.Operation] == nil {
			folds[e.Operation] = newFold(u.cfg.Rules, nil)
		}
		folds[e.Operation].add(*e)
	}
	logged, moved, of := foldLogged, foldArchived, []any{}
	if len(operation) > 0 {
		logged, moved, of = foldLoggedOf, foldArchivedOf, []any{operation[0]}
	}
	from := lowestID
	err = u.withArchived(userID, func(a *archived) error {
		if a == nil {
			return nil
		}
		from = a.horizon.BeforeID
		end := from
		if until.Compare(end) < 0 {
			end = until
		}
		late := slices.DeleteFunc(a.late, func(e models.AnswerEvent) bool {
			return e.ID.Compare(end) >= 0 || len(operation) > 0 && e.Operation != operation[0]
		})
		return a.each(a.raw(moved, append([]any{userID, lowestID, end}, of...)...), scanLogged, late, add)
	})
	if err != nil {
		return nil, err
	}
	var e models.AnswerEvent
	err = eachRow(u.raw(logged, append([]any{userID, from, until}, of...)...), func(rows *sql.Rows) error {
		if err := scanLogged(rows, &e); err != nil {
			return err
		}
		add(&e)
		return nil
	})
	if err != nil {
		return nil, err // a part of the log would make another level
	}
	for _, operation := range slices.Sorted(maps.Keys(folds)) {
		stats = append(stats, folds[operation].stats()...)
	}
	return stats, nil
}

// masteryDifferences compares what is stored of a user with what the log says.
func (u *unit) masteryDifferences(userID int64) ([]MasteryDifference, error) {
	computed, err := u.foldLog(userID, highestID)
	if err != nil {
		return nil, err
	}
	stored, err := scanRows(u.raw(masteryOfUser, userID), len(computed), scanMastery)
	if err != nil {
		return nil, err
	}
	return differencesOf(stored, computed), nil
}

// differencesOf compares two lists of a user's levels, both by operation and
// fact.
func differencesOf(stored, computed []models.MasteryStat) (differences []MasteryDifference) {
	differ := func(kind DifferenceKind, stored, computed *models.MasteryStat) {
		fact := cmp.Or(stored, computed)
		differences = append(differences, MasteryDifference{
			UserID: fact.UserID, Operation: fact.Operation, Fact: fact.Fact,
			Kind: kind, Stored: stored, Computed: computed,
		})
	}
	for len(stored) > 0 || len(computed) > 0 {
		switch order := byFirstFact(stored, computed); {
		case order < 0:
			differ(DifferenceSurplus, &stored[0], nil)
			stored = stored[1:]
		case order > 0:
			differ(DifferenceMissing, nil, &computed[0])
			computed = computed[1:]
		default:
			if stored[0] != computed[0] {
				differ(DifferenceDifferent, &stored[0], &computed[0])
			}
			stored, computed = stored[1:], computed[1:]
		}
	}
	return differences
}

// byFirstFact compares the facts that two lists begin with. A list that has
// ended is behind.
func byFirstFact(a, b []models.MasteryStat) int {
	if len(a) == 0 || len(b) == 0 {
		return cmp.Compare(len(b), len(a))
	}
	return cmp.Or(strings.Compare(a[0].Operation, b[0].Operation), strings.Compare(a[0].Fact, b[0].Fact))
}
