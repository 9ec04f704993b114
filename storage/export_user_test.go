package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustFull gives a user a row or more in every table that has rows of users.
// A new table needs one here, and then a place in Export and in Erase.
func MustFull(tb testing.TB, f *fixture, uid string) models.User {
	tb.Helper()
	user, err := f.Users.Create(ctx, storage.NewUser{UID: uid, Email: uid + "@example.org", Name: "Name of " + uid})
	must(tb, err)
	MustAppend(tb, f.Store, user.ID, oldAnswer(0, "9+9"), oldAnswer(1, "9+9"))
	MustArchive(tb, f.Store)
	MustSubmit(tb, f.Store, session(user.ID, 0, right(1, "1+1", 900), wrong(2, "2+2", 1100)))
	MustSubmit(tb, f.Store, session(user.ID, 1, right(3, "1+1", 900), right(4, "3+3", 900)))
	_, err = f.Rollups.Run(ctx)
	must(tb, err)
	MustAppend(tb, f.Store, user.ID, right(5, "1+1", 900)) // not rolled up
	_, err = f.Leagues.BookXP(ctx, user.ID, 5, noon.AddDate(0, 0, -7))
	must(tb, err)
	MustExec(tb, f.db, `INSERT INTO answers_set_aside (user_id, id, operation, fact, correct, response_time_ms, created_at, reason, set_aside_at)
		VALUES (?, ?, 'addition', '1+1', ?, 1, 2, 'too_fast', 3)`, user.ID, idAt(noon, 0), true)
	MustExec(tb, f.db, "INSERT INTO seasons VALUES (20260426, 1, 2, 'UTC', 3) ON CONFLICT DO NOTHING")
	MustExec(tb, f.db, "INSERT INTO season_results VALUES (20260426, ?, 1, 1, 5, 1, 0)", user.ID)
	for i, slug := range []string{"hat", "boots"} {
		item, err := f.Shop.Item(ctx, slug)
		if errors.Is(err, storage.ErrNotFound) {
			item, err = MustItem(tb, f.Store, slug, "on "+slug, 7), nil
		}
		must(tb, err)
		MustPurchase(tb, f.Store, user.ID, item.ID, idAt(noon, int64(i)))
	}
	boots, err := f.Shop.Item(ctx, "boots")
	must(tb, err)
	must(tb, f.Shop.Equip(ctx, user.ID, boots.ID))
	MustGrant(tb, f.Store, user.ID, idAt(noon, 10), 3)
	return MustGet(tb, f.Store, user.ID)
}

// MustFullThree gives three users rows in every table at the same time.
func MustFullThree(tb testing.TB, f *fixture) (bob, ada, eve models.User) {
	tb.Helper()
	users := []models.User{MustFull(tb, f, "bob"), MustFull(tb, f, "ada"), MustFull(tb, f, "eve")}
	for _, user := range users { // the later ones have rolled up the earlier
		MustAppend(tb, f.Store, user.ID, right(6, "1+1", 900))
	}
	return users[0], users[1], users[2]
}

// MustTablesOfUsers asks the database for the tables with rows of users.
func MustTablesOfUsers(tb testing.TB, db *gorm.DB) (tables []string) {
	tb.Helper()
	must(tb, db.Raw(pick(db, `
		SELECT t.name FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c
		WHERE t.type = 'table' AND c.name = 'user_id' ORDER BY t.name`, `
		SELECT table_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND column_name = 'user_id' ORDER BY table_name`)).Scan(&tables).Error)
	if len(tables) < 10 {
		tb.Fatalf("found only %v", tables)
	}
	return tables
}

// MustCountRows counts a user's rows in the tables with rows of users.
func MustCountRows(tb testing.TB, db *gorm.DB, userID int64) map[string]int64 {
	tb.Helper()
	counts := map[string]int64{"users": MustInt(tb, db, "SELECT count(*) FROM users WHERE id = ?", userID)}
	for _, table := range MustTablesOfUsers(tb, db) {
		counts[table] = MustInt(tb, db, "SELECT count(*) FROM "+table+" WHERE user_id = ?", userID)
	}
	return counts
}

