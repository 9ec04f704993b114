package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// MustOpenStores returns that many stores on one new database of PostgreSQL,
// as several processes have them.
func MustOpenStores(tb testing.TB, n int, changes ...func(*setup)) []*fixture {
	tb.Helper()
	stores := make([]*fixture, n)
	dsn := pgtest.Server(tb).Database(tb)
	changes = append([]func(*setup){func(s *setup) { s.path = dsn }}, changes...)
	for i := range stores {
		stores[i] = MustOpen(tb, changes...)
	}
	return stores
}

// Eight goroutines on each of four stores append answers of the same three
// users to the same few facts in random order, each answer from two places;
// levels are those of a plain loop over the answers.
func TestPostgres_AppendAtOnce(t *testing.T) {
	for _, mixed := range []bool{false, true} { // several answers a call, some facts twice
		t.Run(fmt.Sprintf("Mixed %t", mixed), func(t *testing.T) {
			const goroutines, each = 8, 24
			stores := MustOpenStores(t, 4)
			users := MustUsers(t, stores[0], 3)
			answers := make([]storage.Answer, goroutines*each)
			for i := range answers {
				answers[i] = right(i, fmt.Sprintf("%d+1", i%3), int64(i))
				answers[i].Correct = i%4 != 3
			}
			call := 1
			if mixed {
				call = 4
			}
			booked := make([]int, len(stores)*goroutines)
			must(t, errors.Join(atOnce(len(booked), func(caller int) error {
				random := rand.New(rand.NewPCG(1, uint64(caller)))
				store := stores[caller%len(stores)]
				for n := range slices.Chunk(random.Perm(len(answers)), call) {
					var some []storage.Answer
					for _, i := range n {
						// Each is sent by two of the callers.
						if i%(len(booked)/2) == caller%(len(booked)/2) {
							some = append(some, answers[i])
						}
					}
					for _, u := range random.Perm(len(users)) {
						if len(some) == 0 {
							continue
						}
						receipt, err := store.Answers.Append(ctx, users[u].ID, singles(models.ID{}, some...)...)
						if err != nil {
							return err
						}
						booked[caller] += receipt.Booked
					}
				}
				return nil
			})...))
			total := 0
			for _, n := range booked {
				total += n
			}
			equal(t, total, len(users)*len(answers))
			for _, user := range users {
				mustFold(t, stores[1].Store, user.ID, answers)
			}
			equal(t, MustRun(t, stores[2].Store).Facts, 3*len(users))
			mustNotDeadlock(t, stores[3].db)
		})
	}
}

