package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// yesterday is the latest time before which answers may be archived.
var yesterday = noon.AddDate(0, 0, -1)

// oldAnswer is the n-th answer of a lesson three days ago, n seconds into it.
func oldAnswer(n int, fact string) storage.Answer {
	at := noon.AddDate(0, 0, -3).Add(time.Duration(n) * time.Second)
	return storage.Answer{ID: idAt(at, 0), Fact: fact, Correct: n%4 != 3, ResponseMS: int64(100 + n), At: at}
}

// oldAnswers are the first n answers of that lesson, to three facts.
func oldAnswers(n int) []storage.Answer {
	answers := make([]storage.Answer, n)
	for i := range answers {
		answers[i] = oldAnswer(i, fmt.Sprintf("%d+1", i%3))
	}
	return answers
}

// inBatches has answers archived so many at once.
func inBatches(of int) func(*setup) { return func(s *setup) { s.store.ArchiveBatch = of } }

// MustArchive archives what is older than a day.
func MustArchive(tb testing.TB, s *storage.Store) storage.ArchiveResult {
	tb.Helper()
	result, err := s.Answers.Archive(ctx, yesterday)
	must(tb, err)
	if result.Duration <= 0 {
		tb.Errorf("it took %v", result.Duration)
	}
	result.Duration = 0
	return result
}

// MustRecent returns a user's latest answers.
func MustRecent(tb testing.TB, s *storage.Store, userID int64, limit int, options ...storage.RecentOption) []models.AnswerEvent {
	tb.Helper()
	answers, err := s.Answers.Recent(ctx, userID, limit, options...)
	must(tb, err)
	return answers
}

// mustLog fails unless the log and the archive have these answers of a user,
// each once, and nothing else.
func mustLog(tb testing.TB, s *storage.Store, userID int64, answers []storage.Answer) {
	tb.Helper()
	want := make([]models.ID, 0, len(answers))
	for _, a := range answers {
		want = append(want, a.ID)
	}
	slices.SortFunc(want, func(a, b models.ID) int { return b.Compare(a) })
	var got []models.ID
	for _, e := range MustRecent(tb, s, userID, 1000, storage.WithArchived()) {
		got = append(got, e.ID)
	}
	equal(tb, got, want)
}

// archivedRows counts what the archive has.
func archivedRows(tb testing.TB, f *fixture) int64 {
	tb.Helper()
	db := f.db
	if !onPostgres {
		db = storage.ArchiveDB(f.Store)
	}
	return MustInt(tb, db, "SELECT count(*) FROM answer_archive")
}

func loggedRows(tb testing.TB, f *fixture) int64 {
	tb.Helper()
	return MustInt(tb, f.db, "SELECT count(*) FROM answer_events")
}

