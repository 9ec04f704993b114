package storage

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/flashstore/flashstore/models"
)

// Answers are the log that everything else is computed from.
type Answers struct{ engine *engine }

// Answer is one answer of a learner.
type Answer struct {
	ID         models.ID // made by the client, version 7: the key and the order
	Fact       string    // such as "8 + 7 = ?"; stored in its one spelling
	Correct    bool
	ResponseMS int64     // milliseconds, 0 or more
	At         time.Time // when it was given
}

// SingleAnswer is an answer that is booked as it is given.
type SingleAnswer struct {
	Answer
	Operation string    // such as "addition"
	SessionID models.ID // the session that it will be submitted with; zero: none
}

// AppendReceipt says what an Append did.
type AppendReceipt struct {
	Booked   int `json:"booked"`
	Repeated int `json:"repeated"` // booked before, under the same id with the same content
	// SetAside counts those that are not booked because the rules' Plausibility
	// refuses them, or did when they first came. The three add up to what was
	// given.
	SetAside int `json:"set_aside"`
}

// Append books single answers as they are given, each under its own id, in
// one commit: events and mastery. XP and coins come with the session, whose
// Submit books them once. It returns ErrNotFound when there is no such user,
// an *InvalidError for a bad answer, and ErrConflict when an id was booked
// with other content; then nothing is booked. Answers that the rules'
// Plausibility refuses are set aside, under their ids as well.
func (s *Answers) Append(ctx context.Context, userID int64, answers ...SingleAnswer) (receipt AppendReceipt, err error) {
	u := s.engine.now()
	events, err := u.singleEvents(userID, answers)
	if err != nil {
		return receipt, err
	}
	out, err := s.engine.book(ctx, booking{userID: userID, events: events, doubts: u.cfg.Rules.Plausibility.doubts(u.now, nil, events)})
	return out.appended, err
}

// RecentOption changes what one call of Recent returns.
type RecentOption func(*recent)

// recent are the options of Recent.
type recent struct{ archived bool }

// WithArchived makes Recent read on in the archive. If the user has answers
// there that cannot be read, it returns an *ArchiveError. By default, Recent
// reads the log alone.
func WithArchived() RecentOption { return func(r *recent) { r.archived = true } }

// Recent returns up to limit answers of a user, the latest first by their ids.
// A limit of 0 means 50; the most is 1000. Those that Archive has moved are
// left out, unless WithArchived asks for them.
func (s *Answers) Recent(ctx context.Context, userID int64, limit int, options ...RecentOption) (answers []models.AnswerEvent, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	var r recent
	for _, option := range options {
		option(&r)
	}
	if r.archived {
		err = s.engine.snapshot(ctx, func(u *unit) error {
			answers, err = u.recentWithArchived(userID, limit)
			return err
		})
		return answers, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		answers, err = scanRows(u.raw(recentAnswers, userID, limit), expectedRows(limit), scanAnswer)
		return err
	})
	return answers, err
}

var (
	recentAnswers = declare(`
SELECT `+answerColumns+`
FROM {answer_events} WHERE user_id = CAST(? AS BIGINT)
ORDER BY id DESC LIMIT CAST(? AS BIGINT)`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=?)")
	answersByID = declare(`
SELECT * FROM {answer_events} WHERE user_id = CAST(? AS BIGINT) AND id IN ?`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=? AND id=?)")
	answersOfFacts = declare(`
SELECT `+answerColumns+` FROM {answer_events}
WHERE user_id = CAST(? AS BIGINT) AND operation = CAST(? AS TEXT) AND fact IN ? ORDER BY id`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=?)")
)

// scanAnswer reads what recentAnswers returns.
func scanAnswer(rows *sql.Rows, e *models.AnswerEvent) error {
	return rows.Scan(&e.UserID, &e.ID, &e.SessionID, &e.Operation, &e.Fact,
		&e.Correct, &e.ResponseTimeMS, (*millis)(&e.CreatedAt))
}

// maxResponseMS bounds the time of one answer to some 35 years, so that no sum
// of them overflows.
const maxResponseMS = 1 << 40

// answerColumns are the columns in the order in which appendAnswer gives
// and scanAnswer takes them, and answerTypes their types.
const (
	answerColumns = "user_id, id, session_id, operation, fact, correct, response_time_ms, created_at"
	answerTypes   = "bigint, uuid, uuid, text, text, boolean, bigint, bigint"
)

// insertAnswers writes answers to the log. One whose id is there is left out.
var insertAnswers = declareInsert(`
INSERT INTO {answer_events}
  (`+answerColumns+`)`, answerTypes, `
ON CONFLICT DO NOTHING`)

