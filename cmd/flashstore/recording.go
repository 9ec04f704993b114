package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// recording is one line of recorded practice: a user, a session, its answers.
// What a line must have is a pointer, so that nothing missing passes for zero.
type recording struct {
	User struct {
		UID   *string `json:"uid"`
		Email string  `json:"email"`
		Name  string  `json:"name"`
	} `json:"user"`
	Session struct {
		ID        *models.ID `json:"id"`
		Operation *string    `json:"operation"`
		StartedAt *time.Time `json:"started_at"`
		EndedAt   *time.Time `json:"ended_at"`
	} `json:"session"`
	Answers []struct {
		ID         *models.ID `json:"id"`
		Fact       *string    `json:"fact"`
		Correct    *bool      `json:"correct"`
		ResponseMS *int64     `json:"response_ms"`
		At         *time.Time `json:"at"`
	} `json:"answers"`
}

// errMalformed means that a line is not of the form of a recording.
var errMalformed = errors.New("malformed line")

// parseRecording reads a line. What its values must be is the store's to say.
func parseRecording(line []byte) (user storage.NewUser, in storage.Submission, err error) {
	var r recording
	if err := json.Unmarshal(line, &r); err != nil {
		return user, in, fmt.Errorf("%w: %w", errMalformed, err)
	}
	s := r.Session
	if r.User.UID == nil || s.ID == nil || s.Operation == nil || s.StartedAt == nil || s.EndedAt == nil {
		return user, in, fmt.Errorf("%w: it needs user.uid and session.id, operation, started_at, ended_at", errMalformed)
	}
	user = storage.NewUser{UID: *r.User.UID, Email: r.User.Email, Name: r.User.Name}
	in = storage.Submission{ID: *s.ID, Operation: *s.Operation, StartedAt: *s.StartedAt, EndedAt: *s.EndedAt}
	for i, a := range r.Answers {
		if a.ID == nil || a.Fact == nil || a.Correct == nil || a.ResponseMS == nil || a.At == nil {
			return user, in, fmt.Errorf("%w: answers[%d] needs id, fact, correct, response_ms, at", errMalformed, i)
		}
		in.Answers = append(in.Answers, storage.Answer{
			ID: *a.ID, Fact: *a.Fact, Correct: *a.Correct, ResponseMS: *a.ResponseMS, At: *a.At,
		})
	}
	return user, in, nil
}