func TestAnswers_Archive(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		f := MustOpen(t)
		ada, bob := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		MustUser(t, f.Store, "eve")
		old := oldAnswers(10)
		young := []storage.Answer{right(1, "0+1", 5), wrong(2, "9+9", 5)}
		for _, user := range []models.User{ada, bob} {
			MustAppend(t, f.Store, user.ID, append(old, young...)...)
		}
		before := MustRecent(t, f.Store, ada.ID, 0)
		levels, err := f.Mastery.Operation(ctx, ada.ID, "addition")
		must(t, err)
		equal(t, MustArchive(t, f.Store), storage.ArchiveResult{Before: yesterday, Users: 2, Answers: 20})
		equal(t, archivedRows(t, f), 20)
		equal(t, loggedRows(t, f), 4)
		equal(t, MustRecent(t, f.Store, ada.ID, 0), before[:2])
		equal(t, MustRecent(t, f.Store, ada.ID, 0, storage.WithArchived()), before)
		for limit := 1; limit < 14; limit++ {
			equal(t, MustRecent(t, f.Store, ada.ID, limit, storage.WithArchived()), before[:min(limit, 12)])
		}
		MustVerify(t, f.Store)
		after, err := f.Mastery.Operation(ctx, ada.ID, "addition")
		must(t, err)
		equal(t, after, levels)
		// Again there is nothing to do.
		MustNotChange(t, f, func() {
			equal(t, MustArchive(t, f.Store), storage.ArchiveResult{Before: yesterday})
		})
		equal(t, archivedRows(t, f), 20)
		// The past grows, and its archive with it.
		f.clock.Set(noon.AddDate(0, 0, 2))
		result, err := f.Answers.Archive(ctx, noon)
		must(t, err)
		equal(t, result.Answers, 4)
		equal(t, MustRecent(t, f.Store, ada.ID, 0, storage.WithArchived()), before)
		MustVerify(t, f.Store)
	})
	t.Run("OK/ToTheMillisecond", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		at := func(ms int, n int64) storage.Answer {
			at := yesterday.Add(time.Duration(ms) * time.Millisecond)
			return storage.Answer{ID: idAt(at, n), Fact: "1+1", At: at}
		}
		MustAppend(t, f.Store, user.ID, at(-1, 0), at(-1, 1<<61), at(0, 0), at(1, 0))
		equal(t, MustArchive(t, f.Store).Answers, 2)
		equal(t, len(MustRecent(t, f.Store, user.ID, 0)), 2)
	})
	t.Run("OK/Batches", func(t *testing.T) {
		for batch := 1; batch < 12; batch++ {
			f := MustOpen(t, inBatches(batch))
			for n, user := range MustUsers(t, f, 4) {
				MustAppend(t, f.Store, user.ID, append(oldAnswers(4*n), right(n, "1+1", 5))...)
			}
			var told []int64
			result, err := f.Answers.Archive(ctx, yesterday, storage.OnArchived(func(r storage.ArchiveResult) {
				told = append(told, r.Answers)
			}))
			must(t, err)
			equal(t, []int64{result.Users, result.Answers, archivedRows(t, f), loggedRows(t, f)}, []int64{3, 24, 24, 4})
			equal(t, len(told), (24+batch-1)/batch)
			equal(t, told[len(told)-1], 24)
			MustVerify(t, f.Store)
			equal(t, MustArchive(t, f.Store).Answers, 0)
		}
	})
	t.Run("OK/AllFields", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		a, b := oldAnswer(0, "8×7"), oldAnswer(3, "Größe 🦊")
		_, err := f.Answers.Append(ctx, user.ID,
			storage.SingleAnswer{Answer: a, Operation: "multiplication", SessionID: idAt(lesson, 1)},
			storage.SingleAnswer{Answer: b, Operation: "übung"})
		must(t, err)
		want := MustRecent(t, f.Store, user.ID, 0)
		MustArchive(t, f.Store)
		equal(t, MustRecent(t, f.Store, user.ID, 0, storage.WithArchived()), want)
		export, err := f.Users.Export(ctx, user.ID)
		must(t, err)
		equal(t, export.Archived, []models.ArchivedAnswer{models.ArchivedAnswer(want[1]), models.ArchivedAnswer(want[0])})
		equal(t, len(export.Answers), 0)
		equal(t, export.Horizon[0].Answers, 2)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		f := MustOpen(t)
		for _, before := range []time.Time{{}, yesterday.Add(time.Millisecond), noon, time.Unix(-1, 0)} {
			_, err := f.Answers.Archive(ctx, before)
			mustBeInvalid(t, err, "before")
		}
	})
	t.Run("ErrInTransaction", func(t *testing.T) {
		f := MustOpen(t)
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			_, err := f.In(tx).Answers.Archive(ctx, yesterday)
			mustBe(t, err, storage.ErrInTransaction)
			return nil
		}))
	})
	t.Run("ErrCancelled", func(t *testing.T) {
		f := MustOpen(t, inBatches(3))
		user := MustUser(t, f.Store, "ada")
		MustAppend(t, f.Store, user.ID, oldAnswers(10)...)
		ending, cancel := context.WithCancel(ctx)
		defer cancel()
		result, err := f.Answers.Archive(ending, yesterday, storage.OnArchived(func(storage.ArchiveResult) { cancel() }))
		mustBe(t, err, context.Canceled)
		equal(t, result.Answers, 3)
		mustLog(t, f.Store, user.ID, oldAnswers(10))
		equal(t, MustArchive(t, f.Store).Answers, 7)
	})
}

