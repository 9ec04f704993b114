package transfer_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/transfer"
)

// place is a database with an archive.
type place struct {
	db   *gorm.DB
	path string // of the archive's file; empty on PostgreSQL
}

var places = map[string]func(testing.TB) place{
	"SQLite": func(tb testing.TB) place {
		return place{newSQLite(tb), filepath.Join(tb.TempDir(), "archive.db")}
	},
	"PostgreSQL": func(tb testing.TB) place { return place{newPostgres(tb), ""} },
}

// store puts the store on a place, which makes the archive.
func (p place) store(tb testing.TB) *school {
	tb.Helper()
	s := onArchive(tb, p.db, "", p.path)
	_, err := s.Answers.Archive(tb.Context(), time.Unix(0, 0))
	must(tb, err)
	return s
}

// file opens the archive's file, or returns nil.
func (p place) file(tb testing.TB) *gorm.DB {
	tb.Helper()
	if p.path == "" {
		return nil
	}
	return open(tb, sqlite.Open(p.path))
}

// archived are the archived answers, in the spelling of both engines.
func (p place) archived(tb testing.TB) []string {
	tb.Helper()
	db := p.db
	if p.path != "" {
		db = p.file(tb)
	}
	var rows []struct {
		UserID       int64
		Fact         string
		Correct      bool
		ResponseTime int64 `gorm:"column:response_time_ms"`
		CreatedAt    int64
	}
	must(tb, db.Raw("SELECT * FROM answer_archive ORDER BY user_id, id").Scan(&rows).Error)
	list := make([]string, len(rows))
	for i, row := range rows {
		list[i] = fmt.Sprint(row)
	}
	return list
}

// practised books sessions of three users, some of them days ago.
func practised(tb testing.TB, s *school) {
	tb.Helper()
	for i := range 3 {
		user, err := s.Users.Create(tb.Context(), storage.NewUser{UID: fmt.Sprint("user-", i)})
		must(tb, err)
		for _, days := range []int{5, 3, 0} {
			s.practise(tb, user.ID, noon.AddDate(0, 0, -days).Add(-time.Hour), 12+i)
		}
	}
}

func mustArchive(tb testing.TB, s *school, days int) {
	tb.Helper()
	result, err := s.Answers.Archive(tb.Context(), noon.AddDate(0, 0, -days))
	must(tb, err)
	if result.Answers == 0 {
		tb.Fatal("nothing was archived")
	}
}

func mustVerify(tb testing.TB, s *school) {
	tb.Helper()
	must(tb, s.Mastery.VerifyAll(tb.Context(), func(d storage.MasteryDifference) error { return errors.New(d.String()) }))
}

// Archived answers go along, on every way, and again when more were archived.
func TestArchive(t *testing.T) {
	for fromName, newFrom := range places {
		for toName, newTo := range places {
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				from, to := newFrom(t), newTo(t)
				s := from.store(t)
				practised(t, s)
				mustArchive(t, s, 4)
				copied := to.store(t)
				cfg := transfer.Config{FromArchive: from.file(t), ToArchive: to.file(t), BatchRows: 10}
				told := transfer.Progress{}
				cfg.Progress = func(p transfer.Progress) {
					if p.Done < told.Done || p.Total < told.Total {
						t.Errorf("progress goes back from %+v to %+v", told, p)
					}
					told = p
				}
				first := mustCopy(t, s.db, to.db, cfg)
				equal(t, told.Done, told.Total)
				last := first.Tables[len(first.Tables)-1]
				equal(t, []any{last.Table, last.Rows, last.Added}, []any{"answer_archive", int64(39), int64(39)})
				equal(t, to.archived(t), from.archived(t))
				mustVerify(t, copied)

				cfg.Progress = nil
				equal(t, mustCopy(t, s.db, to.db, cfg).Written(), int64(0))
				mustArchive(t, s, 2)
				_, err := s.Users.Erase(t.Context(), 2)
				must(t, err)
				mustCopy(t, s.db, to.db, cfg)
				equal(t, len(to.archived(t)), 2*(12+14))
				equal(t, to.archived(t), from.archived(t))
				mustVerify(t, copied)
				answers, err := copied.Answers.Recent(t.Context(), 1, 0, storage.WithArchived())
				must(t, err)
				equal(t, len(answers), 36)
				dry, err := transfer.Copy(t.Context(), s.db, to.db, transfer.Config{DryRun: true, FromArchive: from.file(t)})
				must(t, err)
				if toName == "PostgreSQL" {
					equal(t, dry.Written(), int64(0))
				}
			})
		}
	}
}

