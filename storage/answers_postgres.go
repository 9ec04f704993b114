package storage

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
)

// On PostgreSQL round trips and a transaction's beginning and end cost as much
// as the rows of an answer. Answers alone, of which nothing has to be read
// before, are therefore written in one statement, which is a transaction of its
// own. It locks their users first, for these are counted before a row is
// written; what others have committed meanwhile it does not see, but its
// constraints do. It fails, and has written nothing, on an answer that is there,
// on one that comes behind a later one to its fact, and on a user who is not
// there: then they are booked step by step.

// atOnceText returns the statement. Its first variable is the users.
func atOnceText() string {
	const behindTheLock = "WHERE (SELECT count(*) FROM held) >= 0"
	return `
WITH held AS (SELECT id FROM {users} WHERE id = ANY (CAST($1 AS bigint[])) ORDER BY id FOR UPDATE),
answers AS (` + insertAnswersOrFail.listText(2, behindTheLock) + `),
levels AS (` + addLevelsOrFail.listText(2+insertAnswersOrFail.columns, behindTheLock) + `)
INSERT INTO {rollup_queue} (user_id) SELECT id FROM held ON CONFLICT DO NOTHING`
}

// bookAtOnce books jobs in one statement, or returns false and books nothing.
func (e *engine) bookAtOnce(db *gorm.DB, jobs []*job) (done bool, err error) {
	b := newBatch(e.unit(db.Session(&gorm.Session{NewDB: true, Logger: refusals{db.Logger}})), false)
	b.blind = true
	if err := b.watch(); err != nil || b.aside != nil {
		return false, err
	}
	for _, j := range jobs {
		if b.mayBeArchived(j.In.events) {
			return false, nil
		}
		j.Out, j.Err = b.add(j.In)
	}
	slices.SortFunc(b.newAnswers, byUserAndID)
	if _, often := byFrequency(b.newAnswers); len(often) > 0 {
		return false, nil // such a level takes more than one step
	}
	err = b.appendAtOnce(b.newAnswers)
	if isRefusal(err) {
		return false, nil
	}
	return err == nil, err
}

// appendAtOnce writes answers to different facts, in the order of their users.
func (u *unit) appendAtOnce(events []models.AnswerEvent) error {
	users, err := listOf("bigint", usersOfAnswers(events), 0, 1)
	if err != nil {
		return err
	}
	lists, err := insertAnswersOrFail.lists([]any{users}, answerValues(events))
	if err != nil {
		return err
	}
	lists, err = addLevelsOrFail.lists(lists, u.steps(events))
	if err != nil {
		return err
	}
	return u.exec(u.atOnce, lists).Error
}

// needsNothing reports whether a booking is answers alone of which, as far as it
// says, nothing has to be read before they are written.
func (b booking) needsNothing() bool { return !b.changesUser() && b.doubts == nil }

// insertAnswersOrFail and addLevelsOrFail are insertAnswers and addLevels
// that fail where those leave a row out.
var (
	insertAnswersOrFail = declareInsert(insertAnswers.before, answerTypes, "")
	addLevelsOrFail     = declareInsert(insertLevels, levelTypes, stepLevels+`,
  last_answer_id     = CASE WHEN excluded.last_answer_id > {mastery_stats}.last_answer_id THEN excluded.last_answer_id END`)
)

// isRefusal reports whether err is the server's answer to a statement, which
// then has written nothing.
func isRefusal(err error) bool {
	return sqlState(err) != "" || errors.Is(err, gorm.ErrDuplicatedKey) || errors.Is(err, gorm.ErrForeignKeyViolated)
}

// refusals is the application's logger without the refusals of a statement that
// is tried.
type refusals struct{ logger.Interface }

func (r refusals) Trace(ctx context.Context, begin time.Time, fc func() (string, int64), err error) {
	if isRefusal(err) {
		err = nil
	}
	r.Interface.Trace(ctx, begin, fc, err)
}

// ParamsFilter is the application's.
func (r refusals) ParamsFilter(ctx context.Context, sql string, params ...any) (string, []any) {
	if filter, ok := r.Interface.(gorm.ParamsFilter); ok {
		return filter.ParamsFilter(ctx, sql, params...)
	}
	return sql, params
}
