package storage

import (
	"slices"
	"time"

	"github.com/flashstore/flashstore/models"
)

// Plausibility says which answers are set aside (N9): kept with their reason,
// as Answers.SetAside shows them, but not booked. They bring no XP, coins or
// mastery and count in no session.
//
// By default, all of it is off. It judges answers that come for the first time:
// what is booked stays booked and what is set aside stays there, whatever is
// switched on or off later. All processes of a database should have the same
// Plausibility: one that has it off checks once, when it first books, whether
// anything was set aside in the past.
type Plausibility struct {
	// FloorMS sets aside what was answered in fewer ms, right or wrong. 0: off.
	FloorMS int64

	// SessionSlack sets aside what was answered more than this before its
	// session started or after it ended. An answer that is appended ahead of
	// its session is judged without it, and stays booked. 0: off; with
	// time.Millisecond nearly nothing passes.
	SessionSlack time.Duration

	// MaxAge sets aside what was answered, or whose session ended, longer ago
	// than this when it arrives. It should be longer than clients are offline.
	// 0: off; then sessions of weeks long past may be submitted, and until
	// those weeks are settled each may win a prize.
	MaxAge time.Duration
}

// Reasons for which answers are set aside. Of several the first one here is
// given: what an answer shows by itself, alone or with its session, comes
// before what its session shows.
const (
	AsideTooFast        = "too_fast"
	AsideTooOld         = "too_old"
	AsideOutsideSession = "outside_session"
)

// doubts returns for each answer the reason to set it aside or "", and nil
// where there is none for any. session is nil for answers that are appended.
func (p *Plausibility) doubts(now time.Time, session *models.Session, events []models.AnswerEvent) (reasons []string) {
	if *p == (Plausibility{}) {
		return nil
	}
	for i, e := range events {
		reason := p.doubt(now, session, e)
		if reason != "" && reasons == nil {
			reasons = make([]string, len(events))
		}
		if reason != "" {
			reasons[i] = reason
		}
	}
	return reasons
}

func (p *Plausibility) doubt(now time.Time, session *models.Session, e models.AnswerEvent) string {
	switch {
	case e.ResponseTimeMS < p.FloorMS:
		return AsideTooFast
	case p.isOld(now, e.CreatedAt):
		return AsideTooOld
	case session == nil:
		return ""
	case p.isOld(now, session.EndedAt):
		return AsideTooOld
	case p.SessionSlack > 0 && (session.StartedAt.Sub(e.CreatedAt) > p.SessionSlack || e.CreatedAt.Sub(session.EndedAt) > p.SessionSlack):
		return AsideOutsideSession
	}
	return ""
}

// isOld reports whether a moment is longer ago than the rules allow.
func (p *Plausibility) isOld(now, at time.Time) bool { return p.MaxAge > 0 && now.Sub(at) > p.MaxAge }

// checkEnd refuses a session that ended long before an answer that is booked:
// with answers that were appended when they were given, a session could
// otherwise claim a week long past.
func (p *Plausibility) checkEnd(session *models.Session, e models.AnswerEvent) error {
	if session == nil || !p.isOld(e.CreatedAt, session.EndedAt) {
		return nil
	}
	return invalid("ended_at", "is %s, more than %v before answer %s, which is booked", session.EndedAt.Format(time.RFC3339), p.MaxAge, e.ID)
}

// isDoubted reports whether there are doubts about all answers of b, so that
// perhaps none is booked.
func (b *booking) isDoubted() bool { return b.doubts != nil && !slices.Contains(b.doubts, "") }

// doubt returns why the answer at i is to be set aside, or "".
func (b *booking) doubt(i int) string {
	if b.doubts == nil {
		return ""
	}
	return b.doubts[i]
}