// mustNotDeadlock fails if transactions have waited for each other: they would
// have been run again, but each time a second later.
func mustNotDeadlock(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	equal(tb, MustInt(tb, db, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"), 0)
}

// mustFold fails unless the levels of a user's additions are those of a plain
// loop over the answers, in the order of their ids.
func mustFold(tb testing.TB, s *storage.Store, userID int64, answers []storage.Answer) {
	tb.Helper()
	want := map[string]models.MasteryStat{}
	for _, a := range answers {
		stat := want[a.Fact]
		delta := models.LevelStep
		if !a.Correct {
			delta = -delta
		}
		want[a.Fact] = models.MasteryStat{
			UserID: userID, Operation: "addition", Fact: a.Fact,
			MasteryLevel: stat.MasteryLevel.Add(delta), LastDelta: delta, LastAnswerID: a.ID,
			Attempts: stat.Attempts + 1, CorrectCount: stat.CorrectCount + pickInt(a.Correct),
			TotalResponseMS: stat.TotalResponseMS + a.ResponseMS, LastResponseTime: a.ResponseMS, UpdatedAt: a.At,
		}
	}
	stats, err := s.Mastery.Operation(ctx, userID, "addition")
	must(tb, err)
	got := map[string]models.MasteryStat{}
	for _, stat := range stats {
		got[stat.Fact] = stat
	}
	equal(tb, got, want)
}

func pickInt(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// Four stores, the same users: everything that there is to write, at once, to
// exact totals.
func TestPostgres_EverythingAtOnce(t *testing.T) {
	const goroutines, each = 8, 6
	stores := MustOpenStores(t, 4)
	users := MustUsers(t, stores[0], 3)
	var items []models.ShopItem
	for i := range 4 {
		items = append(items, MustItem(t, stores[0].Store, fmt.Sprint("item-", i), "head", 1))
	}
	callers := len(stores) * goroutines
	must(t, errors.Join(atOnce(callers, func(caller int) error {
		random := rand.New(rand.NewPCG(2, uint64(caller)))
		s := stores[caller%len(stores)].Store
		for n := range each {
			for _, u := range random.Perm(len(users)) {
				user := users[u].ID
				number := caller*each + n
				_, submitted := s.Sessions.Submit(ctx, session(user, -number, right(number, "8+7", 0), wrong(callers*each+number, "1+1", 0)))
				_, booked := s.Leagues.BookXP(ctx, user, 1, noon)
				// The same purchase from everywhere.
				item := items[random.IntN(len(items))]
				_, bought := s.Shop.Purchase(ctx, user, item.ID, idAt(noon, item.ID))
				worn := s.Shop.Equip(ctx, user, item.ID)
				_, rolled := s.Rollups.Run(ctx)
				_, ensured := s.Users.Ensure(ctx, storage.NewUser{UID: fmt.Sprint("new ", n), Email: fmt.Sprintf("%d@example.org", n)})
				if err := errors.Join(submitted, booked, bought, worn, rolled, ensured); err != nil {
					return err
				}
			}
		}
		return nil
	})...))
	sessions := int64(callers * each)
	for _, user := range users {
		got := MustGet(t, stores[3].Store, user.ID)
		equal(t, got.TotalXP, 2*sessions)
		equal(t, got.Coins, 100+sessions-int64(len(items)))
		standing, err := stores[3].Leagues.Rank(ctx, thisSeason, user.ID)
		must(t, err)
		equal(t, standing.WeeklyXP, 3*sessions)
		stat, err := stores[3].Mastery.Fact(ctx, user.ID, "addition", "8+7")
		must(t, err)
		equal(t, stat.Attempts, sessions)
		equal(t, stat.MasteryLevel, models.LevelMax)
	}
	equal(t, MustInt(t, stores[0].db, "SELECT count(*) FROM users"), int64(len(users)+each))
	MustReconcile(t, stores[0].Store)
	mustNotDeadlock(t, stores[3].db)
	// Of what was rolled up while others wrote, nothing is forgotten.
	MustRun(t, stores[0].Store)
	equal(t, MustInt(t, stores[0].db, "SELECT count(*) FROM rollup_queue"), 0)
	for _, user := range users {
		rollups, err := stores[0].Rollups.OfUser(ctx, user.ID)
		must(t, err)
		equal(t, []int64{rollups[0].TotalAttempts, rollups[1].TotalAttempts}, []int64{sessions, sessions})
	}
}

// A uid, an e-mail, a slug and a session's id that several processes give at
// the same moment have one owner, and the others are told so.
func TestPostgres_TakenAtOnce(t *testing.T) {
	const rounds = 12
	stores := MustOpenStores(t, 4)
	each := func(fn func(s *storage.Store, i int) error) (errs []error) {
		return atOnce(2*len(stores), func(i int) error { return fn(stores[i%len(stores)].Store, i) })
	}
	one := func(t *testing.T, errs []error, want error) {
		t.Helper()
		errs = slices.DeleteFunc(errs, func(err error) bool { return errors.Is(err, want) })
		equal(t, len(errs), 1)
		must(t, errs[0])
	}
	users := MustUsers(t, stores[0], 2*len(stores))
	for round := range rounds {
		one(t, each(func(s *storage.Store, _ int) error {
			return err2(s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("uid ", round)}))
		}), storage.ErrTaken)
		one(t, each(func(s *storage.Store, i int) error {
			return err2(s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("of ", round, i), Email: fmt.Sprintf("a%d@example.org", round)}))
		}), storage.ErrTaken)
		one(t, each(func(s *storage.Store, i int) error {
			return err2(s.Users.Update(ctx, users[i].ID, storage.UserUpdate{Email: ptr(fmt.Sprintf("b%d@example.org", round))}))
		}), storage.ErrTaken)
		one(t, each(func(s *storage.Store, i int) error {
			in := session(users[i].ID, round, right(round, "1+1", 0))
			in.ID = idAt(lesson, int64(round))
			return err2(s.Sessions.Submit(ctx, in))
		}), storage.ErrConflict)
		must(t, errors.Join(each(func(s *storage.Store, i int) error {
			return err2(s.Shop.Put(ctx, models.ShopItem{Slug: fmt.Sprint("slug ", round), Slot: "head", Price: int64(i)}))
		})...))
	}
	equal(t, MustInt(t, stores[0].db, "SELECT count(*) FROM shop_items"), rounds)
	equal(t, MustInt(t, stores[0].db, "SELECT count(*) FROM sessions"), rounds)
}

