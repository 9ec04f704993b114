package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/flashstore/flashstore/models"
)

// defaultArchiveBatch is how many answers are moved at once: a few hundredths
// of a second for those who write meanwhile.
const defaultArchiveBatch = 5000

// moving are answers of some users that are moved together.
type moving struct {
	parts   []part // in the order of the users
	answers int
}

// part are the first answers of a user's log, in the order of their ids.
type part struct {
	userID int64
	rows   []models.AnswerEvent
	until  models.ID // greater than all of them: the horizon after the move
}

// add adds answers of a user. Where there may be more, the horizon is just
// after the last of them.
func (m *moving) add(userID int64, rows []models.AnswerEvent, until models.ID, more bool) {
	if more {
		until = idAfter(rows[len(rows)-1].ID)
	}
	m.parts = append(m.parts, part{userID, rows, until})
	m.answers += len(rows)
}

// idAfter returns the next greater id.
func idAfter(id models.ID) models.ID {
	low := binary.BigEndian.Uint64(id[8:]) + 1
	binary.BigEndian.PutUint64(id[8:], low)
	if low == 0 {
		binary.BigEndian.PutUint64(id[:8], binary.BigEndian.Uint64(id[:8])+1)
	}
	return id
}

func (m *moving) users() []int64 {
	ids := make([]int64, len(m.parts))
	for i, p := range m.parts {
		ids[i] = p.userID
	}
	return ids
}

// moved says of how many answers of which user the log was relieved.
type moved struct{ userID, answers int64 }

// insertArchived writes answers to the archive. One whose id is there is left
// out: it is compared like the others.
var insertArchived = declareInsert(`
INSERT INTO {answer_archive}
  (`+answerColumns+`)`, answerTypes, `
ON CONFLICT DO NOTHING`)

// archivedBetween are answers of the archive, whole.
var archivedBetween = declare(`
SELECT `+answerColumns+`
FROM {answer_archive} WHERE user_id = CAST(? AS BIGINT) AND id >= ? AND id < ? ORDER BY id`,
	"SEARCH answer_archive USING PRIMARY KEY (user_id=? AND id>? AND id<?)")

// copyTo copies the batch to the archive.
func (m *moving) copyTo(archive *unit) error {
	args := make([]any, 0, m.answers*insertArchived.columns)
	for _, p := range m.parts {
		args = append(args, answerValues(p.rows)...)
	}
	_, err := archive.put(insertArchived, args)
	return err
}

// move moves a batch, and returns whose answers went. On SQLite the copy is
// committed first, to the disk, and deleted from the log in a transaction of
// its own: what comes between leaves answers that are in both, which count
// once.
func (e *engine) move(ctx context.Context, m moving) (done []moved, err error) {
	if !e.locksRows {
		if err := e.copyToFile(ctx, m); err != nil {
			return nil, err
		}
	}
	var left []int64
	err = e.write(ctx, func(u *unit) (err error) {
		done, left, err = u.moveOut(m)
		return err
	})
	if err == nil && len(left) > 0 { // erased since they were copied
		_, err = e.forget(ctx, left)
	}
	return done, err
}

func (e *engine) copyToFile(ctx context.Context, m moving) error {
	file, err := e.archiveFile(ctx)
	if err != nil {
		return err
	}
	return file.write(ctx, m.copyTo)
}

// moveOut deletes from the log what the archive has, with its users locked, and
// says whose answers went, and which users are not there any more.
func (u *unit) moveOut(m moving) (done []moved, left []int64, err error) {
	users, err := u.lockUsers(m.users())
	if err != nil {
		return nil, nil, err
	}
	there := make(map[int64]bool, len(users))
	for _, user := range users {
		there[user.ID] = true
	}
	parts := m.parts
	m.parts = nil
	for _, p := range parts {
		if there[p.userID] {
			m.parts = append(m.parts, p)
		} else {
			left = append(left, p.userID)
		}
	}
	if len(m.parts) == 0 {
		return nil, left, nil
	}
	err = u.withArchive(func(archive *unit) error {
		if u.locksRows {
			if err := m.copyTo(archive); err != nil {
				return err
			}
		}
		for _, p := range m.parts {
			n, err := u.movePart(archive, p)
			if err != nil {
				return err
			}
			if n > 0 {
				done = append(done, moved{p.userID, n})
			}
		}
		return nil
	})
	return done, left, err
}

// movePart compares a user's part, in the log and in the archive, row for row,
// and deletes from the log what is the same in both. What came to the log since
// the copy stays.
func (u *unit) movePart(archive *unit, p part) (int64, error) {
	logged, err := scanRows(u.raw(loggedBetween, p.userID, lowestID, p.until), len(p.rows), scanAnswer)
	if err != nil || len(logged) == 0 {
		return 0, err
	}
	copied, err := scanRows(archive.raw(archivedBetween, p.userID, logged[0].ID, p.until), len(logged), scanAnswer)
	if err != nil {
		return 0, err
	}
	byID := make(map[models.ID]models.AnswerEvent, len(copied))
	for _, e := range copied {
		byID[e.ID] = e
	}
	ids := make([]models.ID, 0, len(logged))
	for _, e := range logged {
		switch before, ok := byID[e.ID]; {
		case ok && before != e:
			return 0, u.moved.refuse(fmt.Sprintf("has answer %s of user %d with another content than the log; "+
				"both are as they were: find out which is right", e.ID, p.userID), nil)
		case ok:
			ids = append(ids, e.ID)
		}
	}
	horizon, err := u.horizon(p.userID)
	if err != nil {
		return 0, err
	}
	next := models.ArchiveHorizon{UserID: p.userID, BeforeID: p.until, MovedAt: u.now, Answers: int64(len(ids))}
	if horizon != nil {
		next.Answers += horizon.Answers
		if horizon.BeforeID.Compare(next.BeforeID) > 0 {
			next.BeforeID = horizon.BeforeID
		}
	}
	// With what is moved, the archive has just what it is to have.
	if err := archive.mustHave(next, nil); err != nil {
		return 0, err
	}
	return int64(len(ids)), errors.Join(u.deleteAnswers(p.userID, ids), u.moveHorizon(next))
}

func (u *unit) deleteAnswers(userID int64, ids []models.ID) error {
	for part := range slices.Chunk(ids, maxPart) {
		err := u.table(models.AnswerEvent{}).Where("user_id = CAST(? AS BIGINT) AND id IN ?", userID, part).
			Delete(&models.AnswerEvent{}).Error
		if err != nil {
			return err
		}
	}
	return nil
}

var insertHorizon = declareInsert(`
INSERT INTO {archive_horizons} (user_id, before_id, answers, moved_at)`, "bigint, uuid, bigint, bigint", `
ON CONFLICT (user_id) DO UPDATE SET
  before_id = excluded.before_id, answers = excluded.answers, moved_at = excluded.moved_at`)

func (u *unit) moveHorizon(h models.ArchiveHorizon) error {
	if h.Answers == 0 {
		return nil
	}
	_, err := u.put(insertHorizon, []any{h.UserID, h.BeforeID, h.Answers, h.MovedAt.UnixMilli()})
	return err
}
