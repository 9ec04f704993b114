package storage_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// mustBeOfArchive fails unless err is an *ArchiveError about the file of f that
// says these words.
func mustBeOfArchive(tb testing.TB, err error, path string, words ...string) {
	tb.Helper()
	var refused *storage.ArchiveError
	if !errors.As(err, &refused) || refused.Path != path || refused.Reason == "" {
		tb.Fatalf("got error %v, want an *ArchiveError about %q", err, path)
	}
	for _, word := range append(words, path) {
		if !strings.Contains(err.Error(), word) {
			tb.Errorf("%q does not say %q", err, word)
		}
	}
}

// archivedFixture is a closed store of a user whose old answers are archived,
// and opens it again.
func archivedFixture(t *testing.T) (user models.User, path string, open func(changes ...func(*setup)) *fixture) {
	t.Helper()
	f := MustOpen(t)
	user = MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, append(oldAnswers(10), right(1, "1+1", 5))...)
	MustArchive(t, f.Store)
	must(t, f.Close())
	return user, f.path, func(changes ...func(*setup)) *fixture {
		return MustOpen(t, append(changes, func(s *setup) { s.path = f.path })...)
	}
}

// needingArchive are the calls that need a user's archive.
var needingArchive = map[string]func(s *storage.Store, userID int64) error{
	"Recent": func(s *storage.Store, id int64) error {
		return err2(s.Answers.Recent(ctx, id, 0, storage.WithArchived()))
	},
	"Verify":   func(s *storage.Store, id int64) error { return err2(s.Mastery.Verify(ctx, id)) },
	"Rebuild":  func(s *storage.Store, id int64) error { return err2(s.Mastery.Rebuild(ctx, id)) },
	"AsOf":     func(s *storage.Store, id int64) error { return err2(s.Mastery.AsOf(ctx, id, "addition", noon)) },
	"Export":   func(s *storage.Store, id int64) error { return err2(s.Users.Export(ctx, id)) },
	"ExportTo": func(s *storage.Store, id int64) error { return s.Users.ExportTo(ctx, id, io.Discard) },
	"Erase":    func(s *storage.Store, id int64) error { return err2(s.Users.Erase(ctx, id)) },
	"Archive":  func(s *storage.Store, _ int64) error { return err2(s.Answers.Archive(ctx, yesterday)) },
	"late": func(s *storage.Store, id int64) error {
		return err2(s.Answers.Append(ctx, id, singles(models.ID{}, right(0, "1+1", 5))...))
	},
	"archived past": func(s *storage.Store, id int64) error {
		return err2(s.Answers.Append(ctx, id, singles(models.ID{}, oldAnswer(1, "1+1"))...))
	},
}

// Where the file is not there, whatever needs it says so and changes nothing,
// and all else goes on; put back, it is as if nothing had been.
func TestAnswers_Archive_WithoutFile(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	user, path, open := archivedFixture(t)
	latest := 60 // one that is not the latest of its fact needs the archive
	for name, change := range map[string]func(*setup){
		"Missing": func(*setup) {}, "Elsewhere": func(s *setup) { s.store.Archive = filepath.Join(t.TempDir(), "none", "a.db") },
	} {
		t.Run(name, func(t *testing.T) {
			if at := archiveOf(path); name == "Missing" {
				must(t, os.Rename(at, at+".away"))
				defer func() { must(t, os.Rename(at+".away", at)) }()
			}
			f := open(change)
			for name, call := range needingArchive {
				t.Run(name, func(t *testing.T) {
					MustNotChange(t, f, func() {
						err := call(f.Store, user.ID)
						var refused *storage.ArchiveError
						if !errors.As(err, &refused) || !strings.Contains(err.Error(), "is missing") || !errors.Is(err, os.ErrNotExist) {
							t.Fatalf("got error %v, want that the file is missing", err)
						}
					})
				})
			}
			other := MustUser(t, f.Store, "without "+name)
			MustAppend(t, f.Store, other.ID, right(5, "1+1", 5), right(4, "1+1", 5))
			latest++
			MustAppend(t, f.Store, user.ID, right(latest, "1+1", 5))
			equal(t, len(MustRecent(t, f.Store, user.ID, 0)) > 1, true)
			must(t, f.Close())
		})
	}
	f := open()
	MustVerify(t, f.Store)
	equal(t, len(MustRecent(t, f.Store, user.ID, 0, storage.WithArchived())), 13)
}