// Transactions of the application's that write rows of their own, with foreign
// keys to a user, and then for that user here, do not wait for each other both;
// nor does anybody else wait for them to end because of those rows.
func TestPostgres_RowsThatRefer(t *testing.T) {
	for name, write := range map[string]func(s *storage.Store, userID int64, i int) error{
		"Append": func(s *storage.Store, userID int64, i int) error {
			return err2(s.Answers.Append(ctx, userID, singles(models.ID{}, right(i, "1+1", 10))...))
		},
		"Submit": func(s *storage.Store, userID int64, i int) error {
			return err2(s.Sessions.Submit(ctx, session(userID, i, right(i, "1+1", 10))))
		},
		"Grant": func(s *storage.Store, userID int64, i int) error {
			return err2(s.Coins.Grant(ctx, userID, idAt(noon, int64(i)), 1, "gift", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := MustOpenStores(t, 1)[0]
			user := MustUser(t, f.Store, "ada")
			MustExec(t, f.db, "CREATE TABLE orders (user_id bigint NOT NULL REFERENCES users (id))")
			const order = "INSERT INTO orders VALUES (?)"
			var both sync.WaitGroup
			both.Add(2)
			must(t, errors.Join(atOnce(2, func(i int) error {
				return f.db.Transaction(func(tx *gorm.DB) error {
					err := tx.Exec(order, user.ID).Error
					both.Done()
					both.Wait()
					return errors.Join(err, write(f.In(tx), user.ID, i))
				})
			})...))
			mustNotDeadlock(t, f.db)

			impatient := MustOpen(t, func(s *setup) { s.path = f.path + " lock_timeout=5s" })
			must(t, f.db.Transaction(func(tx *gorm.DB) error {
				return errors.Join(tx.Exec(order, user.ID).Error, write(impatient.Store, user.ID, 2))
			}))
		})
	}
}

// XP that is on its way while a season is settled goes to a season that is
// not.
func TestPostgres_SettledMeanwhile(t *testing.T) {
	stores := MustOpenStores(t, 2)
	user := MustUser(t, stores[0].Store, "ada")
	for name, before := range map[string]bool{"Stored": true, "NotStored": false} {
		t.Run(name, func(t *testing.T) {
			at := noon.AddDate(0, 0, -14)
			if before {
				at = noon.AddDate(0, 0, -7)
				MustBookXP(t, stores[0].Store, user.ID, 1, at)
			}
			season, err := stores[0].Leagues.Season(ctx, at)
			must(t, err)
			settling := stores[1].db.Begin()
			must(t, settling.Error)
			defer settling.Rollback()
			if !before {
				must(t, settling.Exec("INSERT INTO seasons VALUES (?, ?, ?, ?)",
					season.ID, season.StartsAt.UnixMilli(), season.EndsAt.UnixMilli(), season.Zone).Error)
			}
			must(t, settling.Exec("UPDATE seasons SET settled_at = ? WHERE id = ?", noon.UnixMilli(), season.ID).Error)
			booked := make(chan models.Season, 1)
			go func() {
				got, err := stores[0].Leagues.BookXP(ctx, user.ID, 1, at)
				if err != nil {
					t.Error(err)
				}
				booked <- got
			}()
			mustWaitForLock(t, stores[1].db, booked)
			must(t, settling.Commit().Error)
			equal(t, (<-booked).ID, thisSeason)
		})
	}
}

// Who is erased while a season's plan is made has no part in it.
func TestPostgres_ErasedWhileSettled(t *testing.T) {
	stores := MustOpenStores(t, 2)
	users := MustPlay(t, stores[0], 1, xps(50, 40, 30)...)
	erasing := stores[0].db.Begin()
	must(t, erasing.Error)
	defer erasing.Rollback()
	must(t, err2(stores[0].In(erasing).Users.Erase(ctx, users[0].ID)))
	settled := make(chan error, 1)
	go func() { settled <- err2(stores[1].Leagues.Settle(ctx, lastSeason)) }()
	mustWaitForLock(t, stores[1].db, settled)
	must(t, erasing.Commit().Error)
	must(t, <-settled)
	plan := MustPlan(t, stores[1].Store, lastSeason)
	equal(t, plan.Final, true)
	equal(t, len(plan.Moves), 2)
	equal(t, plan.Moves[0].UserID, users[1].ID)
}

// Answers that are on their way while a user is rolled up are in the summary,
// or the user is queued again.
func TestPostgres_RolledUpMeanwhile(t *testing.T) {
	for _, isolation := range isolations {
		t.Run(isolation, func(t *testing.T) {
			stores := MustOpenStores(t, 2, withIsolation(isolation))
			user := MustUser(t, stores[0].Store, "ada")
			MustAppend(t, stores[0].Store, user.ID, right(1, "1+1", 10))
			booking := stores[0].db.Begin()
			must(t, booking.Error)
			defer booking.Rollback()
			MustAppend(t, stores[0].In(booking), user.ID, right(2, "1+1", 10))
			ran := make(chan storage.RollupResult, 1)
			go func() {
				result, err := stores[1].Rollups.Run(ctx)
				if err != nil {
					t.Error(err)
				}
				ran <- result
			}()
			mustWaitForLock(t, stores[1].db, ran)
			must(t, booking.Commit().Error)
			equalRun(t, <-ran, 1, 1)
			rollups, err := stores[1].Rollups.OfUser(ctx, user.ID)
			must(t, err)
			equal(t, rollups[0].TotalAttempts, 2)
		})
	}
}

// While somebody keeps a user's row, who books for that user waits under a
// context of their own, and all others go on.
func TestPostgres_HeldUser(t *testing.T) {
	for name, book := range map[string]func(ctx context.Context, s *storage.Store, userID int64, n int) error{
		"Append": func(ctx context.Context, s *storage.Store, userID int64, n int) error {
			return err2(s.Answers.Append(ctx, userID, singles(models.ID{}, right(n, "1+1", 10))...))
		},
		"Submit": func(ctx context.Context, s *storage.Store, userID int64, n int) error {
			in := session(userID, n, right(n, "1+1", 10))
			in.ID = idAt(lesson, userID<<8+int64(n))
			return err2(s.Sessions.Submit(ctx, in))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := MustOpenStores(t, 1)[0]
			users := MustUsers(t, f, 16)
			held := f.db.Begin()
			must(t, held.Error)
			defer held.Rollback()
			must(t, held.Exec("SELECT 1 FROM users WHERE id = ? FOR UPDATE", users[0].ID).Error)
			booked := make(chan []error, 1)
			go func() {
				booked <- atOnce(4*len(users), func(i int) error {
					user := i % len(users)
					within := time.Minute
					if user == 0 {
						within = 2 * time.Second
					}
					ctx, cancel := context.WithTimeout(ctx, within)
					defer cancel()
					err := book(ctx, f.Store, users[user].ID, i/len(users))
					if user == 0 && errors.Is(err, context.DeadlineExceeded) {
						return nil
					}
					return err
				})
			}()
			select {
			case errs := <-booked:
				must(t, errors.Join(errs...))
			case <-time.After(20 * time.Second):
				t.Error("all wait for one user")
				held.Rollback()
				<-booked
			}
		})
	}
}