// Without the archives, or with those of others, nothing is copied.
func TestArchive_Refused(t *testing.T) {
	from := places["SQLite"](t)
	s := from.store(t)
	practised(t, s)
	mustArchive(t, s, 4)
	other := places["SQLite"](t)
	practised(t, other.store(t))
	for name, test := range map[string]struct {
		to   place
		cfg  func(to place) transfer.Config
		says string
	}{
		"NoSource": {places["PostgreSQL"](t), func(place) transfer.Config { return transfer.Config{} }, "source is not given"},
		"NoTarget": {places["SQLite"](t), func(place) transfer.Config { return transfer.Config{FromArchive: from.file(t)} }, "target is not given"},
		"AnothersSource": {places["PostgreSQL"](t), func(place) transfer.Config {
			return transfer.Config{FromArchive: other.file(t)}
		}, "source is another store's"},
		"AnothersTarget": {places["SQLite"](t), func(to place) transfer.Config {
			return transfer.Config{FromArchive: from.file(t), ToArchive: other.file(t)}
		}, "target is another store's"},
	} {
		t.Run(name, func(t *testing.T) {
			test.to.store(t)
			before := contents(t, test.to.db)
			_, err := transfer.Copy(t.Context(), s.db, test.to.db, test.cfg(test.to))
			var refused *transfer.ArchivedError
			if !errors.As(err, &refused) || refused.Users != 3 || !strings.Contains(err.Error(), test.says) {
				t.Fatalf("got error %v, want that the %s", err, test.says)
			}
			equal(t, contents(t, test.to.db), before)
		})
	}
}

// What is archived, and who is erased, while a copy runs is not a part of it.
func TestArchive_SourceGoesOn(t *testing.T) {
	for fromName, newFrom := range places {
		for toName, newTo := range places {
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				from, to := newFrom(t), newTo(t)
				s := from.store(t)
				practised(t, s)
				mustArchive(t, s, 4)
				want, copied := from.archived(t), to.store(t)
				cfg := transfer.Config{FromArchive: from.file(t), ToArchive: to.file(t)}
				went := false
				cfg.Progress = func(transfer.Progress) {
					if went {
						return
					}
					went = true
					late, err := s.Users.Create(t.Context(), storage.NewUser{UID: "late"})
					must(t, err)
					s.practise(t, late.ID, noon.AddDate(0, 0, -5), 12)
					mustArchive(t, s, 2)
					_, err = s.Users.Erase(t.Context(), 2)
					must(t, err)
				}
				mustCopy(t, s.db, to.db, cfg)
				equal(t, to.archived(t), want)
				mustVerify(t, copied)
				mustCopy(t, s.db, to.db, cfg)
				equal(t, to.archived(t), from.archived(t))
				mustVerify(t, copied)
			})
		}
	}
}

// What an erasure that was interrupted has left in the source's file is not
// carried on.
func TestArchive_LeftOfTheErased(t *testing.T) {
	for name, newTo := range places {
		t.Run(name, func(t *testing.T) {
			from, to := places["SQLite"](t), newTo(t)
			s := from.store(t)
			practised(t, s)
			mustArchive(t, s, 4)
			exec(t, s, "DELETE FROM users WHERE id = 2")
			equal(t, len(from.archived(t)), 12+13+14)
			to.store(t)
			mustCopy(t, s.db, to.db, transfer.Config{FromArchive: from.file(t), ToArchive: to.file(t)})
			equal(t, len(to.archived(t)), 12+14)
		})
	}
}

// When all whose answers were archived are erased, their answers leave the
// target's archive too.
func TestArchive_AllErased(t *testing.T) {
	for fromName, newFrom := range places {
		for toName, newTo := range places {
			t.Run(fromName+" to "+toName, func(t *testing.T) {
				from, to := newFrom(t), newTo(t)
				s := from.store(t)
				practised(t, s)
				mustArchive(t, s, 4)
				to.store(t)
				cfg := transfer.Config{FromArchive: from.file(t), ToArchive: to.file(t)}
				mustCopy(t, s.db, to.db, cfg)
				_, err := s.Users.Create(t.Context(), storage.NewUser{UID: "stays"})
				must(t, err)
				mustCopy(t, s.db, to.db, cfg)
				for id := range int64(3) {
					_, err := s.Users.Erase(t.Context(), id+1)
					must(t, err)
				}
				if toName == "SQLite" {
					_, err := transfer.Copy(t.Context(), s.db, to.db, transfer.Config{})
					var refused *transfer.ArchivedError
					if !errors.As(err, &refused) || !strings.Contains(err.Error(), "archive of the target is not given") {
						t.Errorf("without the target's archive: got error %v", err)
					}
				}
				cfg.FromArchive = nil // the source needs none any more
				mustCopy(t, s.db, to.db, cfg)
				equal(t, to.archived(t), nil)
			})
		}
	}
}
