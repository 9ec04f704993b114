package storage

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// TestPlans holds every query of the library to the plan that it declares
// (S36, S37, S44, N12): SEARCH, no full scan, no temporary B-tree. Among them
// are the seed's five indexes (S38–S42), some of them as primary keys.
func TestPlans(t *testing.T) {
	_, store := openPlanned(t)
	for _, q := range queries {
		sql := strings.TrimSpace(q.text(""))
		t.Run(firstLine(sql), func(t *testing.T) {
			got := explain(t, whereIs(store, sql), sql)
			if diff := cmp.Diff(q.plan, got); diff != "" {
				t.Errorf("plan of\n%s\n(-declared +is)\n%s", sql, diff)
			}
			if bad := badStep(q.plan); (bad != "") != (q.why != "") {
				t.Errorf("declares %q, and as its reason %q", bad, q.why)
			}
		})
	}
}

// TestEveryStatementHasAPlan runs the whole API, catches every statement that
// GORM runs for it, and holds those that no query declares, the updates and
// deletes built of clauses, to the same rule. It fails too when a declared
// query is never run.
func TestEveryStatementHasAPlan(t *testing.T) {
	db, store := openPlanned(t)
	caught := catchStatements(t, db, store.engine.moved.file.db)
	useEverything(t, store)
	if len(caught.texts) < len(queries) {
		t.Fatalf("caught %d statements, fewer than the %d queries", len(caught.texts), len(queries))
	}
	run := caught.list()
	for _, sql := range run {
		if strings.HasPrefix(sql, "SAVEPOINT") || strings.HasPrefix(sql, "INSERT") && !strings.Contains(sql, "SELECT") {
			continue
		}
		if bad := badStep(explain(t, whereIs(store, sql), sql)); bad != "" && !hasReason(sql) {
			t.Errorf("%s\nneeds %q", sql, bad)
		}
	}
	for _, q := range queries {
		pattern := collapseLists(q.text(""))
		if !slices.ContainsFunc(run, func(sql string) bool { return collapseLists(sql) == pattern }) {
			t.Errorf("no test of the API runs\n%s", q.text(""))
		}
	}
}