// A rollup and who erases a user do not wait for each other, whichever of them
// began to wait for the user first.
func TestPostgres_ErasedWhileRolledUp(t *testing.T) {
	for name, erasesFirst := range map[string]bool{"ErasesFirst": true, "RollsUpFirst": false} {
		t.Run(name, func(t *testing.T) {
			stores := MustOpenStores(t, 3)
			user := MustUser(t, stores[0].Store, "ada")
			MustAppend(t, stores[0].Store, user.ID, right(1, "1+1", 10))
			held := stores[0].db.Begin()
			must(t, held.Error)
			defer held.Rollback()
			must(t, held.Exec("SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE", user.ID).Error)
			both := []func() error{
				func() error { return err2(stores[1].Rollups.Run(ctx)) },
				func() error { return err2(stores[2].Users.Erase(ctx, user.ID)) },
			}
			if erasesFirst {
				slices.Reverse(both)
			}
			first, second := make(chan error, 1), make(chan error, 1)
			go func() { first <- both[0]() }()
			mustWaitForLock(t, stores[0].db, first)
			go func() { second <- both[1]() }()
			for MustInt(t, stores[0].db, waitForLocks) < 2 && len(second) == 0 {
				continue
			}
			must(t, held.Commit().Error)
			must(t, errors.Join(<-first, <-second))
			mustNotDeadlock(t, stores[0].db)
			equal(t, MustInt(t, stores[0].db, "SELECT count(*) FROM mastery_rollups"), 0)
		})
	}
}

