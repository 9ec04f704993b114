package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// Answer is an answer that every candidate is given.
type Answer struct {
	UserID     int64
	ID         models.ID
	Operation  string
	Fact       string // in flashstore's one spelling, so that all store the same text
	Correct    bool
	ResponseMS int64
	At         time.Time
}

// delta is what the answer does to the level of its fact: the seed's rule.
func (a *Answer) delta() float64 {
	if a.Correct {
		return 1
	}
	return -1
}

// Session is a session that every candidate is given. What flashstore computes
// itself (the second half) is there for the others to store.
type Session struct {
	UserID             int64
	ID                 models.ID
	Operation          string
	StartedAt, EndedAt time.Time
	SeasonID           int64
	Answers            []Answer

	Correct, AvgMS, XP, Coins int64
	Hash                      []byte
}

// Purchase is a purchase that every candidate is given.
type Purchase struct {
	UserID, ItemID int64
	ID             models.ID
	At             time.Time
}

// operations are the four, with the sign that flashstore stores.
var operations = []struct{ name, sign string }{
	{"addition", "+"}, {"subtraction", "-"}, {"multiplication", "×"}, {"division", "÷"},
}

// factOf returns a task with operands from 1 to 12.
func factOf(r *rand.Rand, sign string) string {
	return fmt.Sprintf("%d%s%d", 1+r.IntN(12), sign, 1+r.IntN(12))
}

// answerOf makes an answer of the present moment.
func answerOf(r *rand.Rand, userID int64, operation int, id models.ID, at time.Time) Answer {
	return Answer{
		UserID: userID, ID: id, Operation: operations[operation].name, Fact: factOf(r, operations[operation].sign),
		Correct: r.IntN(5) > 0, ResponseMS: int64(600 + r.IntN(6000)), At: at.UTC().Truncate(time.Millisecond),
	}
}

// sessionOf makes a session of n answers, all of one operation.
func sessionOf(r *rand.Rand, userID int64, n int, ended time.Time, newID func() models.ID) Session {
	operation := r.IntN(len(operations))
	ended = ended.UTC().Truncate(time.Millisecond)
	s := Session{
		UserID: userID, ID: newID(), Operation: operations[operation].name,
		StartedAt: ended.Add(-time.Minute), EndedAt: ended, Answers: make([]Answer, n),
	}
	for i := range s.Answers {
		s.Answers[i] = answerOf(r, userID, operation, newID(), ended)
	}
	s.score()
	return s
}

// score fills in what a server computes, by the rules of
// storage.DefaultRules.
func (s *Session) score() {
	rules := storage.DefaultRules()
	sum := sha256.New()
	var total int64
	for i := range s.Answers {
		a := &s.Answers[i]
		total += a.ResponseMS
		s.XP += xpOf(rules, a)
		if a.Correct {
			s.Correct++
		}
		sum.Write(a.ID[:])
	}
	n := int64(len(s.Answers))
	s.AvgMS = (total + n/2) / n
	s.XP = max(s.XP, 0)
	s.Coins = s.XP / rules.XPPerCoin
	s.Hash = sum.Sum(nil)
}

func xpOf(rules storage.Rules, a *Answer) int64 {
	switch {
	case !a.Correct:
		return rules.XPWrong
	case a.ResponseMS < rules.FastMS:
		return rules.XPFast
	case a.ResponseMS > rules.SlowMS:
		return rules.XPSlow
	}
	return rules.XPNormal
}

// submission is the session as flashstore takes it.
func (s *Session) submission() storage.Submission {
	in := storage.Submission{
		UserID: s.UserID, ID: s.ID, Operation: s.Operation, StartedAt: s.StartedAt, EndedAt: s.EndedAt,
		Answers: make([]storage.Answer, len(s.Answers)),
	}
	for i := range s.Answers {
		in.Answers[i] = s.Answers[i].single().Answer
	}
	return in
}

// single is the answer as flashstore takes it.
func (a *Answer) single() storage.SingleAnswer {
	return storage.SingleAnswer{
		Operation: a.Operation,
		Answer:    storage.Answer{ID: a.ID, Fact: a.Fact, Correct: a.Correct, ResponseMS: a.ResponseMS, At: a.At},
	}
}
