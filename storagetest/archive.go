package storagetest

import (
	"errors"
	"testing"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// old returns the n-th answer of a lesson three days ago.
func old(n int, fact string) storage.Answer {
	at := noon.AddDate(0, 0, -3).Add(time.Duration(n) * time.Second)
	return storage.Answer{ID: idAt(at, 0), Fact: fact, Correct: n%4 != 3, ResponseMS: 100, At: at}
}

// oldSession returns a session of that lesson's first n answers.
func oldSession(userID int64, n int) storage.Submission {
	began := noon.AddDate(0, 0, -3)
	in := storage.Submission{UserID: userID, ID: idAt(began, userID), Operation: "addition", StartedAt: began, EndedAt: began.Add(time.Minute)}
	for i := range n {
		in.Answers = append(in.Answers, old(i, []string{"8+7", "1+1"}[i%2]))
	}
	return in
}

// archives archives what is older than a day, which is so many answers.
func (k kit) archives(t *testing.T, answers int64) {
	t.Helper()
	result, err := k.Answers.Archive(t.Context(), noon.AddDate(0, 0, -1))
	must(t, err)
	equal(t, "answers archived", result.Answers, answers)
}

// has fails unless a user has so many answers in the log, and with the archive.
func (k kit) has(t *testing.T, userID int64, logged, all int) {
	t.Helper()
	log, err := k.Answers.Recent(t.Context(), userID, 1000)
	must(t, err)
	equal(t, "answers in the log", len(log), logged)
	whole, err := k.Answers.Recent(t.Context(), userID, 1000, storage.WithArchived())
	must(t, err)
	equal(t, "answers in all", len(whole), all)
	for i, e := range whole {
		if i > 0 && e.ID.Compare(whole[i-1].ID) >= 0 {
			t.Fatalf("answer %s comes behind %s", e.ID, whole[i-1].ID)
		}
	}
}

// proved fails unless all levels are what the log and the archive make them.
func (k kit) proved(t *testing.T) {
	t.Helper()
	must(t, k.Mastery.VerifyAll(t.Context(), func(d storage.MasteryDifference) error { return errors.New(d.String()) }))
}

// archive: what is moved is read where it is asked for, known when it comes
// again, and levels stay proved.
func archive(t *testing.T, k kit) {
	ada, bob := k.user(t, "ada"), k.user(t, "bob")
	first := k.submit(t, oldSession(ada.ID, 8))
	k.submit(t, oldSession(bob.ID, 5))
	k.submit(t, session(ada.ID, 0, answer(1, "8+7", true, 100)))
	know := map[string]models.Level{"8+7": 500, "1+1": 0}
	levels(t, k, ada.ID, know)
	_, err := k.Answers.Archive(t.Context(), noon)
	mustBe(t, err, storage.ErrInvalid)
	k.archives(t, 13)
	k.has(t, ada.ID, 1, 9)
	k.has(t, bob.ID, 0, 5)
	k.stays(t, func() {
		k.archives(t, 0)
		again := k.submit(t, oldSession(ada.ID, 8))
		first.Repeated = true
		equal(t, "receipt of an archived session", again, first)
		changed := old(2, "8+7")
		changed.ResponseMS++
		_, err := k.Answers.Append(t.Context(), ada.ID, single(first.SessionID, changed))
		mustBe(t, err, storage.ErrConflict)
	})
	levels(t, k, ada.ID, know)
	k.proved(t)
	export, err := k.Users.Export(t.Context(), ada.ID)
	must(t, err)
	equal(t, "answers exported", []int{len(export.Answers), len(export.Archived)}, []int{1, 8})
}

// archiveLate: an answer of the archived past is folded at its place, and moved
// by the next call.
func archiveLate(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	for _, n := range []int{1, 5, 7} {
		_, err := k.Answers.Append(t.Context(), ada.ID, single(models.ID{}, old(n, "8+7")))
		must(t, err)
	}
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 100})
	k.archives(t, 3)
	for _, n := range []int{6, 0, 4, 3, 2} {
		for _, want := range []storage.AppendReceipt{{Booked: 1}, {Repeated: 1}} {
			got, err := k.Answers.Append(t.Context(), ada.ID, single(models.ID{}, old(n, "8+7")))
			must(t, err)
			equal(t, "receipt", got, want)
		}
		k.proved(t)
	}
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 400})
	k.has(t, ada.ID, 5, 8)
	k.archives(t, 5)
	k.has(t, ada.ID, 0, 8)
	k.proved(t)
}

// archiveErase: archived answers go with their user.
func archiveErase(t *testing.T, k kit) {
	ada, bob := k.user(t, "ada"), k.user(t, "bob")
	k.submit(t, oldSession(ada.ID, 8))
	k.submit(t, oldSession(bob.ID, 8))
	k.archives(t, 16)
	receipt, err := k.Users.Erase(t.Context(), ada.ID)
	must(t, err)
	equal(t, "archived answers erased", receipt.Rows["answer_archive"], 8)
	result, err := k.Answers.Archive(t.Context(), noon.AddDate(0, 0, -1))
	must(t, err)
	equal(t, "answers that were left", result.Removed, 0)
	k.has(t, ada.ID, 0, 0)
	k.has(t, bob.ID, 0, 8)
	k.proved(t)
}

// archiveAtOnce: answers are archived while others of the same past are booked,
// each by two, to an exact total.
func archiveAtOnce(t *testing.T, k kit) {
	ada := k.user(t, "ada")
	const answers = 48
	booked := make([]int, 2*answers)
	must(t, errors.Join(atOnce(len(booked), func(i int) error {
		if i%8 == 0 {
			if _, err := k.Answers.Archive(t.Context(), noon.AddDate(0, 0, -1)); err != nil {
				return err
			}
		}
		got, err := k.Answers.Append(t.Context(), ada.ID, single(models.ID{}, old(i/2, "8+7")))
		booked[i] = got.Booked
		return err
	})...))
	total := 0
	for _, n := range booked {
		total += n
	}
	equal(t, "answers booked", total, answers)
	_, err := k.Answers.Archive(t.Context(), noon.AddDate(0, 0, -1))
	must(t, err)
	k.has(t, ada.ID, 0, answers)
	levels(t, k, ada.ID, map[string]models.Level{"8+7": 400})
	k.proved(t)
}