// mustExportTo returns the JSON of ExportTo.
func mustExportTo(tb testing.TB, s *storage.Store, userID int64) []byte {
	tb.Helper()
	var out bytes.Buffer
	must(tb, s.Users.ExportTo(ctx, userID, &out))
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// P12: every table with rows of the user is in it, with all of them and
// nobody else's.
func TestUsers_Export(t *testing.T) {
	f := MustOpen(t)
	_, ada, _ := MustFullThree(t, f)
	t.Run("OK", func(t *testing.T) {
		MustNotChange(t, f, func() {
			got, err := f.Users.Export(ctx, ada.ID)
			must(t, err)
			text, err := json.Marshal(got)
			must(t, err)
			var byTable map[string]json.RawMessage
			must(t, json.Unmarshal(text, &byTable))
			for table, rows := range MustCountRows(t, f.db, ada.ID) {
				if rows == 0 {
					t.Errorf("MustFull writes nothing to %s", table)
				}
				if byTable[table] == nil {
					t.Errorf("%s is not exported", table)
					continue
				}
				if table != "users" {
					var list []map[string]any
					must(t, json.Unmarshal(byTable[table], &list))
					equal(t, int64(len(list)), rows)
					for _, row := range list {
						equal(t, row["user_id"], any(float64(ada.ID)))
					}
				}
			}
		})
	})
	t.Run("OK/Rows", func(t *testing.T) {
		got, err := f.Users.Export(ctx, ada.ID)
		must(t, err)
		equal(t, got.User, ada)
		sessions, err := f.Sessions.Recent(ctx, ada.ID, 0)
		must(t, err)
		equal(t, got.Sessions, []models.Session{sessions[1], sessions[0]})
		answers, err := f.Answers.Recent(ctx, ada.ID, 0)
		must(t, err)
		equal(t, len(answers), 6)
		for i, answer := range got.Answers {
			equal(t, answer, answers[len(answers)-1-i])
		}
		aside, err := f.Answers.SetAside(ctx, ada.ID, 0)
		must(t, err)
		equal(t, got.SetAside, aside)
		mastery, err := f.Mastery.Operation(ctx, ada.ID, "addition")
		must(t, err)
		equal(t, got.Mastery, mastery)
		rollups, err := f.Rollups.OfUser(ctx, ada.ID)
		must(t, err)
		equal(t, got.Rollups, rollups)
		equal(t, got.ToRollUp, []models.RollupTask{{UserID: ada.ID}})
		equal(t, []int64{got.Played[0].WeeklyXP, got.Played[1].WeeklyXP}, []int64{5, 10})
		equal(t, got.Results, []models.SeasonResult{{
			SeasonID: 20260426, UserID: ada.ID, LeagueID: 1, Rank: 1, WeeklyXP: 5, MovedTo: 1,
		}})
		equal(t, len(got.Owned), 2)
		equal(t, got.Worn, []models.Loadout{{UserID: ada.ID, Slot: "on boots", ItemID: got.Owned[1].ItemID}})
		var sum int64
		for i, e := range got.Ledger {
			equal(t, e.Seq, int64(i+1))
			sum += e.Delta
		}
		equal(t, sum, ada.Coins)
	})
	t.Run("OK/To", func(t *testing.T) {
		for _, id := range []int64{ada.ID, MustUser(t, f.Store, "new").ID} {
			whole, err := f.Users.Export(ctx, id)
			must(t, err)
			want, err := json.Marshal(whole)
			must(t, err)
			equal(t, string(mustExportTo(t, f.Store, id)), string(want))
			if bytes.Contains(want, []byte("null")) {
				t.Errorf("a list is null: %s", want)
			}
		}
	})
	t.Run("OK/InTransaction", func(t *testing.T) {
		must(t, f.db.Transaction(func(tx *gorm.DB) error {
			carl := MustUser(t, f.In(tx), "carl")
			got, err := f.In(tx).Users.Export(ctx, carl.ID)
			must(t, err)
			equal(t, got.User, carl)
			mustExportTo(t, f.In(tx), carl.ID)
			return nil
		}))
	})
	t.Run("ErrNotFound", func(t *testing.T) {
		_, err := f.Users.Export(ctx, 99)
		mustBe(t, err, storage.ErrNotFound, gorm.ErrRecordNotFound)
		var out bytes.Buffer
		mustBe(t, f.Users.ExportTo(ctx, 99, &out), storage.ErrNotFound)
		equal(t, out.Len(), 0)
	})
	t.Run("ErrOfTheWriter", func(t *testing.T) {
		full := errors.New("the disk is full")
		mustBe(t, f.Users.ExportTo(ctx, ada.ID, writerFunc(func([]byte) (int, error) { return 0, full })), full)
	})
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// An export is of one moment, whatever is booked while it is written.
func TestUsers_ExportTo_Snapshot(t *testing.T) {
	f := MustOpen(t)
	user := MustUser(t, f.Store, "ada")
	var answers []storage.Answer
	for i := range 500 { // more than what is written at once
		answers = append(answers, right(i, fmt.Sprintf("%d+1", i), 900))
	}
	MustSubmit(t, f.Store, session(user.ID, 0, answers...))
	want := mustExportTo(t, f.Store, user.ID)
	var got bytes.Buffer
	writes := 0
	must(t, f.Users.ExportTo(ctx, user.ID, writerFunc(func(p []byte) (int, error) {
		if writes++; writes == 1 {
			began := noon.Add(-time.Minute)
			again := session(user.ID, 1, storage.Answer{ID: idAt(began, 0), Fact: "1+1", Correct: true, At: began})
			MustSubmit(t, f.Store, again)
		}
		return got.Write(p)
	})))
	equal(t, writes > 1, true)
	equal(t, got.String(), string(want)+"\n")
	equal(t, len(mustExportTo(t, f.Store, user.ID)) > len(want), true)
}
