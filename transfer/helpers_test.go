package transfer_test

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/transfer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(pgtest.Main(m)) }

// noon is a Wednesday, in the season that began on May 10.
var noon = time.Date(2026, 5, 13, 16, 0, 0, 0, time.UTC)

// school is a store in use, and a clock that stands still until it is set.
type school struct {
	*storage.Store
	db  *gorm.DB
	now atomic.Int64
}

func (s *school) at(moment time.Time) *school {
	s.now.Store(moment.UnixMilli())
	return s
}

func newSQLite(tb testing.TB) *gorm.DB {
	tb.Helper()
	return open(tb, sqlite.Open(filepath.Join(tb.TempDir(), "flashmath.db")+"?_journal_mode=WAL"))
}

func newPostgres(tb testing.TB) *gorm.DB {
	tb.Helper()
	return open(tb, postgres.Open(pgtest.Server(tb).Schema(tb)))
}

// engines are what a store is copied to and from.
var engines = map[string]func(testing.TB) *gorm.DB{"SQLite": newSQLite, "PostgreSQL": newPostgres}

func open(tb testing.TB, dialector gorm.Dialector) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	must(tb, err)
	pool, err := db.DB()
	must(tb, err)
	tb.Cleanup(func() { must(tb, pool.Close()) })
	return db
}

// on puts a store on a database.
func on(tb testing.TB, db *gorm.DB, prefix string) *school {
	tb.Helper()
	return onArchive(tb, db, prefix, "")
}

// onArchive puts a store on a database, with that file as its archive.
func onArchive(tb testing.TB, db *gorm.DB, prefix, archive string) *school {
	tb.Helper()
	s := (&school{db: db}).at(noon)
	rules := storage.DefaultRules()
	rules.Plausibility.FloorMS = 5
	s.Store = storage.New(storage.Config{
		Rules: &rules, TablePrefix: prefix, Archive: archive,
		Hooks: hooks.Config{Logger: slog.New(slog.DiscardHandler)}, Now: func() time.Time { return time.UnixMilli(s.now.Load()) },
	})
	must(tb, db.Use(s.Store))
	tb.Cleanup(func() { must(tb, s.Close()) })
	return s
}

func idAt(at time.Time, n int64) (id models.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(n))
	return id
}

// practise books a session of n answers that began at that time.
func (s *school) practise(tb testing.TB, userID int64, began time.Time, n int) {
	tb.Helper()
	in := storage.Submission{
		UserID: userID, ID: idAt(began, userID), Operation: "addition",
		StartedAt: began, EndedAt: began.Add(time.Duration(n) * time.Second),
	}
	for i := range n {
		at := began.Add(time.Duration(i) * time.Second)
		in.Answers = append(in.Answers, storage.Answer{
			ID: idAt(at, userID), Fact: fmt.Sprintf("%d+%d", i%7, i%5), Correct: i%4 != 0, ResponseMS: int64(700 + i), At: at,
		})
	}
	_, err := s.Sessions.Submit(tb.Context(), in)
	must(tb, err)
}