// What comes of the archived past is met, and not booked twice.
func TestAnswers_Archive_Late(t *testing.T) {
	open := func(t *testing.T) (*fixture, models.User) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustAppend(t, f.Store, user.ID, oldAnswers(10)...)
		MustArchive(t, f.Store)
		return f, user
	}
	t.Run("OK/Repeated", func(t *testing.T) {
		f, user := open(t)
		MustNotChange(t, f, func() {
			equal(t, MustAppend(t, f.Store, user.ID, oldAnswers(10)...), storage.AppendReceipt{Repeated: 10})
		})
		receipt := MustAppend(t, f.Store, user.ID, append(oldAnswers(11), right(1, "1+1", 1))...)
		equal(t, receipt, storage.AppendReceipt{Booked: 2, Repeated: 10})
		MustVerify(t, f.Store)
	})
	t.Run("ErrConflict", func(t *testing.T) {
		f, user := open(t)
		changed := oldAnswer(4, "1+1")
		changed.ResponseMS++
		MustNotChange(t, f, func() {
			_, err := f.Answers.Append(ctx, user.ID, singles(models.ID{}, oldAnswer(20, "1+1"), changed)...)
			mustBe(t, err, storage.ErrConflict)
		})
	})
	t.Run("OK/Session", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		began := noon.AddDate(0, 0, -3)
		in := storage.Submission{UserID: user.ID, ID: idAt(began, 9), Operation: "addition",
			StartedAt: began, EndedAt: began.Add(time.Minute), Answers: oldAnswers(6)}
		ahead := singles(in.ID, oldAnswers(2)...)
		_, err := f.Answers.Append(ctx, user.ID, ahead...)
		must(t, err)
		MustArchive(t, f.Store)
		// Two of its answers were sent ahead, and are archived already.
		first := MustSubmit(t, f.Store, in)
		equal(t, []int64{first.TotalCount, loggedRows(t, f), archivedRows(t, f)}, []int64{6, 4, 2})
		MustArchive(t, f.Store)
		MustNotChange(t, f, func() {
			again := MustSubmit(t, f.Store, in)
			equal(t, again.Repeated, true)
			another := in
			another.ID = idAt(began, 10)
			_, err := f.Sessions.Submit(ctx, another)
			mustBe(t, err, storage.ErrConflict)
		})
		equal(t, []int64{loggedRows(t, f), archivedRows(t, f)}, []int64{0, 6})
		mustFold(t, f.Store, user.ID, oldAnswers(6))
	})
	// An answer below the horizon is booked, folded at its place, read at its
	// place, and moved by the next Archive.
	t.Run("OK/Unknown", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		all := oldAnswers(12)
		MustAppend(t, f.Store, user.ID, all[1], all[4], all[5], all[10], all[11])
		MustArchive(t, f.Store)
		for _, n := range []int{0, 7, 3, 2, 9, 8, 6} {
			equal(t, MustAppend(t, f.Store, user.ID, all[n]), storage.AppendReceipt{Booked: 1})
			MustVerify(t, f.Store)
		}
		mustFold(t, f.Store, user.ID, all)
		mustLog(t, f.Store, user.ID, all)
		equal(t, []int64{loggedRows(t, f), archivedRows(t, f)}, []int64{7, 5})
		for limit := 1; limit <= 12; limit++ {
			got := MustRecent(t, f.Store, user.ID, limit, storage.WithArchived())
			equal(t, len(got), limit)
			equal(t, got[limit-1].ID, all[12-limit].ID)
		}
		equal(t, MustArchive(t, f.Store).Answers, 7)
		mustLog(t, f.Store, user.ID, all)
		mustFold(t, f.Store, user.ID, all)
		MustVerify(t, f.Store)
	})
	// Levels are proved and repaired from both.
	t.Run("OK/Rebuild", func(t *testing.T) {
		f, user := open(t)
		MustAppend(t, f.Store, user.ID, oldAnswer(20, "0+1"), right(1, "1+1", 5))
		want, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		MustExec(t, f.db, "UPDATE mastery_stats SET mastery_level = 0, attempts = 90")
		result, err := f.Mastery.Rebuild(ctx, user.ID)
		must(t, err)
		equal(t, result.Changed, 3)
		got, err := f.Mastery.Operation(ctx, user.ID, "addition")
		must(t, err)
		equal(t, got, want)
	})
}