// isolations are those that a database may have by default for all transactions.
var isolations = []string{"read committed", "repeatable read", "serializable"}

// withIsolation opens the database as if that were its default.
func withIsolation(isolation string) func(*setup) {
	return func(s *setup) { s.path += " default_transaction_isolation='" + isolation + "'" }
}

// Answers alone are one statement. What that cannot write is booked as ever, and
// the application's logger hears of no error.
func TestPostgres_AppendAtOneStroke(t *testing.T) {
	for name, change := range map[string]func(*setup){
		"Default": func(*setup) {}, "Translated": func(s *setup) { s.gorm.TranslateError = true },
		"Prepared": func(s *setup) { s.gorm.PrepareStmt = true },
	} {
		t.Run(name, func(t *testing.T) {
			statements := &recorder{Interface: logger.Discard}
			f := MustOpenStores(t, 1, change, func(s *setup) { s.gorm.Logger = statements })[0]
			user := MustUser(t, f.Store, "ada")
			MustAppend(t, f.Store, user.ID, right(10, "1+1", 0)) // looks, once, for what is set aside
			one, other := right(20, "1+1", 5), right(21, "2+2", 5)
			changed := one
			changed.ResponseMS++
			late := right(15, "1+1", 5)
			again, early := right(22, "3+3", 5), right(23, "3+3", 5)
			for _, step := range []struct {
				name    string
				user    int64
				answers []storage.Answer
				want    storage.AppendReceipt
				err     error
				alone   bool
			}{
				{"new", user.ID, []storage.Answer{one, other}, storage.AppendReceipt{Booked: 2}, nil, true},
				{"repeated", user.ID, []storage.Answer{one, other}, storage.AppendReceipt{Repeated: 2}, nil, false},
				{"conflicting", user.ID, []storage.Answer{changed}, storage.AppendReceipt{}, storage.ErrConflict, false},
				{"late", user.ID, []storage.Answer{late}, storage.AppendReceipt{Booked: 1}, nil, false},
				{"one fact", user.ID, []storage.Answer{again, early}, storage.AppendReceipt{Booked: 2}, nil, false},
				{"nobody's", user.ID + 1, []storage.Answer{right(30, "1+1", 5)}, storage.AppendReceipt{}, storage.ErrNotFound, false},
			} {
				statements.take()
				got, err := f.Answers.Append(ctx, step.user, singles(models.ID{}, step.answers...)...)
				if !errors.Is(err, step.err) || got != step.want {
					t.Errorf("%s: got %+v and error %v, want %+v and %v", step.name, got, err, step.want, step.err)
				}
				if ran := statements.take(); (len(ran) == 1) != step.alone {
					t.Errorf("%s: it ran %q", step.name, ran)
				}
			}
			equal(t, len(statements.failures), 0)
			mustFold(t, f.Store, user.ID, []storage.Answer{right(10, "1+1", 0), late, one, other, again, early})
		})
	}
}

