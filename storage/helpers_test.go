package storage_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// noon is the present time of these tests: a Wednesday, 12:00 in New York, in
// the season that began on Sunday, May 10.
var noon = time.Date(2026, 5, 13, 16, 0, 0, 0, time.UTC)

const thisSeason = 20260510

// lesson is when the first answer of these tests was given.
var lesson = noon.Add(-time.Hour)

var ctx = context.Background()

// clock is the store's clock. It stands still until it is set.
type clock struct{ ms atomic.Int64 }

func (c *clock) Set(at time.Time) { c.ms.Store(at.UnixMilli()) }

func (c *clock) Now() time.Time { return time.UnixMilli(c.ms.Load()) }

// fixture is a store in use, over a new file.
type fixture struct {
	*storage.Store
	db    *gorm.DB
	clock *clock
	path  string
}

// setup is what MustOpen opens with.
type setup struct {
	path  string
	gorm  gorm.Config
	store storage.Config

	withoutWords bool // as in a program that was built without FTS5
}

// MustOpen returns a store in use, with the clock at noon.
func MustOpen(tb testing.TB, changes ...func(*setup)) *fixture {
	tb.Helper()
	f := &fixture{clock: &clock{}}
	f.clock.Set(noon)
	s := setup{path: newPath(tb), gorm: gorm.Config{Logger: logger.Discard}, store: storage.Config{Now: f.clock.Now}}
	for _, change := range changes {
		change(&s)
	}
	f.path = s.path
	if s.store.Archive == "" && strings.HasPrefix(s.path, "/") {
		s.store.Archive = archiveOf(s.path)
	}
	f.db = MustOpenGORM(tb, s.path, &s.gorm)
	f.Store = storage.New(s.store)
	if s.withoutWords {
		f.WithoutWords()
	}
	must(tb, f.db.Use(f.Store))
	tb.Cleanup(func() { must(tb, f.Close()) })
	return f
}

// archiveOf is the path of a file's archive, unless the test says another.
func archiveOf(path string) string { return path + ".archive" }

// MustOpenGORM opens a database that is closed with the test.
func MustOpenGORM(tb testing.TB, path string, config *gorm.Config) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(dialectorOf(path), config)
	must(tb, err)
	tb.Cleanup(func() {
		pool, err := db.DB()
		must(tb, err)
		must(tb, pool.Close())
	})
	return db
}

// withRules changes the rules that a store is opened with.
func withRules(change func(*storage.Rules)) func(*setup) {
	return func(s *setup) {
		rules := storage.DefaultRules()
		change(&rules)
		s.store.Rules = &rules
	}
}

// newPath returns where a new database is to be.
func newPath(tb testing.TB) string {
	tb.Helper()
	_ = os.Getenv(engineEnv) // go test keeps results apart by what tests read, and does not see what is read before them
	if onPostgres {
		return pgtest.Server(tb).Schema(tb)
	}
	return filepath.Join(tb.TempDir(), "flashmath.db")
}

// MustUser creates a user.
func MustUser(tb testing.TB, s *storage.Store, uid string) models.User {
	tb.Helper()
	user, err := s.Users.Create(ctx, storage.NewUser{UID: uid, Name: "Name of " + uid})
	must(tb, err)
	return user
}

// MustUsers creates n users in one transaction.
func MustUsers(tb testing.TB, f *fixture, n int) []models.User {
	tb.Helper()
	users := make([]models.User, n)
	must(tb, f.db.Transaction(func(tx *gorm.DB) error {
		for i := range users {
			users[i] = MustUser(tb, f.In(tx), fmt.Sprintf("user-%04d", i))
		}
		return nil
	}))
	return users
}

// MustGet returns a user as stored.
func MustGet(tb testing.TB, s *storage.Store, id int64) models.User {
	tb.Helper()
	user, err := s.Users.Get(ctx, id)
	must(tb, err)
	return user
}

// MustSubmit submits a session.
func MustSubmit(tb testing.TB, s *storage.Store, in storage.Submission) storage.Receipt {
	tb.Helper()
	receipt, err := s.Sessions.Submit(ctx, in)
	must(tb, err)
	return receipt
}

// MustAppend books single additions.
func MustAppend(tb testing.TB, s *storage.Store, userID int64, answers ...storage.Answer) storage.AppendReceipt {
	tb.Helper()
	receipt, err := s.Answers.Append(ctx, userID, singles(models.ID{}, answers...)...)
	must(tb, err)
	return receipt
}

// MustItem puts an item for sale.
func MustItem(tb testing.TB, s *storage.Store, slug, slot string, price int64) models.ShopItem {
	tb.Helper()
	item, err := s.Shop.Put(ctx, models.ShopItem{Slug: slug, Name: "Name of " + slug, Slot: slot, Price: price, Active: true})
	must(tb, err)
	return item
}

// MustPurchase buys an item.
func MustPurchase(tb testing.TB, s *storage.Store, userID, itemID int64, id models.ID) storage.PurchaseReceipt {
	tb.Helper()
	receipt, err := s.Shop.Purchase(ctx, userID, itemID, id)
	must(tb, err)
	return receipt
}

// MustExec runs a statement of the test's own.
func MustExec(tb testing.TB, db *gorm.DB, query string, args ...any) {
	tb.Helper()
	must(tb, db.Exec(query, args...).Error)
}

