package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// The log and the horizon of one moment, with what the archive has below that
// horizon, are one log. An answer that is in both was copied and not deleted
// yet, or was deleted since that moment: it counts once.
//
// A file is read at a moment of its own, a little later. What it has is counted
// then: if that is not what was moved and what is in both, somebody has moved
// late answers in between, or was erased, and both are read again; or else it
// is another file.

var (
	horizonOfUser = declare(`SELECT * FROM {archive_horizons} WHERE user_id = CAST(? AS BIGINT)`,
		"SEARCH archive_horizons USING INTEGER PRIMARY KEY (rowid=?)")
	horizonsOfUsers = declare(`SELECT * FROM {archive_horizons} WHERE user_id IN ?`,
		"SEARCH archive_horizons USING INTEGER PRIMARY KEY (rowid=?)")
	recentArchived = declare(`
SELECT `+answerColumns+`
FROM {answer_archive} WHERE user_id = CAST(? AS BIGINT) AND id < ?
ORDER BY id DESC LIMIT CAST(? AS BIGINT)`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id<?)")
	archivedByID = declare(`
SELECT `+answerColumns+` FROM {answer_archive} WHERE user_id = CAST(? AS BIGINT) AND id IN ?`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id=?)")
	archivedOfFacts = declare(`
SELECT `+answerColumns+` FROM {answer_archive}
WHERE user_id = CAST(? AS BIGINT) AND id < ? AND operation = CAST(? AS TEXT) AND fact IN ? ORDER BY id`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id<?)")
	archivedCount = declare(`SELECT count(*) FROM {answer_archive} WHERE user_id = CAST(? AS BIGINT) AND id < ?`,
		"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id<?)")
	loggedBetween = declare(`
SELECT `+answerColumns+`
FROM {answer_events} WHERE user_id = CAST(? AS BIGINT) AND id >= ? AND id < ? ORDER BY id`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=? AND id>? AND id<?)")
)

// horizon returns how far a user's answers are in the archive, or nil where
// none were moved.
func (u *unit) horizon(userID int64) (*models.ArchiveHorizon, error) {
	return first[models.ArchiveHorizon](u.raw(horizonOfUser, userID))
}

// archived is what the archive has of a user.
type archived struct {
	*unit   // over the archive
	horizon models.ArchiveHorizon
	late    []models.AnswerEvent // below the horizon, and in the log
}

// withArchived calls fn with what the archive has of a user, at one moment of
// it, or with nil where it has nothing. It is an *ArchiveError where that cannot
// be read, or is not all there.
func (u *unit) withArchived(userID int64, fn func(*archived) error) error {
	horizon, err := u.horizon(userID)
	if err != nil {
		return err
	}
	if horizon == nil {
		return fn(nil)
	}
	late, err := scanRows(u.raw(loggedBetween, userID, lowestID, horizon.BeforeID), 0, scanAnswer)
	if err != nil {
		return err
	}
	return u.withArchive(func(archive *unit) error {
		if err := archive.mustHave(*horizon, late); err != nil {
			return err
		}
		return fn(&archived{archive, *horizon, late})
	})
}

// withArchive calls fn with one moment of the archive.
func (u *unit) withArchive(fn func(archive *unit) error) error {
	archive, err := u.archive()
	if err != nil {
		return err
	}
	if u.locksRows {
		return fn(archive)
	}
	return archive.snapshot(u.tx.Statement.Context, fn)
}

// snapshotWithArchive is snapshot for what reads the archive too: where the two
// were read at moments that do not go together, it starts again.
func (e *engine) snapshotWithArchive(ctx context.Context, fn func(*unit) error) error {
	const attempts = 10
	for n := 1; ; n++ {
		err := e.snapshot(ctx, fn)
		var unlike *ArchiveError
		if n == attempts || !errors.As(err, &unlike) || !unlike.apart {
			return err
		}
	}
}

// mustHave counts what the archive has below a horizon, without what the log
// has too. A file may have been put back that is older, or another store's.
func (u *unit) mustHave(h models.ArchiveHorizon, logged []models.AnswerEvent) error {
	if u.locksRows {
		return nil // moved and read in one database
	}
	var count int64
	if err := u.raw(archivedCount, h.UserID, h.BeforeID).Scan(&count).Error; err != nil {
		return err
	}
	both, err := u.archivedByID(h.UserID, idsOf(logged))
	if err != nil {
		return err
	}
	if count -= int64(len(both)); count != h.Answers {
		return &ArchiveError{Path: u.moved.path, apart: true, Reason: fmt.Sprintf(
			"has %d of user %d's answers, where %d were moved: put the file back that belongs to this state of the database",
			count, h.UserID, h.Answers)}
	}
	return nil
}

// archivedByID returns which of these the archive has.
func (u *unit) archivedByID(userID int64, ids []models.ID) ([]models.AnswerEvent, error) {
	return inParts(ids, func(part []models.ID) ([]models.AnswerEvent, error) {
		return scanRows(u.raw(archivedByID, userID, part), len(part), scanAnswer)
	})
}

func idsOf(events []models.AnswerEvent) []models.ID {
	ids := make([]models.ID, len(events))
	for i, e := range events {
		ids[i] = e.ID
	}
	return ids
}