// Answers wait, in the statement that writes them, for who has their user's row,
// and know what that one did.
func TestPostgres_AppendedMeanwhile(t *testing.T) {
	early, late := right(1, "1+1", 10), right(2, "1+1", 20)
	appending := func(answer storage.Answer) func(*testing.T, *storage.Store, *gorm.DB, int64) {
		return func(t *testing.T, s *storage.Store, _ *gorm.DB, userID int64) { MustAppend(t, s, userID, answer) }
	}
	for name, test := range map[string]struct {
		meanwhile func(t *testing.T, s *storage.Store, tx *gorm.DB, userID int64)
		answer    storage.Answer
		want      error
		booked    []storage.Answer
	}{
		"Later":   {appending(late), early, nil, []storage.Answer{early, late}},
		"Earlier": {appending(early), late, nil, []storage.Answer{early, late}},
		"Same":    {appending(late), late, nil, []storage.Answer{late}},
		// Of this row's locks the one that a foreign key takes is let through.
		"Held": {func(t *testing.T, _ *storage.Store, tx *gorm.DB, userID int64) {
			must(t, tx.Exec("SELECT 1 FROM users WHERE id = ? FOR NO KEY UPDATE", userID).Error)
		}, late, nil, []storage.Answer{late}},
		"Erased": {func(t *testing.T, s *storage.Store, _ *gorm.DB, userID int64) {
			must(t, err2(s.Users.Erase(ctx, userID)))
		}, late, storage.ErrNotFound, nil},
	} {
		t.Run(name, func(t *testing.T) {
			stores := MustOpenStores(t, 2)
			user := MustUser(t, stores[0].Store, "ada")
			other := stores[0].db.Begin()
			must(t, other.Error)
			defer other.Rollback()
			test.meanwhile(t, stores[0].In(other), other, user.ID)
			ended := make(chan error, 1)
			go func() {
				ended <- err2(stores[1].Answers.Append(ctx, user.ID, singles(models.ID{}, test.answer)...))
			}()
			mustWaitForLock(t, stores[1].db, ended)
			must(t, other.Commit().Error)
			if err := <-ended; !errors.Is(err, test.want) {
				t.Fatalf("got error %v, want %v", err, test.want)
			}
			mustFold(t, stores[1].Store, user.ID, test.booked)
			equal(t, MustInt(t, stores[1].db, "SELECT count(*) FROM answer_events"), int64(len(test.booked)))
		})
	}
}

// Text that PostgreSQL cannot hold is looked for in vain, as it is on SQLite.
func TestPostgres_TextThatCannotBe(t *testing.T) {
	f := MustOpenStores(t, 1)[0]
	user := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, user.ID, right(1, "1+1", 10))
	for _, bad := range []string{"a\x00", "\xff"} {
		_, byUID := f.Users.ByUID(ctx, bad)
		_, byEmail := f.Users.ByEmail(ctx, bad)
		_, item := f.Shop.Item(ctx, bad)
		_, fact := f.Mastery.Fact(ctx, user.ID, "addition", bad)
		_, operation := f.Mastery.Fact(ctx, user.ID, bad, "1+1")
		for _, err := range []error{byUID, byEmail, item, fact, operation} {
			mustBe(t, err, storage.ErrNotFound)
		}
		must(t, f.Shop.Unequip(ctx, user.ID, bad))
		stats, err := f.Mastery.Operation(ctx, user.ID, bad)
		must(t, err)
		equal(t, stats, nil)
	}
}