// A user whose archived answers are lost is erased where that is said, and what
// comes back goes with the next Archive.
func TestUsers_Erase_ArchiveLost(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	user, path, open := archivedFixture(t)
	at := archiveOf(path)
	must(t, os.Rename(at, at+".away"))
	f := open()
	archived := MustInt(t, f.db, "SELECT answers FROM archive_horizons WHERE user_id = ?", user.ID)
	got, err := f.Users.Erase(ctx, user.ID, storage.ArchiveLost())
	must(t, err)
	equal(t, []int64{got.Rows["users"], got.Rows["archive_horizons"], got.Rows["answer_archive"]}, []int64{1, 1, 0})
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM answer_events WHERE user_id = ?", user.ID), 0)
	must(t, f.Close())

	must(t, os.Rename(at+".away", at))
	f = open()
	equal(t, MustArchive(t, f.Store).Removed, archived)
	other := MustUser(t, f.Store, "other")
	MustAppend(t, f.Store, other.ID, oldAnswers(10)...)
	MustArchive(t, f.Store)
	got, err = f.Users.Erase(ctx, other.ID, storage.ArchiveLost()) // it is not
	must(t, err)
	equal(t, got.Rows["answer_archive"], 10)
	equal(t, MustArchive(t, f.Store).Removed, 0)
}

// Without a path there is nowhere to move answers to, and nothing to read.
func TestAnswers_Archive_WithoutPath(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	f := MustOpen(t, func(s *setup) { s.path = ":memory:" })
	MustNotChange(t, f, func() {
		_, err := f.Answers.Archive(ctx, yesterday)
		mustBeOfArchive(t, err, "", "storage.Config.Archive")
	})
	user, path, _ := archivedFixture(t)
	db := MustOpenGORM(t, path, &gorm.Config{})
	s := storage.New(storage.Config{})
	must(t, db.Use(s))
	defer s.Close()
	_, err := s.Mastery.Verify(ctx, user.ID)
	mustBeOfArchive(t, err, "", "storage.Config.Archive")
}

// Answers of a database in memory are moved like others.
func TestAnswers_Archive_InMemory(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	f := MustOpen(t, func(s *setup) { s.path, s.store.Archive = ":memory:", filepath.Join(t.TempDir(), "a b?.db") })
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, oldAnswers(10)...)
	equal(t, MustArchive(t, f.Store).Answers, 10)
	MustAppend(t, f.Store, user.ID, oldAnswer(20, "1+1"), oldAnswer(19, "1+1"))
	mustLog(t, f.Store, user.ID, append(oldAnswers(10), oldAnswer(20, ""), oldAnswer(19, "")))
	MustVerify(t, f.Store)
}