// each hands on a user's archived answers that q returns, in the order of their
// ids, one at a time, and those of the log that lie between them, up to the
// last id before until.
func (a *archived) each(q *gorm.DB, scan func(*sql.Rows, *models.AnswerEvent) error,
	late []models.AnswerEvent, fn func(*models.AnswerEvent)) error {
	var e models.AnswerEvent
	err := eachRow(q, func(rows *sql.Rows) error {
		if err := scan(rows, &e); err != nil {
			return err
		}
		for len(late) > 0 && late[0].ID.Compare(e.ID) < 0 {
			fn(&late[0])
			late = late[1:]
		}
		if len(late) > 0 && late[0].ID == e.ID {
			return nil // the log's comes next
		}
		fn(&e)
		return nil
	})
	if err != nil {
		return err
	}
	for i := range late {
		fn(&late[i])
	}
	return nil
}

// mergeRecent returns the latest answers of two lists, the latest first; those
// that are in both come once.
func mergeRecent(logged, archived []models.AnswerEvent, limit int) []models.AnswerEvent {
	all := append(logged, archived...)
	slices.SortStableFunc(all, func(a, b models.AnswerEvent) int { return b.ID.Compare(a.ID) })
	all = slices.CompactFunc(all, func(a, b models.AnswerEvent) bool { return a.ID == b.ID })
	return all[:min(limit, len(all))]
}

// recentWithArchived is Recent over the log and the archive.
func (u *unit) recentWithArchived(userID int64, limit int) ([]models.AnswerEvent, error) {
	logged, err := scanRows(u.raw(recentAnswers, userID, limit), expectedRows(limit), scanAnswer)
	if err != nil {
		return nil, err
	}
	horizon, err := u.horizon(userID)
	if err != nil || horizon == nil {
		return logged, err
	}
	if len(logged) == limit && logged[limit-1].ID.Compare(horizon.BeforeID) >= 0 {
		return logged, nil // what is archived is older
	}
	archive, err := u.archive()
	if err != nil {
		return nil, err
	}
	moved, err := scanRows(archive.raw(recentArchived, userID, horizon.BeforeID, limit), expectedRows(limit), scanAnswer)
	if err != nil {
		return nil, err
	}
	return mergeRecent(logged, moved, limit), nil
}

// loadArchived reads those answers of jobs that are in the archive, as far as
// they may be: those of sessions that are booked already are not asked for.
func (b *batch) loadArchived(jobs []*job) error {
	old := map[int64][]models.ID{}
	for _, j := range jobs {
		events := j.In.events
		if !b.mayBeArchived(events) {
			continue
		}
		if s := j.In.session; s != nil && b.sessions[s.ID].ID == s.ID {
			continue
		}
		for _, e := range events {
			old[e.UserID] = append(old[e.UserID], e.ID)
		}
	}
	horizons, err := find[models.ArchiveHorizon](slices.Sorted(maps.Keys(old)), func(part []int64) *gorm.DB {
		return b.raw(horizonsOfUsers, part)
	})
	if err != nil {
		return err
	}
	for _, horizon := range horizons {
		if err := b.loadArchivedOf(horizon, old[horizon.UserID]); err != nil {
			return err
		}
	}
	return nil
}

// mayBeArchived reports whether answers, in the order of their ids, may be in
// the archive.
func (b *batch) mayBeArchived(events []models.AnswerEvent) bool {
	return len(events) > 0 && events[0].ID.Compare(firstIDAfter(b.now.Add(-archiveQuiet/2))) < 0
}

// loadArchivedOf reads those answers of a user that are in the archive.
func (b *batch) loadArchivedOf(horizon models.ArchiveHorizon, ids []models.ID) error {
	ids = slices.DeleteFunc(ids, func(id models.ID) bool { return id.Compare(horizon.BeforeID) >= 0 })
	if len(ids) == 0 {
		return nil
	}
	archive, err := b.archive()
	if err != nil {
		return err
	}
	known, err := archive.archivedByID(horizon.UserID, ids)
	if b.answers == nil {
		b.answers = map[answerKey]models.AnswerEvent{}
	}
	for _, e := range known {
		b.answers[answerKey{e.UserID, e.ID}] = e
	}
	return err
}

// allOfFacts returns all answers to facts of a user, in the order of their ids:
// the log's and the archive's.
func (u *unit) allOfFacts(userID int64, operation string, facts []string) ([]models.AnswerEvent, error) {
	log, err := inParts(facts, func(part []string) ([]models.AnswerEvent, error) {
		return scanRows(u.raw(answersOfFacts, userID, operation, part), 0, scanAnswer)
	})
	if err != nil {
		return nil, err
	}
	err = u.withArchived(userID, func(a *archived) error {
		if a == nil {
			return nil
		}
		moved, err := inParts(facts, func(part []string) ([]models.AnswerEvent, error) {
			return scanRows(a.raw(archivedOfFacts, userID, a.horizon.BeforeID, operation, part), 0, scanAnswer)
		})
		log = append(log, moved...)
		slices.SortStableFunc(log, func(a, b models.AnswerEvent) int { return a.ID.Compare(b.ID) })
		log = slices.CompactFunc(log, func(a, b models.AnswerEvent) bool { return a.ID == b.ID })
		return err
	})
	return log, err
}