// mustWaitForLock returns when a connection of the database waits for a lock,
// which the server is asked until it says so. Who has done already has not.
func mustWaitForLock[T any](tb testing.TB, db *gorm.DB, done <-chan T) {
	tb.Helper()
	for MustInt(tb, db, waitForLocks) == 0 {
		if len(done) > 0 {
			tb.Fatal("it waits for no lock")
		}
	}
}

// waitForLocks counts the connections of the database that do.
const waitForLocks = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`

// Behind a pooler without prepared statements it works; where ids cannot be
// written it is refused, and nothing is made.
func TestPostgres_Protocol(t *testing.T) {
	for name, open := range map[string]func(dsn string) gorm.Dialector{
		"PreferSimpleProtocol": func(dsn string) gorm.Dialector {
			return postgres.New(postgres.Config{DSN: dsn, PreferSimpleProtocol: true})
		},
		"simple_protocol": func(dsn string) gorm.Dialector {
			return postgres.Open(dsn + " default_query_exec_mode=simple_protocol")
		},
		"exec": func(dsn string) gorm.Dialector { return postgres.Open(dsn + " default_query_exec_mode=exec") },
	} {
		t.Run(name, func(t *testing.T) {
			db, err := gorm.Open(open(pgtest.Server(t).Schema(t)), &gorm.Config{Logger: logger.Discard})
			must(t, err)
			pool, err := db.DB()
			must(t, err)
			defer func() { must(t, pool.Close()) }()
			s := storage.New(storage.Config{})
			var refused *storage.ProtocolError
			if err := db.Use(s); !errors.As(err, &refused) {
				t.Fatalf("got error %v, want a *ProtocolError", err)
			}
			_, err = s.Users.Get(ctx, 1)
			mustBe(t, err, storage.ErrNotInUse)
			var tables []string
			must(t, db.Raw("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()").Scan(&tables).Error)
			equal(t, tables, nil)
		})
	}
	for _, mode := range []string{"cache_statement", "cache_describe", "describe_exec"} {
		t.Run("OK/"+mode, func(t *testing.T) {
			dsn := pgtest.Server(t).Schema(t) + " default_query_exec_mode=" + mode
			equal(t, MustRound(t, MustOpen(t, func(s *setup) { s.path = dsn })), MustRound(t, MustOpen(t)))
		})
	}
}

// With other lanes, and where a database has another isolation than READ
// COMMITTED for all transactions, totals are exact.
func TestPostgres_Lanes(t *testing.T) {
	for _, test := range []struct {
		lanes     int
		isolation string
	}{{1, "read committed"}, {2, "read committed"}, {16, "read committed"}, {4, "repeatable read"}, {4, "serializable"}} {
		t.Run(fmt.Sprint(test.lanes, " ", test.isolation), func(t *testing.T) {
			f := MustOpen(t, func(s *setup) {
				s.path = pgtest.Server(t).Schema(t) + " default_transaction_isolation='" + test.isolation + "'"
				s.store.Queue.Lanes = test.lanes
			})
			users := MustUsers(t, f, 3)
			must(t, errors.Join(atOnce(48, func(i int) error {
				return errors.Join(
					err2(f.Sessions.Submit(ctx, session(users[i%3].ID, i, right(i, "1+1", 0)))),
					err2(f.Answers.Append(ctx, users[(i+1)%3].ID, singles(models.ID{}, right(1000+i, "1+1", 0))...)))
			})...))
			for _, user := range users {
				equal(t, MustGet(t, f.Store, user.ID).TotalXP, 4*16)
				stat, err := f.Mastery.Fact(ctx, user.ID, "addition", "1+1")
				must(t, err)
				equal(t, stat.Attempts, 32)
			}
			MustReconcile(t, f.Store)
		})
	}
}