// answerValues returns the columns of answers in their order, one answer after
// the other.
func answerValues(events []models.AnswerEvent) []any {
	args := make([]any, 0, len(events)*insertAnswers.columns)
	for _, e := range events {
		args = appendAnswer(args, e)
	}
	return args
}

// appendAnswer appends the values of answerColumns.
func appendAnswer(args []any, e models.AnswerEvent) []any {
	return append(args, e.UserID, e.ID, e.SessionID, e.Operation, e.Fact, e.Correct, e.ResponseTimeMS, e.CreatedAt.UnixMilli())
}

// singleEvents checks single answers and returns them as rows.
func (u *unit) singleEvents(userID int64, answers []SingleAnswer) ([]models.AnswerEvent, error) {
	if len(answers) == 0 {
		return nil, invalid("answers", "is empty: give one or more")
	}
	events := make([]models.AnswerEvent, 0, len(answers))
	for i, a := range answers {
		field := fmt.Sprintf("answers[%d]", i)
		operation, ok := normalizeOperation(a.Operation)
		if !ok {
			return nil, invalid(field+".operation", "is %q: give one word of letters", a.Operation)
		}
		if !a.SessionID.IsZero() {
			if err := u.checkID(field+".session_id", a.SessionID); err != nil {
				return nil, err
			}
		}
		event, err := u.event(field, a.Answer)
		if err != nil {
			return nil, err
		}
		event.UserID, event.SessionID, event.Operation = userID, a.SessionID, operation
		events = append(events, event)
	}
	slices.SortStableFunc(events, byUserAndID)
	return events, nil
}

// byUserAndID orders events as their table does.
func byUserAndID(a, b models.AnswerEvent) int {
	return cmp.Or(cmp.Compare(a.UserID, b.UserID), a.ID.Compare(b.ID))
}

// event checks an answer and returns what its row has of it.
func (u *unit) event(field string, a Answer) (models.AnswerEvent, error) {
	if err := u.checkID(field+".id", a.ID); err != nil {
		return models.AnswerEvent{}, err
	}
	fact := NormalizeFact(a.Fact)
	switch {
	case fact == "":
		return models.AnswerEvent{}, invalid(field+".fact", "is empty")
	case a.ResponseMS < 0 || a.ResponseMS > maxResponseMS:
		return models.AnswerEvent{}, invalid(field+".response_ms", "is %d: give milliseconds, 0 to %d", a.ResponseMS, maxResponseMS)
	}
	if err := checkText(field+".fact", a.Fact); err != nil {
		return models.AnswerEvent{}, err
	}
	at, err := u.clientTime(field+".at", a.At)
	return models.AnswerEvent{ID: a.ID, Fact: fact, Correct: a.Correct, ResponseTimeMS: a.ResponseMS, CreatedAt: at}, err
}

// checkID refuses an id that is no UUID of version 7, or whose time is ahead
// of the clock.
func (u *unit) checkID(field string, id models.ID) error {
	if id.Version() != 7 {
		return invalid(field, "is %s: give a UUID of version 7", id)
	}
	if u.isAhead(id.Time()) {
		return invalid(field, "is %s, whose time is more than %v ahead of the store's clock", id, u.cfg.Rules.ClockSkew)
	}
	return nil
}

// isAhead reports whether a client's time is further ahead of the clock than
// the rules allow.
func (u *unit) isAhead(t time.Time) bool {
	skew := u.cfg.Rules.ClockSkew
	return skew >= 0 && t.Sub(u.now) > skew
}

// checkText refuses text that not every engine can hold.
func checkText(field, text string) error {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return invalid(field, "is %q: give UTF-8 text without NUL", text)
	}
	return nil
}

// clientTime is checkTime for a time that a client's clock gave.
func (u *unit) clientTime(field string, t time.Time) (time.Time, error) {
	if u.isAhead(t) {
		return t, invalid(field, "is %s, more than %v ahead of the store's clock", t.Format(time.RFC3339), u.cfg.Rules.ClockSkew)
	}
	return checkTime(field, t)
}

// checkTime returns t as the database holds it: in UTC, to the millisecond.
func checkTime(field string, t time.Time) (time.Time, error) {
	if year := t.UTC().Year(); t.Unix() < 0 || year > 9999 {
		return t, invalid(field, "is %s: give a time from 1970 to 9999", t.Format(time.RFC3339))
	}
	return t.UTC().Truncate(time.Millisecond), nil
}
