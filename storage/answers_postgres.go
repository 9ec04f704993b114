package storage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
)

// On PostgreSQL round trips and a transaction's beginning and end cost as much
// as the rows of an answer. Answers alone, for which nothing has to be read
// first, are therefore written in one statement, which is a transaction of its
// own. It locks their users first, because these are counted before a row is
// written; what others have committed meanwhile it does not see, but its
// constraints do. It fails, having written nothing, on an answer that is there
// already, on one that arrives after a later one to its fact, and on a user who
// is not there: then they are booked step by step.

// appendAtOnce is the statement. Its variables are the users and, column by
// column, the answers with what each adds to its level.
const appendAtOnce = `
WITH held AS (
  SELECT id FROM {users} WHERE id = ANY (CAST($1 AS bigint[])) ORDER BY id FOR UPDATE
), given AS (
  SELECT * FROM unnest(CAST($2 AS bigint[]), CAST($3 AS uuid[]), CAST($4 AS uuid[]), CAST($5 AS text[]), CAST($6 AS text[]),
    CAST($7 AS boolean[]), CAST($8 AS bigint[]), CAST($9 AS bigint[]), CAST($10 AS double precision[]))
    AS given (` + answerColumns + `, delta)
  WHERE (SELECT count(*) FROM held) >= 0
), answers AS (
  INSERT INTO {answer_events} (` + answerColumns + `) SELECT ` + answerColumns + ` FROM given
), levels AS (` + insertLevels + `
  SELECT user_id, operation, fact, least(greatest(delta, 0.0), 5.0), delta, id,
    1, CAST(correct AS int), response_time_ms, response_time_ms, created_at
  FROM given` + stepLevels + `,
  last_answer_id     = CASE WHEN excluded.last_answer_id > {mastery_stats}.last_answer_id THEN excluded.last_answer_id END
)
INSERT INTO {rollup_queue} (user_id) SELECT id FROM held ON CONFLICT DO NOTHING`

// bookAtOnce books jobs in one statement, or returns false and books nothing.
func (e *engine) bookAtOnce(db *gorm.DB, jobs []*job) (done bool, err error) {
	b := newBatch(e.unit(db.Session(&gorm.Session{NewDB: true, Logger: refusals{db.Logger}})), false)
	b.blind, b.newAnswers = true, make([]models.AnswerEvent, 0, len(jobs))
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
	n, rules := len(events), u.cfg.Rules
	var (
		held                  = make([]int64, 0, n)
		users, times, moments = make([]int64, n), make([]int64, n), make([]int64, n)
		ids, sessions         = make(pgtype.FlatArray[pgtype.UUID], n), make(pgtype.FlatArray[pgtype.UUID], n)
		operations, facts     = make([]string, n), make([]string, n)
		correct, deltas       = make([]bool, n), make([]float64, n)
	)
	for i, e := range events {
		if i == 0 || e.UserID != events[i-1].UserID {
			held = append(held, e.UserID)
		}
		users[i], operations[i], facts[i], correct[i] = e.UserID, e.Operation, e.Fact, e.Correct
		ids[i] = pgtype.UUID{Bytes: e.ID, Valid: true}
		sessions[i] = pgtype.UUID{Bytes: e.SessionID, Valid: !e.SessionID.IsZero()}
		times[i], moments[i] = e.ResponseTimeMS, e.CreatedAt.UnixMilli()
		deltas[i] = rules.Mastery(rules, e.Correct, e.ResponseTimeMS).Float()
	}
	return u.exec(u.atOnce, []any{held, users, ids, sessions, operations, facts, correct, times, moments, deltas}).Error
}

// mayBeAtOnce reports whether a booking is answers alone of which, as far as can
// be told from it, nothing has to be read before they are written.
func (e *engine) mayBeAtOnce(b booking) bool {
	return !b.changesUser() && e.cfg.Rules.Plausibility == (Plausibility{})
}

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
