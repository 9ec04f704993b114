package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// operations are what learners practise, with the task that two numbers from
// 1 to 12 make: 144 facts of each.
var operations = []struct {
	name string
	task func(a, b int) string
}{
	{"addition", func(a, b int) string { return fmt.Sprintf("%d + %d = ?", a, b) }},
	{"subtraction", func(a, b int) string { return fmt.Sprintf("%d - %d = ?", a+b, b) }},
	{"multiplication", func(a, b int) string { return fmt.Sprintf("%d × %d = ?", a, b) }},
	{"division", func(a, b int) string { return fmt.Sprintf("%d ÷ %d = ?", a*b, b) }},
}

// answerTo returns an answer to some fact of an operation: five of six are
// right, most in one to four seconds, few in more than ten.
func answerTo(random *rand.Rand, operation int, at time.Time) storage.Answer {
	ms := 600 + int64(random.ExpFloat64()*2000)
	return storage.Answer{
		ID:         models.NewID(),
		Fact:       operations[operation].task(1+random.IntN(12), 1+random.IntN(12)),
		Correct:    random.IntN(6) > 0,
		ResponseMS: min(ms, 60_000),
		At:         at,
	}
}

// singleAnswer returns an answer that is booked as it is given.
func singleAnswer(random *rand.Rand) storage.SingleAnswer {
	operation := random.IntN(len(operations))
	return storage.SingleAnswer{Answer: answerTo(random, operation, time.Now()), Operation: operations[operation].name}
}

// practiceOf returns a session of that many answers that ends now.
func practiceOf(random *rand.Rand, user int64, answers int) storage.Submission {
	now, operation := time.Now(), random.IntN(len(operations))
	s := storage.Submission{UserID: user, ID: models.NewID(), Operation: operations[operation].name, EndedAt: now}
	var took time.Duration
	for range answers {
		a := answerTo(random, operation, now)
		took += time.Duration(a.ResponseMS) * time.Millisecond
		s.Answers = append(s.Answers, a)
	}
	s.StartedAt = now.Add(-took)
	return s
}