// MustInt returns the one number that query asks for.
func MustInt(tb testing.TB, db *gorm.DB, query string, args ...any) (n int64) {
	tb.Helper()
	must(tb, db.Raw(query, args...).Scan(&n).Error)
	return n
}

// MustDump returns all rows of all tables, as text and sorted.
func MustDump(tb testing.TB, db *gorm.DB) map[string][]string {
	tb.Helper()
	tables := mustTables(tb, db)
	dump := make(map[string][]string, len(tables))
	for _, table := range tables {
		var rows []map[string]any
		must(tb, db.Raw("SELECT * FROM "+table).Scan(&rows).Error)
		for _, row := range rows {
			dump[table] = append(dump[table], fmt.Sprint(row))
		}
		slices.Sort(dump[table])
	}
	if onPostgres && slices.Contains(tables, "board_moves") {
		delete(dump, "board_moves")
		dump["board_ranges"] = mustBoardCounts(tb, db)
	}
	return dump
}

// mustBoardCounts says what ranges and moves count on each board together. Moves
// go to their ranges when a fold comes.
func mustBoardCounts(tb testing.TB, db *gorm.DB) (counts []string) {
	tb.Helper()
	must(tb, db.Raw(`
SELECT concat_ws(' ', season_id, league_id, sum(players)) FROM (
  SELECT season_id, league_id, players FROM board_ranges UNION ALL SELECT season_id, league_id, players FROM board_moves) AS counted
GROUP BY season_id, league_id HAVING sum(players) <> 0 ORDER BY season_id, league_id`).Scan(&counts).Error)
	return counts
}

// mustTables returns the names of all tables, but for the index that FTS5 makes
// of what is in them.
func mustTables(tb testing.TB, db *gorm.DB) (tables []string) {
	tb.Helper()
	must(tb, db.Raw(pick(db,
		"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'search%'",
		"SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")).Scan(&tables).Error)
	return tables
}

// MustNotChange runs fn and fails if a row of any table is not as it was.
func MustNotChange(tb testing.TB, f *fixture, fn func()) {
	tb.Helper()
	before := MustDump(tb, f.db)
	fn()
	equal(tb, MustDump(tb, f.db), before)
}

// MustRollBack rolls back a migration, and those behind it.
func MustRollBack(tb testing.TB, db *gorm.DB, cfg migrations.Config, version string) {
	tb.Helper()
	states, err := migrations.Status(ctx, db, cfg)
	must(tb, err)
	i := slices.IndexFunc(states, func(s migrations.State) bool { return s.Version == version })
	_, err = migrations.Down(ctx, db, cfg, len(states)-i)
	must(tb, err)
}

// MustReconcile fails unless everybody's ledger proves their balance.
func MustReconcile(tb testing.TB, s *storage.Store) {
	tb.Helper()
	breaks, err := s.Coins.ReconcileAll(ctx)
	must(tb, err)
	equal(tb, breaks, nil)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

// mustBe fails unless err is, or wraps, all of want.
func mustBe(tb testing.TB, err error, want ...error) {
	tb.Helper()
	for _, want := range want {
		if !errors.Is(err, want) {
			tb.Fatalf("got error %v, want %v", err, want)
		}
	}
}

// mustBeInvalid fails unless err says that the field breaks a rule.
func mustBeInvalid(tb testing.TB, err error, field string) {
	tb.Helper()
	mustBe(tb, err, storage.ErrInvalid)
	var invalid *storage.InvalidError
	if !errors.As(err, &invalid) || invalid.Field != field || invalid.Reason == "" {
		tb.Fatalf("got error %v, want an *InvalidError about %q", err, field)
	}
}

// equal fails unless got is want; an empty list is as good as none.
func equal[T any](tb testing.TB, got, want T, options ...cmp.Option) {
	tb.Helper()
	if diff := cmp.Diff(want, got, append(options, cmpopts.EquateEmpty())...); diff != "" {
		tb.Fatalf("not as expected (-want +got):\n%s", diff)
	}
}

// idAt returns the n-th id of a moment.
func idAt(at time.Time, n int64) (id models.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(n))
	return id
}

// right and wrong are the n-th answer of the lesson, n seconds into it.
func right(n int, fact string, ms int64) storage.Answer {
	at := lesson.Add(time.Duration(n) * time.Second)
	return storage.Answer{ID: idAt(at, 0), Fact: fact, Correct: true, ResponseMS: ms, At: at}
}

func wrong(n int, fact string, ms int64) storage.Answer {
	a := right(n, fact, ms)
	a.Correct = false
	return a
}

// session returns the n-th session of a user: in additions, n minutes into
// the lesson, half a minute long.
func session(userID int64, n int, answers ...storage.Answer) storage.Submission {
	began := lesson.Add(time.Duration(n) * time.Minute)
	return storage.Submission{
		UserID: userID, ID: idAt(began, userID), Operation: "addition",
		StartedAt: began, EndedAt: began.Add(30 * time.Second), Answers: answers,
	}
}

// singles returns answers as they are appended.
func singles(sessionID models.ID, answers ...storage.Answer) []storage.SingleAnswer {
	list := make([]storage.SingleAnswer, len(answers))
	for i, a := range answers {
		list[i] = storage.SingleAnswer{Answer: a, Operation: "addition", SessionID: sessionID}
	}
	return list
}

// atOnce runs fn n times at once and returns what each returned.
func atOnce(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	return errs
}

// ptr returns a pointer to a value.
func ptr[T any](value T) *T { return &value }
