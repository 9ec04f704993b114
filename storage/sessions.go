package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Sessions are practice sessions, each booked once.
type Sessions struct{ engine *engine }

// Submission is a practice session with its answers, as the client had it.
type Submission struct {
	UserID    int64
	ID        models.ID // made by the client, version 7: the key
	Operation string    // one word, such as "addition"; of all its answers
	StartedAt time.Time
	EndedAt   time.Time
	Answers   []Answer // one or more; their order does not matter, their ids do
}

// Receipt is what a session brought.
type Receipt struct {
	SessionID     models.ID `json:"session_id"`
	UserID        int64     `json:"user_id"`
	TotalCount    int64     `json:"total_count"`
	CorrectCount  int64     `json:"correct_count"`
	AvgResponseMS int64     `json:"avg_response_ms"`
	XPEarned      int64     `json:"xp_earned"`
	CoinsEarned   int64     `json:"coins_earned"`
	// SeasonID is the season that the XP went to: the one in which the
	// session ended, or the present one if that is settled.
	SeasonID int64 `json:"season_id"`
	// SetAside counts the answers that the rules' Plausibility refused: they
	// are in none of the above. If it refused all, everything else is zero, the
	// season too.
	SetAside int64 `json:"set_aside"`
	// Repeated says that the session was booked before and nothing changed.
	Repeated bool `json:"repeated"`
}

// Submit books a session with everything that follows from it: its answers,
// mastery, XP, level, coins with their ledger entry, and league XP, in one
// commit (S14, S30). XP is computed here.
//
// The session's id is the key (N1). The same submission again returns the
// first receipt, Repeated, and changes nothing. The same id with other content,
// or an answer whose id another session of the user holds, is ErrConflict.
// Answers that were appended under the session's id are booked once. Sessions
// may come late, in any order: the result is the same (N17).
//
// Answers that the rules' Plausibility refuses are set aside, and the session
// is booked as the rest of them; if nothing is left it is not booked, but its
// id is taken nevertheless. An answer that was appended and booked before stays
// booked and counts, even if the session's times speak against it; but a
// session that ended more than MaxAge before such an answer is refused with an
// *InvalidError.
//
// It returns ErrNotFound when there is no such user, and an *InvalidError for
// input that breaks a rule. After an error nothing of it is stored.
func (s *Sessions) Submit(ctx context.Context, in Submission) (receipt Receipt, err error) {
	checked, err := s.engine.now().checkSubmission(in)
	if err != nil {
		return receipt, err
	}
	out, err := s.engine.book(ctx, checked)
	return out.receipt, err
}