// A file that is not this store's archive is refused, and not a byte of it
// changes (P16).
func TestAnswers_Archive_Foreign(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	for name, make := range map[string]struct {
		file func(t *testing.T, at string)
		says string
	}{
		"Text": {func(t *testing.T, at string) {
			must(t, os.WriteFile(at, []byte(strings.Repeat("no database ", 99)), 0o600))
		}, "cannot be opened"},
		"Empty": {func(t *testing.T, at string) { must(t, os.WriteFile(at, nil, 0o600)) }, "another program's"},
		"AnotherProgram": {func(t *testing.T, at string) {
			MustExec(t, MustOpenGORM(t, at, &gorm.Config{}), "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
		}, "another program's"},
		"OurNames": {func(t *testing.T, at string) {
			db := MustOpenGORM(t, at, &gorm.Config{})
			MustExec(t, db, "CREATE TABLE answer_archive (id INTEGER PRIMARY KEY)")
			MustExec(t, db, "CREATE TABLE archive_files (id INTEGER PRIMARY KEY)")
		}, "another program's"},
		"AnotherStore": {func(t *testing.T, at string) {
			_, other, _ := archivedFixture(t)
			text, err := os.ReadFile(archiveOf(other))
			must(t, err)
			must(t, os.WriteFile(at, text, 0o600))
		}, "another store's"},
		"AnotherPrefix": {func(t *testing.T, at string) {
			f := MustOpen(t, func(s *setup) { s.store.TablePrefix, s.store.Archive = "fm_", at })
			MustArchive(t, f.Store)
			must(t, f.Close())
		}, "of another TablePrefix"},
		"TheStoreItself": {func(t *testing.T, at string) {
			f := MustOpen(t, func(s *setup) { s.path = at })
			must(t, f.Close())
		}, "another program's"},
	} {
		t.Run(name, func(t *testing.T) {
			f := MustOpen(t)
			user := MustUser(t, f.Store, "ada")
			MustAppend(t, f.Store, user.ID, oldAnswers(10)...)
			make.file(t, archiveOf(f.path))
			before, err := os.ReadFile(archiveOf(f.path))
			must(t, err)
			for range 2 {
				_, err = f.Answers.Archive(ctx, yesterday)
				mustBeOfArchive(t, err, archiveOf(f.path), make.says, "left as it is")
			}
			after, err := os.ReadFile(archiveOf(f.path))
			must(t, err)
			equal(t, bytes.Equal(after, before), true)
			beside, err := filepath.Glob(archiveOf(f.path) + "?*")
			must(t, err)
			equal(t, beside, nil)
			equal(t, loggedRows(t, f), 10)
			MustVerify(t, f.Store)
		})
	}
}

// An older state of the file, from a backup, does not make another level.
func TestAnswers_Archive_OlderFile(t *testing.T) {
	onlySQLite(t, "the archive is in the database")
	user, path, open := archivedFixture(t)
	older, err := os.ReadFile(archiveOf(path))
	must(t, err)
	f := open()
	MustAppend(t, f.Store, user.ID, oldAnswer(3+10, "1+1"), oldAnswer(40, "1+1"))
	MustArchive(t, f.Store)
	must(t, f.Close())
	must(t, os.WriteFile(archiveOf(path), older, 0o600))
	f = open()
	for _, name := range []string{"Verify", "Rebuild", "AsOf", "Export", "ExportTo", "late"} {
		MustNotChange(t, f, func() {
			mustBeOfArchive(t, needingArchive[name](f.Store, user.ID), archiveOf(path), "has 10 of user 1's answers, where 12 were moved")
		})
	}
	// Nothing is deleted from the log for its sake.
	MustAppend(t, f.Store, user.ID, oldAnswer(50, "7+7"))
	_, err = f.Answers.Archive(ctx, yesterday)
	mustBeOfArchive(t, err, archiveOf(path), "has 11 of user 1's answers, where 13 were moved")
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM answer_events WHERE fact = '7+7'"), 1)
}

// What is not the same in both is not deleted.
func TestAnswers_Archive_OtherContent(t *testing.T) {
	onlySQLite(t, "a row that is copied in its transaction has no other content")
	for _, change := range []string{
		"correct = 1 - correct", "response_time_ms = 7", "fact = '9+9'", "operation = 'division'",
		"created_at = created_at + 1", "session_id = randomblob(16)",
	} {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		MustAppend(t, f.Store, user.ID, oldAnswer(5, "1+1"))
		MustArchive(t, f.Store)
		late := oldAnswer(3, "1+1")
		MustAppend(t, f.Store, user.ID, late)
		file := storage.ArchiveDB(f.Store)
		MustExec(t, file, "INSERT INTO answer_archive SELECT user_id, ?, session_id, operation, fact, correct, response_time_ms, created_at FROM answer_archive", late.ID)
		MustExec(t, file, "UPDATE answer_archive SET correct = ?, response_time_ms = ?, created_at = ? WHERE id = ?",
			late.Correct, late.ResponseMS, late.At.UnixMilli(), late.ID)
		MustExec(t, file, "UPDATE answer_archive SET "+change+" WHERE id = ?", late.ID)
		MustNotChange(t, f, func() {
			_, err := f.Answers.Archive(ctx, yesterday)
			mustBeOfArchive(t, err, archiveOf(f.path), late.ID.String())
		})
		MustVerify(t, f.Store) // the log's counts
	}
}

// A file on another engine makes no sense.
func TestConfig_Archive(t *testing.T) {
	path := newPath(t)
	db := MustOpenGORM(t, path, &gorm.Config{})
	s := storage.New(storage.Config{Archive: filepath.Join(t.TempDir(), "archive.db")})
	err := db.Use(s)
	if onPostgres != (err != nil && strings.Contains(err.Error(), "storage.Config.Archive")) {
		t.Errorf("got error %v", err)
	}
	must(t, s.Close())
	must(t, s.Close())
	bad := storage.New(storage.Config{ArchiveBatch: -1})
	if err := MustOpenGORM(t, newPath(t), &gorm.Config{}).Use(bad); err == nil || !strings.Contains(err.Error(), "ArchiveBatch is -1") {
		t.Errorf("got error %v", err)
	}
}

// crash fails one statement, of the database or of the archive's file.
type crash struct {
	left int
	met  bool
}

var errCrash = errors.New("interrupted at this statement")

func (c *crash) install(tb testing.TB, databases ...*gorm.DB) {
	tb.Helper()
	look := func(tx *gorm.DB) {
		text := tx.Statement.SQL.String()
		if c.met || tx.DryRun || strings.Contains(text, "SAVEPOINT") {
			return
		}
		if c.left--; c.left < 0 {
			c.met = true
			_ = tx.AddError(errCrash)
		}
	}
	for _, db := range databases {
		if db == nil {
			continue
		}
		calls := db.Callback()
		must(tb, errors.Join(
			calls.Create().Before("*").Register("test:crash", look),
			calls.Query().Before("*").Register("test:crash", look),
			calls.Update().Before("*").Register("test:crash", look),
			calls.Delete().Before("*").Register("test:crash", look),
			calls.Row().Before("*").Register("test:crash", look),
			calls.Raw().Before("*").Register("test:crash", look),
		))
	}
}

func (c *crash) arm(left int) { c.left, c.met = left, false }

// Whatever statement it is interrupted at, Archive leaves every answer there
// and read once, and ends well when it is run again.
func TestAnswers_Archive_CrashPoints(t *testing.T) {
	points := 0
	for met := true; met; points++ {
		f := MustOpen(t, inBatches(5))
		users := []models.User{MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")}
		all := append(oldAnswers(8), right(1, "1+1", 5))
		for _, user := range users {
			MustAppend(t, f.Store, user.ID, all[4:]...)
		}
		MustArchive(t, f.Store)
		gone := MustUser(t, f.Store, "gone")
		MustAppend(t, f.Store, gone.ID, all...)
		MustArchive(t, f.Store)
		MustExec(t, f.db, "DELETE FROM users WHERE id = ?", gone.ID) // past the store
		for _, user := range users {
			MustAppend(t, f.Store, user.ID, all[:4]...)
		}
		c := &crash{met: true}
		c.install(t, f.db, storage.ArchiveDB(f.Store))
		c.arm(points)
		_, err := f.Answers.Archive(ctx, yesterday)
		if met = c.met; met {
			mustBe(t, err, errCrash)
		} else {
			must(t, err)
		}
		c.met = true
		for _, user := range users {
			mustLog(t, f.Store, user.ID, all)
			mustFold(t, f.Store, user.ID, all)
		}
		MustVerify(t, f.Store)
		MustArchive(t, f.Store)
		equal(t, []int64{loggedRows(t, f), archivedRows(t, f)}, []int64{2, 16})
		for _, user := range users {
			mustLog(t, f.Store, user.ID, all)
		}
		MustVerify(t, f.Store)
		must(t, f.Close())
	}
	if points < 15 {
		t.Errorf("it was interrupted at %d statements only", points)
	}
}

// Whatever statement Erase is interrupted at, it has done all or nothing, and
// what is left in the file goes with the next Erase, or with Archive.
func TestUsers_Erase_Archived(t *testing.T) {
	open := func(t *testing.T) (f *fixture, ada, bob models.User) {
		f = MustOpen(t)
		ada, bob = MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
		for _, user := range []models.User{ada, bob} {
			MustAppend(t, f.Store, user.ID, append(oldAnswers(10), right(1, "1+1", 5))...)
		}
		MustArchive(t, f.Store)
		return f, ada, bob
	}
	left := func(t *testing.T, f *fixture, userID int64) int64 {
		db := f.db
		if !onPostgres {
			db = storage.ArchiveDB(f.Store)
		}
		return MustInt(t, db, "SELECT count(*) FROM answer_archive WHERE user_id = ?", userID)
	}
	t.Run("OK", func(t *testing.T) {
		f, ada, bob := open(t)
		got, err := f.Users.Erase(ctx, ada.ID)
		must(t, err)
		equal(t, []int64{got.Rows["answer_archive"], got.Rows["answer_events"], got.Rows["archive_horizons"]}, []int64{10, 1, 1})
		equal(t, []int64{left(t, f, ada.ID), left(t, f, bob.ID)}, []int64{0, 10})
		MustVerify(t, f.Store)
		_, err = f.Users.Erase(ctx, ada.ID)
		mustBe(t, err, storage.ErrNotFound)
	})
	t.Run("OK/InTransaction", func(t *testing.T) {
		f, ada, _ := open(t)
		undo := errors.New("undo")
		erase := func(end error) error {
			return f.db.Transaction(func(tx *gorm.DB) error {
				_, err := f.In(tx).Users.Erase(ctx, ada.ID)
				must(t, err)
				return end
			})
		}
		mustBe(t, erase(undo), undo)
		equal(t, left(t, f, ada.ID), 10)
		MustVerify(t, f.Store)
		must(t, erase(nil))
		equal(t, left(t, f, ada.ID), 0)
	})
	t.Run("OK/CopiedAndNotMoved", func(t *testing.T) {
		onlySQLite(t, "the copy is in the transaction of the move")
		f, _, _ := open(t)
		eve := MustUser(t, f.Store, "eve")
		MustAppend(t, f.Store, eve.ID, oldAnswers(4)...)
		c := &crash{met: true}
		c.install(t, f.db)
		for c.arm(0); left(t, f, eve.ID) == 0; c.arm(c.left + 1) {
			at := c.left
			_, err := f.Answers.Archive(ctx, yesterday)
			mustBe(t, err, errCrash)
			c.left = at
		}
		c.met = true
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM archive_horizons WHERE user_id = ?", eve.ID), 0)
		_, err := f.Users.Erase(ctx, eve.ID)
		must(t, err)
		equal(t, left(t, f, eve.ID), 0)
	})
	t.Run("OK/CrashPoints", func(t *testing.T) {
		for point, met := 0, true; met; point++ {
			f, ada, bob := open(t)
			c := &crash{met: true}
			c.install(t, f.db, storage.ArchiveDB(f.Store))
			c.arm(point)
			_, err := f.Users.Erase(ctx, ada.ID)
			if met = c.met; met {
				mustBe(t, err, errCrash)
			}
			c.met = true
			switch _, found := f.Users.Get(ctx, ada.ID); {
			case found == nil:
				mustLog(t, f.Store, ada.ID, append(oldAnswers(10), right(1, "1+1", 5)))
				MustVerify(t, f.Store)
				_, err = f.Users.Erase(ctx, ada.ID)
				must(t, err)
			case point%2 == 0:
				_, err = f.Users.Erase(ctx, ada.ID)
				mustBe(t, err, storage.ErrNotFound)
			default:
				MustArchive(t, f.Store)
			}
			equal(t, []int64{left(t, f, ada.ID), left(t, f, bob.ID)}, []int64{0, 10})
			must(t, f.Close())
		}
	})
	t.Run("OK/PastTheStore", func(t *testing.T) {
		f, ada, bob := open(t)
		MustExec(t, f.db, "DELETE FROM users WHERE id = ?", ada.ID)
		removed := int64(10)
		if onPostgres {
			removed = 0 // it went with the user
		}
		equal(t, MustArchive(t, f.Store), storage.ArchiveResult{Before: yesterday, Removed: removed})
		equal(t, []int64{left(t, f, ada.ID), left(t, f, bob.ID)}, []int64{0, 10})
	})
	// What is moved, erased, read and booked at once, from two stores.
	t.Run("OK/AtOnce", func(t *testing.T) {
		f, ada, bob := open(t)
		stores := []*fixture{f, another(t, f)}
		for _, err := range atOnce(32, func(i int) error {
			s := stores[i%2]
			switch i / 2 % 4 {
			case 0:
				return err2(s.Answers.Archive(ctx, yesterday))
			case 1:
				return err2(s.Answers.Append(ctx, ada.ID, singles(models.ID{}, oldAnswer(20+i, "1+1"))...))
			case 2:
				return err2(s.Mastery.Verify(ctx, ada.ID))
			}
			return err2(s.Users.Erase(ctx, ada.ID))
		}) {
			if err != nil {
				mustBe(t, err, storage.ErrNotFound)
			}
		}
		MustArchive(t, f.Store)
		equal(t, []int64{left(t, f, ada.ID), left(t, f, bob.ID)}, []int64{0, 10})
		MustVerify(t, stores[1].Store)
	})
}

// The archive's commits do not change how the database's are synced.
func TestAnswers_Archive_LeavesDurability(t *testing.T) {
	onlySQLite(t, "there are no pragmas")
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, oldAnswers(3)...)
	made := MustInt(t, f.db, "SELECT count(*) FROM archive_files")
	equal(t, made, 0)
	MustArchive(t, f.Store)
	equal(t, MustInt(t, f.db, "SELECT made_at FROM archive_files"), noon.UnixMilli())
	tx := f.db.Begin() // on the writer
	must(t, tx.Error)
	defer tx.Rollback()
	equal(t, MustInt(t, tx, "PRAGMA synchronous"), 1)
	equal(t, MustInt(t, storage.ArchiveDB(f.Store), "PRAGMA synchronous"), 2)
}
