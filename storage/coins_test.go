package storage_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// MustEarn gives a user n ledger entries behind the welcome, of two coins each.
func MustEarn(tb testing.TB, s *storage.Store, userID int64, n int) {
	tb.Helper()
	for i := range n {
		MustSubmit(tb, s, session(userID, i, right(i, "1+1", 0)))
	}
}

func TestCoins_Ledger(t *testing.T) {
	f := MustOpen(t)
	user, other := MustUser(t, f.Store, "ada"), MustUser(t, f.Store, "bob")
	MustEarn(t, f.Store, user.ID, 5)
	MustEarn(t, f.Store, other.ID, 1)
	for _, test := range []struct {
		before int64
		limit  int
		want   []int64
	}{
		{0, 0, []int64{6, 5, 4, 3, 2, 1}},
		{0, 2, []int64{6, 5}},
		{5, 2, []int64{4, 3}},
		{3, 2, []int64{2, 1}},
		{1, 2, nil},
		{99, 1000, []int64{6, 5, 4, 3, 2, 1}},
		{-1, 0, nil},
	} {
		t.Run(fmt.Sprintf("OK/%d before %d", test.limit, test.before), func(t *testing.T) {
			got, err := f.Coins.Ledger(ctx, user.ID, test.before, test.limit)
			must(t, err)
			var numbers []int64
			for _, e := range got {
				numbers = append(numbers, e.Seq)
				equal(t, e.UserID, user.ID)
				equal(t, e.BalanceAfter, 98+2*e.Seq)
			}
			equal(t, numbers, test.want)
		})
	}
	t.Run("OK/Default", func(t *testing.T) {
		rich := MustUser(t, f.Store, "rich")
		for i := range 60 {
			MustExec(t, f.db, "INSERT INTO coin_ledger VALUES (?, ?, ?, 0, 100, 'test', '', 0)", rich.ID, i+2, idAt(noon, int64(i)))
		}
		got, err := f.Coins.Ledger(ctx, rich.ID, 0, 0)
		must(t, err)
		equal(t, len(got), 50)
		equal(t, got[0].Seq, 61)
	})
	t.Run("ErrInvalid", func(t *testing.T) {
		for _, limit := range []int{-1, 1001} {
			_, err := f.Coins.Ledger(ctx, user.ID, 0, limit)
			mustBeInvalid(t, err, "limit")
		}
	})
}

func TestCoins_Balance(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	MustEarn(t, f.Store, user.ID, 3)
	got, err := f.Coins.Balance(ctx, user.ID)
	must(t, err)
	equal(t, got, 106)
	_, err = f.Coins.Balance(ctx, 99)
	mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
}

// N2: of each kind of break it names the first.
func TestCoins_Reconcile(t *testing.T) {
	for _, test := range []struct {
		name string
		sql  string
		want storage.Break
	}{
		{"Delta", "UPDATE coin_ledger SET delta = delta + 1 WHERE seq IN (3, 5)",
			storage.Break{Seq: 3, What: "balance_after", Want: 105, Got: 104}},
		{"BalanceAfter", "UPDATE coin_ledger SET balance_after = 1 WHERE seq IN (2, 4)",
			storage.Break{Seq: 2, What: "balance_after", Want: 102, Got: 1}},
		{"FirstEntryMissing", "DELETE FROM coin_ledger WHERE seq = 1",
			storage.Break{Seq: 2, What: "number", Want: 1, Got: 2}},
		{"EntryMissing", "DELETE FROM coin_ledger WHERE seq IN (3, 5)",
			storage.Break{Seq: 4, What: "number", Want: 3, Got: 4}},
		{"LastEntryMissing", "DELETE FROM coin_ledger WHERE seq = 6",
			storage.Break{What: "balance", Want: 108, Got: 110}},
		{"AllMissing", "DELETE FROM coin_ledger",
			storage.Break{What: "balance", Want: 0, Got: 110}},
		{"Balance", "UPDATE users SET coins = 111",
			storage.Break{What: "balance", Want: 110, Got: 111}},
		{"EntryTooMany", "INSERT INTO coin_ledger SELECT own.user_id, 7, aside.entry_id, 5, 115, 'x', '', 0 FROM coin_ledger AS own, aside WHERE own.seq = 1",
			storage.Break{What: "balance", Want: 115, Got: 110}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := MustOpen(t)
			whole, broken := MustUser(t, f.Store, "whole"), MustUser(t, f.Store, "broken")
			MustEarn(t, f.Store, broken.ID, 5)
			must(t, f.db.Transaction(func(tx *gorm.DB) error {
				// The whole one's ledger is put aside while the break is made.
				MustExec(t, tx, fmt.Sprint("CREATE TEMP TABLE aside AS SELECT * FROM coin_ledger WHERE user_id = ", whole.ID))
				MustExec(t, tx, "DELETE FROM coin_ledger WHERE user_id = ?", whole.ID)
				MustExec(t, tx, test.sql)
				MustExec(t, tx, "INSERT INTO coin_ledger SELECT * FROM aside")
				MustExec(t, tx, "UPDATE users SET coins = 100 WHERE id = ?", whole.ID)
				MustExec(t, tx, "DROP TABLE aside")
				return nil
			}))
			want := test.want
			want.UserID = broken.ID
			got, err := f.Coins.Reconcile(ctx, broken.ID)
			must(t, err)
			equal(t, got, &want)
			got, err = f.Coins.Reconcile(ctx, whole.ID)
			must(t, err)
			equal(t, got, nil)
			all, err := f.Coins.ReconcileAll(ctx)
			must(t, err)
			equal(t, all, []storage.Break{want})
		})
	}
	t.Run("ErrNotFound", func(t *testing.T) {
		f := MustOpen(t)
		_, err := f.Coins.Reconcile(ctx, 99)
		mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
	})
}

// More users than are proved at once, with gaps in their ids, which may be wide:
// where several servers give ids, each has a range of its own.
func TestCoins_ReconcileAll(t *testing.T) {
	f := MustOpen(t)
	breaks, err := f.Coins.ReconcileAll(ctx)
	must(t, err)
	equal(t, breaks, nil)

	users := MustUsers(t, f, 1203)
	MustExec(t, f.db, "DELETE FROM users WHERE id % 7 = 3 OR id BETWEEN 520 AND 540")
	MustReconcile(t, f.Store)
	var want []storage.Break
	for _, id := range []int64{1, 499, 500, 501, 999, 1000, 1001, 1203} {
		MustExec(t, f.db, "UPDATE users SET coins = 7 WHERE id = ?", id)
		if found := MustInt(t, f.db, "SELECT count(*) FROM users WHERE id = ?", id); found > 0 {
			want = append(want, storage.Break{UserID: id, What: "balance", Want: 100, Got: 7})
		}
	}
	equal(t, len(want) > 5, true)
	equal(t, users[len(users)-1].ID, 1203)
	const far = 1 << 52
	MustExec(t, f.db, `INSERT INTO users (id, uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
		VALUES (?, 'far', '', 1, 0, 7, 1, 0, 0, 0)`, int64(far))
	want = append(want, storage.Break{UserID: far, What: "balance", Got: 7})
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	breaks, err = f.Coins.ReconcileAll(ctx)
	must(t, err)
	equal(t, breaks, want)
}

// A break says who, where and by how much.
func TestBreak_String(t *testing.T) {
	b := storage.Break{UserID: 4, Seq: 3, What: "balance_after", Want: 105, Got: 104}
	equal(t, b.String(), "user 4, entry 3: balance_after is 104, the ledger makes it 105")
}
