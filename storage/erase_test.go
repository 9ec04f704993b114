package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// N15: nothing of the user is left in any table, and all of others is.
func TestUsers_Erase(t *testing.T) {
	open := func(t *testing.T) (f *fixture, ada int64) {
		f = MustOpen(t)
		_, user, _ := MustFullThree(t, f)
		return f, user.ID
	}
	t.Run("OK", func(t *testing.T) {
		f, ada := open(t)
		others := MustDumpWithout(t, f, ada)
		want := MustCountRows(t, f.db, ada)
		want["answer_archive"] = 2 // on SQLite in another file
		got, err := f.Users.Erase(ctx, ada)
		must(t, err)
		equal(t, got, storage.EraseReceipt{UserID: ada, Rows: want})
		for table, rows := range MustCountRows(t, f.db, ada) {
			if want[table] == 0 {
				t.Errorf("MustFull writes nothing to %s", table)
			}
			if rows != 0 {
				t.Errorf("%d rows are left in %s", rows, table)
			}
		}
		equal(t, MustDump(t, f.db), others)
		MustReconcile(t, f.Store)
		storage.AwaitFold(f.Store) // PostgreSQL has noted where ada was
		equal(t, MustInt(t, f.db, "SELECT count(*) FROM board_moves WHERE of_user = ?", ada), 0)
	})
	t.Run("OK/Unseen", func(t *testing.T) {
		f, ada := open(t)
		_, err := f.Users.Erase(ctx, ada)
		must(t, err)
		for _, season := range []int64{thisSeason, 20260503} {
			board := MustBoard(t, f.Store, season, 1)
			equal(t, len(board), 2)
			equal(t, []string{board[0].UID, board[1].UID}, []string{"bob", "eve"})
			_, err = f.Leagues.Rank(ctx, season, ada)
			mustBe(t, err, storage.ErrNotFound)
		}
		found, err := f.Users.Search(ctx, "ada", 0)
		must(t, err)
		equal(t, found, nil)
		equal(t, MustRun(t, f.Store).Users, 2)
		_, err = f.Sessions.Submit(ctx, session(ada, 5, right(50, "1+1", 0)))
		mustBe(t, err, storage.ErrNotFound)
	})
	t.Run("OK/Again", func(t *testing.T) {
		// The names are free, the id is nobody's.
		f, _ := open(t)
		last := MustFull(t, f, "zoe")
		_, err := f.Users.Erase(ctx, last.ID)
		must(t, err)
		if again := MustFull(t, f, "zoe"); again.ID <= last.ID {
			t.Errorf("the id %d is given again after %d", again.ID, last.ID)
		}
	})
	t.Run("OK/New", func(t *testing.T) {
		f := MustOpen(t)
		user := MustUser(t, f.Store, "ada")
		got, err := f.Users.Erase(ctx, user.ID)
		must(t, err)
		equal(t, len(got.Rows), 1+len(MustTablesOfUsers(t, f.db)))
		equal(t, []int64{got.Rows["users"], got.Rows["coin_ledger"], got.Rows["sessions"]}, []int64{1, 1, 0})
	})
	t.Run("OK/RollsBack", func(t *testing.T) {
		f, ada := open(t)
		lost := errors.New("lost")
		MustNotChange(t, f, func() {
			mustBe(t, f.db.Transaction(func(tx *gorm.DB) error {
				_, err := f.In(tx).Users.Erase(ctx, ada)
				must(t, err)
				return lost
			}), lost)
		})
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		f, ada := open(t)
		_, err := f.Users.Erase(ctx, ada)
		must(t, err)
		MustNotChange(t, f, func() {
			for _, id := range []int64{ada, 99} {
				got, err := f.Users.Erase(ctx, id)
				mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
				equal(t, got, storage.EraseReceipt{})
			}
		})
	})
}

// MustDumpWithout returns what MustDump does once the rows of a user are gone,
// table by table as the schema says; and leaves them.
func MustDumpWithout(tb testing.TB, f *fixture, userID int64) (dump map[string][]string) {
	tb.Helper()
	undo := errors.New("undo")
	mustBe(tb, f.db.Transaction(func(tx *gorm.DB) error {
		for _, table := range MustTablesOfUsers(tb, tx) {
			MustExec(tb, tx, "DELETE FROM "+table+" WHERE user_id = ?", userID)
		}
		MustExec(tb, tx, "DELETE FROM users WHERE id = ?", userID)
		dump = MustDump(tb, tx)
		return undo
	}), undo)
	return dump
}

// Bookings of two stores that come while a user is erased are all there or
// refused, and leave nothing behind.
func TestUsers_Erase_AtOnce(t *testing.T) {
	f := MustOpen(t)
	stores := []*fixture{f, another(t, f)}
	ada := MustFull(t, f, "ada")
	hat := MustItem(t, f.Store, "scarf", "neck", 1)
	erased := 0
	for i, err := range atOnce(42, func(i int) error {
		s := stores[i%2]
		switch i % 7 {
		case 0:
			return err2(s.Users.Erase(ctx, ada.ID))
		case 1:
			return err2(s.Sessions.Submit(ctx, session(ada.ID, 10+i, right(600+i, fmt.Sprint("1+", i), 0))))
		case 2:
			return err2(s.Answers.Append(ctx, ada.ID, singles(idAt(noon, 0), right(900+i, "1+1", 0))...))
		case 3:
			return err2(s.Coins.Grant(ctx, ada.ID, idAt(noon, int64(100+i)), 1, "quest", ""))
		case 4:
			return err2(s.Rollups.Run(ctx))
		case 5:
			return errors.Join(s.Users.Touch(ctx, ada.ID), s.Users.FlushPresence(ctx))
		}
		_, err := s.Shop.Purchase(ctx, ada.ID, hat.ID, idAt(noon, 99))
		return err
	}) {
		if err != nil {
			mustBe(t, err, storage.ErrNotFound)
		} else if i%7 == 0 {
			erased++
		}
	}
	equal(t, erased, 1)
	for table, rows := range MustCountRows(t, f.db, ada.ID) {
		if rows != 0 {
			t.Errorf("%d rows are left in %s", rows, table)
		}
	}
	MustReconcile(t, f.Store)
}