// TestBadPlansAreSeen shows that the two tests above can fail.
func TestBadPlansAreSeen(t *testing.T) {
	db, _ := openPlanned(t)
	for sql, want := range map[string]string{
		"SELECT * FROM users WHERE name = ?":                                 "SCAN users",
		"SELECT * FROM answer_events WHERE user_id = ? ORDER BY fact":        "USE TEMP B-TREE FOR ORDER BY",
		"SELECT user_id FROM league_participants ORDER BY weekly_xp LIMIT ?": "SCAN league_participants",
	} {
		if got := badStep(explain(t, db, sql)); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

func openPlanned(t *testing.T) (*gorm.DB, *Store) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan.db")
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	store := New(Config{Archive: path + ".archive"})
	if err := db.Use(store); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if _, err := store.Answers.Archive(context.Background(), time.Unix(0, 0)); err != nil { // which makes the file
		t.Fatal(err)
	}
	return db, store
}

// whereIs returns the database with the table of a statement: the archive has
// one of its own.
func whereIs(store *Store, sql string) *gorm.DB {
	if strings.Contains(sql, "answer_archive") {
		return store.engine.moved.file.db
	}
	return store.engine.db
}

// explain returns the steps of a statement's plan. A list of one makes SQLite
// plan IN as an equality; here it has three.
func explain(t *testing.T, db *gorm.DB, sql string) []string {
	t.Helper()
	sql = strings.ReplaceAll(sql, "IN ?", "IN (?,?,?)")
	args := make([]any, strings.Count(sql, "?"))
	for i := range args {
		args[i] = 1
	}
	var rows []struct{ Detail string }
	if err := db.Raw("EXPLAIN QUERY PLAN "+sql, args...).Scan(&rows).Error; err != nil {
		t.Fatalf("explain %s: %v", sql, err)
	}
	var steps []string
	for _, row := range rows {
		steps = append(steps, row.Detail)
	}
	return steps
}

// badStep returns the first step that reads a whole table or sorts by hand.
func badStep(plan []string) string {
	for _, step := range plan {
		if step == "SCAN CONSTANT ROW" || strings.Contains(step, " VIRTUAL TABLE INDEX 0:") && !strings.HasSuffix(step, ":") {
			continue // a SELECT without a table, or FTS5's own index
		}
		if strings.HasPrefix(step, "SCAN ") || strings.Contains(step, "TEMP B-TREE") || strings.Contains(step, "AUTOMATIC") {
			return step
		}
	}
	return ""
}

// hasReason reports whether a statement is a query that says why its plan is
// right all the same.
func hasReason(sql string) bool {
	all := append([]*query{wordsFTS5.users, wordsFTS5.items}, queries...)
	return slices.ContainsFunc(all, func(q *query) bool {
		return q.why != "" && collapseLists(q.text("")) == collapseLists(sql)
	})
}

func firstLine(sql string) string { return strings.SplitN(sql, "\n", 2)[0] }

// collapseLists makes statements equal that differ in the length of a list.
func collapseLists(sql string) string {
	for strings.Contains(sql, "?,?") {
		sql = strings.ReplaceAll(sql, "?,?", "?")
	}
	return strings.ReplaceAll(sql, "IN (?)", "IN ?")
}

// statements are the texts of what GORM has run.
type statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

func (s *statements) list() []string {
	var list []string
	for sql := range s.texts {
		list = append(list, sql)
	}
	return list
}

func catchStatements(t *testing.T, databases ...*gorm.DB) *statements {
	t.Helper()
	caught := &statements{texts: map[string]bool{}}
	note := func(tx *gorm.DB) {
		caught.mu.Lock()
		defer caught.mu.Unlock()
		caught.texts[tx.Statement.SQL.String()] = true
	}
	for _, db := range databases {
		calls := db.Callback()
		for _, err := range []error{
			calls.Create().After("*").Register("test:catch", note),
			calls.Query().After("*").Register("test:catch", note),
			calls.Update().After("*").Register("test:catch", note),
			calls.Delete().After("*").Register("test:catch", note),
			calls.Row().After("*").Register("test:catch", note),
			calls.Raw().After("*").Register("test:catch", note),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return caught
}

// useEverything calls each method of the store once or more.
func useEverything(t *testing.T, store *Store) {
	t.Helper()
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	user, err := store.Users.Create(ctx, NewUser{UID: "ada", Email: "ada@class.example"})
	check(err)
	check(store.engine.db.Exec(`INSERT INTO answers_set_aside (user_id, id, operation, fact, correct, response_time_ms, created_at, reason, set_aside_at)
		VALUES (?, ?, 'addition', '1+1', 1, 0, 0, 'too_fast', 0)`, user.ID, models.NewID()).Error) // from now on they are looked for
	ended := time.Now().Add(-time.Hour)
	early, late := models.NewID(), models.NewID()
	submit := func(id models.ID) Submission {
		return Submission{
			UserID: user.ID, ID: models.NewID(), Operation: "addition", StartedAt: ended.Add(-time.Minute), EndedAt: ended,
			Answers: []Answer{{ID: id, Fact: "1+1", Correct: true, ResponseMS: 900, At: ended}},
		}
	}
	for _, id := range []models.ID{late, early} { // the second one is folded again from the log
		receipt, err := store.Sessions.Submit(ctx, submit(id))
		check(err)
		_, err = store.Leagues.Board(ctx, receipt.SeasonID, user.LeagueID, "", 0)
		check(err)
		_, err = store.Leagues.Rank(ctx, receipt.SeasonID, user.ID)
		check(err)
		_, err = store.Leagues.Window(ctx, receipt.SeasonID, user.ID, 2)
		check(err)
	}
	_, err = store.Leagues.BookXP(ctx, user.ID, 3, ended)
	check(err)
	_, err = store.Leagues.Season(ctx, ended)
	check(err)
	_, err = store.Leagues.All(ctx)
	check(err)
	// A user who moves up, and has begun the next season.
	last, err := store.Leagues.BookXP(ctx, user.ID, 30, ended.Add(-8*24*time.Hour))
	check(err)
	_, err = store.Leagues.Plan(ctx, last.ID)
	check(err)
	_, err = store.Leagues.SettleDue(ctx)
	check(err)
	_, err = store.Leagues.Plan(ctx, last.ID)
	check(err)
	_, err = store.Leagues.ResultOf(ctx, last.ID, user.ID)
	check(err)
	_, err = store.Leagues.ResultsOfUser(ctx, user.ID, 0, 0)
	check(err)
	for range 4 { // so that nobody is among the first, who need nothing
		other, err := store.Users.Create(ctx, NewUser{})
		check(err)
		check(store.engine.db.Exec("UPDATE users SET league_id = 2 WHERE id = ?", other.ID).Error)
		_, err = store.Leagues.BookXP(ctx, other.ID, 30, ended)
		check(err)
		_, err = store.Leagues.Needs(ctx, seasonOf(ended, store.engine.zone).ID, user.ID)
		check(err)
	}
	// One board counts wrongly now.
	check(store.engine.db.Exec("UPDATE board_ranges SET players = players + 1 WHERE season_id > 0 AND league_id = 2").Error)
	_, err = store.Leagues.RebuildBoards(ctx)
	check(err)
	_, err = store.Sessions.Recent(ctx, user.ID, 0)
	check(err)
	_, err = store.Answers.Append(ctx, user.ID, SingleAnswer{Answer: submit(models.NewID()).Answers[0], Operation: "addition"})
	check(err)
	_, err = store.Answers.Recent(ctx, user.ID, 0)
	check(err)
	store.engine.cfg.Rules.Plausibility.FloorMS = 901
	receipt, err := store.Sessions.Submit(ctx, submit(models.NewID()))
	check(err)
	if receipt.SetAside != 1 {
		t.Error("no answer is set aside")
	}
	store.engine.cfg.Rules.Plausibility.FloorMS = 0
	_, err = store.Answers.SetAside(ctx, user.ID, 0)
	check(err)
	_, err = store.Answers.CountSetAside(ctx)
	check(err)
	_, err = store.Mastery.Fact(ctx, user.ID, "addition", "1+1")
	check(err)
	_, err = store.Mastery.Operation(ctx, user.ID, "addition")
	check(err)
	_, err = store.Mastery.Weakest(ctx, user.ID, "", 0)
	check(err)
	_, err = store.Mastery.AsOf(ctx, user.ID, "addition", ended)
	check(err)
	check(store.Mastery.VerifyAll(ctx, func(MasteryDifference) error { return nil }))
	// One level is missing now, and one surplus.
	check(store.engine.db.Exec("UPDATE mastery_stats SET fact = 'stray' WHERE user_id = ?", user.ID).Error)
	_, err = store.Mastery.Rebuild(ctx, user.ID)
	check(err)
	_, err = store.Users.Dashboard(ctx, user.ID)
	check(err)
	item, err := store.Shop.Put(ctx, models.ShopItem{Slug: "cap", Slot: "head", Price: 10, Active: true})
	check(err)
	_, err = store.Shop.Put(ctx, item)
	check(err)
	purchase := models.NewID()
	for range 2 {
		_, err = store.Shop.Purchase(ctx, user.ID, item.ID, purchase)
		check(err)
	}
	check(store.Shop.Equip(ctx, user.ID, item.ID))
	_, err = store.Shop.Inventory(ctx, user.ID)
	check(err)
	check(store.Shop.Unequip(ctx, user.ID, "head"))
	_, err = store.Shop.Catalogue(ctx)
	check(err)
	_, err = store.Coins.Ledger(ctx, user.ID, 0, 0)
	check(err)
	_, err = store.Doctor(ctx)
	check(err)
	_, err = store.Coins.ReconcileAll(ctx)
	check(err)
	_, err = store.Rollups.Run(ctx)
	check(err)
	_, err = store.Rollups.OfUser(ctx, user.ID)
	check(err)
	_, err = store.Users.List(ctx, 0, 0)
	check(err)
	name := "Ada L."
	_, err = store.Users.Update(ctx, user.ID, UserUpdate{Name: &name})
	check(err)
	_, err = store.Users.Get(ctx, user.ID)
	check(err)
	useArchive(t, store, user.ID)
	useMoneyAndLeaving(t, store, user.ID, item.ID)
}

// useArchive is the part of useEverything that moves answers and reads them.
func useArchive(t *testing.T, store *Store, userID int64) {
	t.Helper()
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().AddDate(0, 0, -3)
	for n := range 4 { // the last of them is earlier than those that were moved
		at := past.Add(-time.Duration(n) * time.Hour)
		id := firstIDAfter(at)
		id[6], id[8] = 0x70, 0x80
		old := SingleAnswer{Operation: "addition", Answer: Answer{ID: id, Fact: "1+1", Correct: true, At: at}}
		for range 2 {
			_, err := store.Answers.Append(ctx, userID, old)
			check(err)
		}
		if n < 3 {
			_, err := store.Answers.Archive(ctx, past.AddDate(0, 0, 1))
			check(err)
		}
	}
	_, err := store.Answers.Recent(ctx, userID, 0, WithArchived())
	check(err)
	_, err = store.Mastery.AsOf(ctx, userID, "addition", past)
	check(err)
	check(store.Mastery.VerifyAll(ctx, func(MasteryDifference) error { return nil }))
}

// useMoneyAndLeaving is the part of useEverything that changes coins for other
// reasons, looks users up, and erases one.
func useMoneyAndLeaving(t *testing.T, store *Store, userID, itemID int64) {
	t.Helper()
	ctx := context.Background()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := store.Coins.Grant(ctx, userID, models.NewID(), 5, "quest", "")
	check(err)
	_, err = store.Coins.Economy(ctx, time.Unix(0, 0), time.Now())
	check(err)
	check(store.Shop.Equip(ctx, userID, itemID))
	check(store.engine.db.Exec("UPDATE loadouts SET slot = 'feet' WHERE user_id = ?", userID).Error)
	_, err = store.Shop.RepairLoadouts(ctx)
	check(err)
	_, err = store.Shop.Refund(ctx, userID, itemID, models.NewID())
	check(err)
	_, err = store.Shop.Search(ctx, "c", 0)
	check(err)
	_, err = store.Users.Search(ctx, "a", 0)
	check(err)
	_, err = store.Users.GetMany(ctx, []int64{userID, userID + 1})
	check(err)
	check(store.Users.Touch(ctx, userID))
	check(store.Users.FlushPresence(ctx))
	_, err = store.Users.Export(ctx, userID)
	check(err)
	_, err = store.Users.Erase(ctx, userID)
	check(err)
}