// newSchool returns a store with something in every table, erased users and
// two seasons among it.
func newSchool(tb testing.TB, db *gorm.DB, prefix string) *school {
	tb.Helper()
	ctx, s := tb.Context(), on(tb, db, prefix)
	hat, err := s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Name: "Hut “Größe 7” 🎩", Slot: "head", Price: 20, Active: true})
	must(tb, err)
	boots, err := s.Shop.Put(ctx, models.ShopItem{Slug: "boots", Name: "Boots", Slot: "feet", Price: 0})
	must(tb, err)
	boots.Active = true
	_, err = s.Shop.Put(ctx, boots)
	must(tb, err)
	for i := range 12 {
		in := storage.NewUser{UID: fmt.Sprintf("user-%02d", i), Name: fmt.Sprintf("Zoë %d 日本 '\"\\ 🦊\n", i)}
		if i%3 == 0 {
			in.Email = fmt.Sprintf("u%d@class.example", i)
		}
		user, err := s.Users.Create(ctx, in)
		must(tb, err)
		for n := range 3 {
			s.practise(tb, user.ID, noon.Add(-time.Duration(n+1)*time.Hour), 12+i)
		}
		_, err = s.Answers.Append(ctx, user.ID, storage.SingleAnswer{Operation: "übung", Answer: storage.Answer{
			ID: idAt(noon.Add(-time.Minute), user.ID), Fact: "7×8", ResponseMS: 12, At: noon.Add(-time.Minute),
		}})
		must(tb, err)
		if i%2 == 0 {
			for _, item := range []models.ShopItem{hat, boots} {
				_, err = s.Shop.Purchase(ctx, user.ID, item.ID, idAt(noon, int64(i)<<8|item.ID))
				must(tb, err)
			}
			must(tb, s.Shop.Equip(ctx, user.ID, hat.ID))
		}
		_, err = s.Coins.Grant(ctx, user.ID, idAt(noon, int64(i)<<8|99), int64(11-2*i), "gift", "für dich")
		must(tb, err)
	}
	s.at(noon.Add(7 * 24 * time.Hour))
	_, err = s.Leagues.SettleDue(ctx)
	must(tb, err)
	_, err = s.Rollups.Run(ctx)
	must(tb, err)
	s.practise(tb, 3, noon.Add(7*24*time.Hour-time.Hour), 20)
	// Nothing of this session is booked, and of the answer there is no session.
	tooFast := storage.Answer{ID: idAt(noon, 1), Fact: "7×8", Correct: true, ResponseMS: 4, At: noon}
	_, err = s.Sessions.Submit(ctx, storage.Submission{UserID: 4, ID: idAt(noon, 0), Operation: "addition", StartedAt: noon, EndedAt: noon, Answers: []storage.Answer{tooFast}})
	must(tb, err)
	tooFast.ID = idAt(noon, 2)
	_, err = s.Answers.Append(ctx, 4, storage.SingleAnswer{Operation: "übung", Answer: tooFast})
	must(tb, err)
	for _, id := range []int64{12, 5} { // the last one and another
		_, err = s.Users.Erase(ctx, id)
		must(tb, err)
	}
	return s
}

// contents are the rows of all tables but the list of migrations, as they are
// stored.
func contents(tb testing.TB, db *gorm.DB) map[string][]string {
	tb.Helper()
	var tables []string
	query := "SELECT name FROM sqlite_schema WHERE type = 'table'"
	if db.Name() == "postgres" {
		query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
	}
	must(tb, db.Raw(query).Scan(&tables).Error)
	all := map[string][]string{}
	for _, table := range tables {
		if table == "schema_migrations" || table == "archive_files" || table == "sqlite_stat1" || table == "sqlite_stat4" {
			continue
		}
		all[table] = rowsOf(tb, db, table)
		slices.Sort(all[table])
	}
	return all
}

// rowsOf returns the rows of a table with the types of their values.
func rowsOf(tb testing.TB, db *gorm.DB, table string) []string {
	tb.Helper()
	rows, err := db.Raw("SELECT * FROM " + table).Rows()
	must(tb, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(tb, err)
	list := []string{}
	for rows.Next() {
		values, dest := make([]any, len(columns)), make([]any, len(columns))
		for i := range dest {
			dest[i] = &values[i]
		}
		must(tb, rows.Scan(dest...))
		text := ""
		for i, value := range values {
			text += fmt.Sprintf("%s=%#v ", columns[i], value)
		}
		list = append(list, text)
	}
	must(tb, rows.Err())
	return list
}

// mustCopy copies, and fails if it is not a copy.
func mustCopy(tb testing.TB, from, to *gorm.DB, cfg transfer.Config) transfer.Report {
	tb.Helper()
	report, err := transfer.Copy(tb.Context(), from, to, cfg)
	must(tb, err)
	for _, t := range report.Tables {
		if !t.Agrees() || t.Checksum == "" && !cfg.DryRun {
			tb.Errorf("%+v", t)
		}
	}
	return report
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}

func equal[T any](tb testing.TB, got, want T) {
	tb.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tb.Fatalf("not as expected (-want +got):\n%s", diff)
	}
}