// A store whose answers are archived now and then is the same as one whose are
// not, whatever comes in whatever order.
func TestAnswers_Archive_IsTheSameLog(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, seed))
			plain, f := MustOpen(t), MustOpen(t, inBatches(1+random.IntN(9)))
			users := []models.User{MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")}
			for range users {
				MustUser(t, plain.Store, models.NewID().String())
			}
			answers := oldAnswers(60)
			for i := range answers { // from three days ago until an hour ago
				at := noon.Add(-time.Duration(60-i) * 71 * time.Minute)
				answers[i].ID, answers[i].At = idAt(at, 0), at
			}
			for n, i := range random.Perm(len(answers)) {
				for _, user := range users {
					some := singles(models.ID{}, answers[i], answers[random.IntN(len(answers))])
					some[0].Operation = []string{"addition", "subtraction"}[i%2]
					some = some[:1+n%2*(i+1)%2]
					want, planned := plain.Answers.Append(ctx, user.ID, some...)
					got, err := f.Answers.Append(ctx, user.ID, some...)
					equal(t, got, want)
					equal(t, fmt.Sprint(err), fmt.Sprint(planned))
				}
				if n%11 == 0 {
					_, err := f.Answers.Archive(ctx, yesterday.Add(-time.Duration(random.IntN(48))*time.Hour))
					must(t, err)
				}
			}
			for _, user := range users {
				want := MustRecent(t, plain.Store, user.ID, 1000)
				equal(t, MustRecent(t, f.Store, user.ID, 1000, storage.WithArchived()), want)
				for _, operation := range []string{"addition", "subtraction"} {
					stats, err := plain.Mastery.Operation(ctx, user.ID, operation)
					must(t, err)
					got, err := f.Mastery.Operation(ctx, user.ID, operation)
					must(t, err)
					equal(t, got, stats)
					for _, a := range []storage.Answer{answers[0], answers[17], answers[31], answers[59]} {
						was, err := plain.Mastery.AsOf(ctx, user.ID, operation, a.At)
						must(t, err)
						got, err := f.Mastery.AsOf(ctx, user.ID, operation, a.At)
						must(t, err)
						equal(t, got, was)
					}
				}
				export, err := f.Users.Export(ctx, user.ID)
				must(t, err)
				equal(t, len(export.Answers)+len(export.Archived), len(want))
			}
			MustVerify(t, f.Store)
			if loggedRows(t, f) == loggedRows(t, plain) {
				t.Error("nothing is archived")
			}
		})
	}
}

// Two stores on one database archive, while both book answers of now and of the
// archived past, each of them from both.
func TestAnswers_Archive_AtOnce(t *testing.T) {
	f := MustOpen(t, inBatches(7))
	stores := []*fixture{f, MustOpen(t, func(s *setup) { s.path, s.store.ArchiveBatch = f.path, 11 })}
	users := MustUsers(t, f, 3)
	old := oldAnswers(90)
	for _, user := range users {
		MustAppend(t, f.Store, user.ID, old[:30]...)
	}
	booked, moved := make([]int, 64), make([]int64, 64)
	must(t, errors.Join(atOnce(len(booked), func(i int) error {
		s := stores[i%2]
		if i%8 < 2 {
			result, err := s.Answers.Archive(ctx, yesterday)
			moved[i] = result.Answers
			return err
		}
		for _, user := range users {
			late := old[i/2%60 : i/2%60+30]
			receipt, err := s.Answers.Append(ctx, user.ID, singles(models.ID{}, append(slices.Clone(late), right(i/2, "1+1", 5))...)...)
			if err != nil {
				return err
			}
			booked[i] += receipt.Booked
			if _, err := s.Mastery.Verify(ctx, user.ID); err != nil {
				return err
			}
		}
		return nil
	})...))
	sent := map[models.ID]storage.Answer{}
	for _, a := range old[:30] {
		sent[a.ID] = a
	}
	for i := range booked {
		if i%8 >= 2 {
			for _, a := range append(slices.Clone(old[i/2%60:i/2%60+30]), right(i/2, "1+1", 5)) {
				sent[a.ID] = a
			}
		}
	}
	var answers []storage.Answer
	for _, a := range sent {
		answers = append(answers, a)
	}
	slices.SortFunc(answers, func(a, b storage.Answer) int { return a.ID.Compare(b.ID) })
	total := 0
	for _, n := range booked {
		total += n
	}
	equal(t, total, len(users)*(len(sent)-30))
	MustArchive(t, f.Store)
	equal(t, loggedRows(t, f)+archivedRows(t, f), int64(len(users)*len(sent)))
	for _, user := range users {
		mustLog(t, stores[1].Store, user.ID, answers)
		mustFold(t, f.Store, user.ID, answers)
	}
	MustVerify(t, stores[1].Store)
}

