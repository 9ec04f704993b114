package storagetest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// noon is the present time of the store's clock, where a promise does not move
// it: a Wednesday, in the season that began on Sunday, May 10.
var noon = time.Date(2026, 5, 13, 16, 0, 0, 0, time.UTC)

const (
	thisSeason = 20260510
	lastSeason = 20260503
)

// lesson is when the first answer was given.
var lesson = noon.Add(-time.Hour)

// kit is a store in use.
type kit struct {
	*storage.Store
	db    *gorm.DB
	clock *clock
}

// clock is the store's. It stands still until it is set.
type clock struct{ at atomic.Pointer[time.Time] }

func (c *clock) set(at time.Time) { c.at.Store(&at) }
func (c *clock) now() time.Time   { return *c.at.Load() }

// use puts a store on a new database. It is closed with the test.
func use(t *testing.T, open func(t *testing.T) *gorm.DB) kit {
	t.Helper()
	return useUnder(t, nil, open)
}

// useUnder is use with rules of the test's own.
func useUnder(t *testing.T, rules *storage.Rules, open func(t *testing.T) *gorm.DB) kit {
	t.Helper()
	k := kit{db: open(t), clock: &clock{}}
	k.clock.set(noon)
	cfg := storage.Config{Rules: rules, Now: k.clock.now}
	if k.db.Name() == "sqlite" {
		cfg.Archive = filepath.Join(t.TempDir(), "archive.db")
	}
	k.Store = storage.New(cfg)
	must(t, k.db.Use(k.Store))
	t.Cleanup(func() { must(t, k.Close()) })
	users, err := k.Users.List(t.Context(), 0, 1)
	must(t, err)
	if len(users) > 0 {
		t.Fatal("open must return a database in which nothing is stored")
	}
	return k
}

func (k kit) user(t *testing.T, uid string) models.User {
	t.Helper()
	user, err := k.Users.Create(t.Context(), storage.NewUser{UID: uid, Email: uid + "@example.org", Name: uid})
	must(t, err)
	return user
}

func (k kit) item(t *testing.T, slug string, price int64) models.ShopItem {
	t.Helper()
	item, err := k.Shop.Put(t.Context(), models.ShopItem{Slug: slug, Slot: "head", Price: price, Active: true})
	must(t, err)
	return item
}

func (k kit) submit(t *testing.T, in storage.Submission) storage.Receipt {
	t.Helper()
	receipt, err := k.Sessions.Submit(t.Context(), in)
	must(t, err)
	return receipt
}

// stays runs fn and fails if a row of the store's tables is not as it was.
func (k kit) stays(t *testing.T, fn func()) {
	t.Helper()
	before := contentsOf(t, k.db)
	fn()
	if diff := differences(before, contentsOf(t, k.db)); diff != "" {
		t.Fatalf("something has changed:\n%s", diff)
	}
}

// reconciled fails unless everybody's ledger proves their balance.
func (k kit) reconciled(t *testing.T) {
	t.Helper()
	breaks, err := k.Coins.ReconcileAll(t.Context())
	must(t, err)
	if len(breaks) > 0 {
		t.Fatalf("the ledger does not prove the balances: %v", breaks)
	}
	differences, err := k.Leagues.VerifyBoards(t.Context())
	must(t, err)
	if len(differences) > 0 {
		t.Fatalf("ranks do not count who is on the board: %v", differences)
	}
}

// idAt returns the n-th id of a moment.
func idAt(at time.Time, n int64) (id models.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63|uint64(n))
	return id
}

// answer returns the n-th answer of the lesson, n seconds into it.
func answer(n int, fact string, correct bool, ms int64) storage.Answer {
	at := lesson.Add(time.Duration(n) * time.Second)
	return storage.Answer{ID: idAt(at, 0), Fact: fact, Correct: correct, ResponseMS: ms, At: at}
}

// session returns the n-th session of a user, n minutes into the lesson and
// half a minute long.
func session(userID int64, n int, answers ...storage.Answer) storage.Submission {
	began := lesson.Add(time.Duration(n) * time.Minute)
	return storage.Submission{
		UserID: userID, ID: idAt(began, userID), Operation: "addition",
		StartedAt: began, EndedAt: began.Add(30 * time.Second), Answers: answers,
	}
}

// single returns an answer as it is appended.
func single(sessionID models.ID, a storage.Answer) storage.SingleAnswer {
	return storage.SingleAnswer{Answer: a, Operation: "addition", SessionID: sessionID}
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("unexpected error: %v", err)
	}
}

// mustBe fails unless err is, or wraps, want.
func mustBe(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		where, one, other := firstDifference(reflect.ValueOf(got), reflect.ValueOf(want))
		t.Fatalf("%s%s: got %+v, want %+v", what, where, one, other)
	}
}

// firstDifference returns where two lists of one length differ first and what
// is there, or else the two values.
func firstDifference(got, want reflect.Value) (where string, one, other any) {
	if got.Kind() == reflect.Slice && got.Len() == want.Len() {
		for i := range got.Len() {
			one, other := got.Index(i).Interface(), want.Index(i).Interface()
			if !reflect.DeepEqual(one, other) {
				return fmt.Sprintf(", place %d", i), one, other
			}
		}
	}
	return "", got.Interface(), want.Interface()
}