// Recent returns up to limit sessions of a user, the latest first (S10), those
// of one millisecond in the order of their ids. A limit of 0 means 50; the most
// is 1000.
func (s *Sessions) Recent(ctx context.Context, userID int64, limit int) (sessions []models.Session, err error) {
	limit, err = pageSize("limit", limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.read(ctx, func(u *unit) error {
		return u.raw(recentSessions, userID, limit).Scan(&sessions).Error
	})
	return sessions, err
}

var (
	recentSessions = declare(`
SELECT * FROM {sessions} WHERE user_id = CAST(? AS BIGINT) ORDER BY created_at DESC, id LIMIT CAST(? AS BIGINT)`,
		"SEARCH sessions USING INDEX idx_sessions_user_date (user_id=?)")
	sessionsByID = declare(`SELECT * FROM {sessions} WHERE id IN ?`,
		"SEARCH sessions USING INDEX idx_sessions_id (id=?)")
)

// checkSubmission returns the session's row, as far as the input decides it,
// with the rows of its answers.
func (u *unit) checkSubmission(in Submission) (booking, error) {
	operation, ok := normalizeOperation(in.Operation)
	if !ok {
		return booking{}, invalid("operation", "is %q: give one word of letters", in.Operation)
	}
	if err := u.checkID("id", in.ID); err != nil {
		return booking{}, err
	}
	started, err := u.clientTime("started_at", in.StartedAt)
	if err != nil {
		return booking{}, err
	}
	ended, err := u.clientTime("ended_at", in.EndedAt)
	switch {
	case err != nil:
		return booking{}, err
	case ended.Before(started):
		return booking{}, invalid("ended_at", "is before started_at")
	case len(in.Answers) == 0:
		return booking{}, invalid("answers", "is empty: give one or more")
	}
	b := booking{userID: in.UserID, session: &models.Session{
		UserID: in.UserID, ID: in.ID, Operation: operation,
		StartedAt: started, EndedAt: ended, CreatedAt: in.ID.Time(),
	}}
	if err := b.takeAnswers(u, in.Answers); err != nil {
		return booking{}, err
	}
	b.session.PayloadHash = b.hash()
	score(b.session, b.events, u.cfg.Rules)
	b.doubts = u.cfg.Rules.Plausibility.doubts(u.now, b.session, b.events)
	return b, nil
}

// sessionColumns is the number of columns of sessions.
const sessionColumns = 13

func (b *booking) takeAnswers(u *unit, answers []Answer) error {
	for i, a := range answers {
		event, err := u.event(fmt.Sprintf("answers[%d]", i), a)
		if err != nil {
			return err
		}
		event.UserID, event.SessionID, event.Operation = b.session.UserID, b.session.ID, b.session.Operation
		b.events = append(b.events, event)
	}
	slices.SortStableFunc(b.events, byUserAndID)
	b.events = slices.Compact(b.events)
	for i := 1; i < len(b.events); i++ {
		if b.events[i].ID == b.events[i-1].ID {
			return fmt.Errorf("answer %s is given twice: %w", b.events[i].ID, ErrConflict)
		}
	}
	return nil
}

// score fills in what follows from the answers, of which there are some.
func score(s *models.Session, events []models.AnswerEvent, rules *Rules) {
	var xp, responseMS, correct int64
	for _, e := range events {
		xp += rules.answerXP(e.Correct, e.ResponseTimeMS)
		responseMS += e.ResponseTimeMS
		if e.Correct {
			correct++
		}
	}
	s.TotalCount, s.CorrectCount = int64(len(events)), correct
	s.AvgResponseMS = (responseMS + s.TotalCount/2) / s.TotalCount
	s.XPEarned = max(xp, 0)
	s.CoinsEarned = s.XPEarned / rules.XPPerCoin
}

// hash is the SHA-256 of what was submitted, in its normal form: what differs
// only in spelling or order is the same.
func (b *booking) hash() []byte {
	var text bytes.Buffer
	put := func(id models.ID, word string, numbers ...int64) {
		text.Write(id[:])
		for _, n := range append(numbers, int64(len(word))) {
			_ = binary.Write(&text, binary.BigEndian, n)
		}
		text.WriteString(word)
	}
	s := b.session
	put(s.ID, s.Operation, s.UserID, s.StartedAt.UnixMilli(), s.EndedAt.UnixMilli())
	for _, e := range b.events {
		right := int64(0)
		if e.Correct {
			right = 1
		}
		put(e.ID, e.Fact, right, e.ResponseTimeMS, e.CreatedAt.UnixMilli())
	}
	sum := sha256.Sum256(text.Bytes())
	return sum[:]
}

// repeated returns the first receipt of a session that is there already. What
// was submitted and is not in its row was set aside.
func repeated(before *models.Session, again booking) (Receipt, error) {
	if !bytes.Equal(before.PayloadHash, again.session.PayloadHash) {
		return Receipt{}, fmt.Errorf("session %s: %w", again.session.ID, ErrConflict)
	}
	receipt := receiptOf(*before)
	receipt.SetAside = int64(len(again.events)) - before.TotalCount
	receipt.Repeated = true
	return receipt, nil
}

func receiptOf(s models.Session) Receipt {
	return Receipt{
		SessionID: s.ID, UserID: s.UserID,
		TotalCount: s.TotalCount, CorrectCount: s.CorrectCount, AvgResponseMS: s.AvgResponseMS,
		XPEarned: s.XPEarned, CoinsEarned: s.CoinsEarned, SeasonID: s.SeasonID,
	}
}