// meanwhile runs fn once, when f has read how far answers are archived and not
// yet what the archive has.
func meanwhile(tb testing.TB, f *fixture, fn func()) {
	tb.Helper()
	done := false
	look := func(tx *gorm.DB) {
		if !done && strings.Contains(tx.Statement.SQL.String(), "archive_horizons") {
			done = true
			fn()
		}
	}
	calls := f.db.Callback()
	must(tb, errors.Join(
		calls.Query().After("*").Register("test:meanwhile", look),
		calls.Row().After("*").Register("test:meanwhile", look),
	))
	tb.Cleanup(func() {
		if !done {
			tb.Error("nothing asked for a horizon")
		}
	})
}

// Late answers that are moved between two looks, and a user who is erased, are
// met as of one moment.
func TestAnswers_Archive_Meanwhile(t *testing.T) {
	reads := map[string]func(s *storage.Store, userID int64) error{
		"Verify": func(s *storage.Store, id int64) error {
			differences, err := s.Mastery.Verify(ctx, id)
			if err == nil && len(differences) > 0 {
				err = errors.New(differences[0].String())
			}
			return err
		},
		"AsOf":     func(s *storage.Store, id int64) error { return err2(s.Mastery.AsOf(ctx, id, "addition", noon)) },
		"Export":   func(s *storage.Store, id int64) error { return err2(s.Users.Export(ctx, id)) },
		"ExportTo": func(s *storage.Store, id int64) error { return s.Users.ExportTo(ctx, id, io.Discard) },
	}
	for name, read := range reads {
		t.Run("OK/"+name, func(t *testing.T) {
			f := MustOpen(t)
			user := MustUser(t, f.Store, "ada")
			MustAppend(t, f.Store, user.ID, oldAnswer(2, "1+1"), oldAnswer(9, "1+1"))
			MustArchive(t, f.Store)
			other := another(t, f)
			meanwhile(t, f, func() {
				MustAppend(t, other.Store, user.ID, oldAnswer(3, "1+1"))
				equal(t, MustArchive(t, other.Store).Answers, 1)
			})
			must(t, read(f.Store, user.ID))
		})
		t.Run("ErrNotFound/"+name, func(t *testing.T) {
			f := MustOpen(t)
			user := MustUser(t, f.Store, "ada")
			MustAppend(t, f.Store, user.ID, oldAnswer(2, "1+1"))
			MustArchive(t, f.Store)
			other := another(t, f)
			meanwhile(t, f, func() {
				_, err := other.Users.Erase(ctx, user.ID)
				must(t, err)
			})
			// On PostgreSQL it is of the moment before.
			if err := read(f.Store, user.ID); name != "AsOf" && !onPostgres {
				mustBe(t, err, storage.ErrNotFound)
			} else {
				must(t, err)
			}
		})
	}
}

// Who books answers of today does not ask what is archived.
func TestAnswers_Archive_CostsTodayNothing(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, oldAnswers(5)...)
	MustArchive(t, f.Store)
	asked := 0
	look := func(tx *gorm.DB) {
		if text := tx.Statement.SQL.String(); strings.Contains(text, "archive") {
			asked++
		}
	}
	calls := f.db.Callback()
	must(t, errors.Join(calls.Query().After("*").Register("test:look", look),
		calls.Row().After("*").Register("test:look", look), calls.Raw().After("*").Register("test:look", look)))
	MustAppend(t, f.Store, user.ID, right(1, "1+1", 5), right(2, "2+1", 5))
	MustSubmit(t, f.Store, session(user.ID, 1, right(3, "1+1", 5), right(4, "1+1", 5)))
	MustSubmit(t, f.Store, session(user.ID, 1, right(3, "1+1", 5), right(4, "1+1", 5)))
	MustRecent(t, f.Store, user.ID, 0)
	equal(t, asked, 0)
	MustAppend(t, f.Store, user.ID, oldAnswer(1, "1+1"))
	equal(t, asked, pick(f.db, 1, 2)) // SQLite's archive is another database
}
