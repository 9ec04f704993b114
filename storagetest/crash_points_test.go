package storagetest_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/storagetest"
)

// lesson is when these answers were given, an hour before the store's present.
var lesson = time.Date(2026, 5, 13, 15, 0, 0, 0, time.UTC)

// idAt returns the id of a moment of the lesson.
func idAt(second int) (id models.ID) {
	at := lesson.Add(time.Duration(second) * time.Second)
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], 1<<63)
	return id
}

func answer(second int, fact string) storage.Answer {
	at := lesson.Add(time.Duration(second) * time.Second)
	return storage.Answer{ID: idAt(second), Fact: fact, Correct: true, ResponseMS: 100, At: at}
}

func session(userID int64, second int, answers ...storage.Answer) storage.Submission {
	at := lesson.Add(time.Duration(second) * time.Second)
	return storage.Submission{UserID: userID, ID: idAt(second), Operation: "addition", StartedAt: at, EndedAt: at, Answers: answers}
}

func single(a storage.Answer) storage.SingleAnswer {
	return storage.SingleAnswer{Answer: a, Operation: "addition"}
}

func only[T any](_ T, err error) error { return err }

// step is something that is done with the user ada.
type step func(ctx context.Context, s *storage.Store, ada models.User) error

// onAda returns an operation on a user, who is made before it; so is what before
// does, where that is not nil.
func onAda(op storagetest.Operation, before, do step) func() storagetest.Operation {
	return func() storagetest.Operation {
		op, ada := op, models.User{}
		op.Prepare = func(ctx context.Context, s *storage.Store) (err error) {
			if ada, err = withUser(ctx, s); err != nil || before == nil {
				return err
			}
			return before(ctx, s, ada)
		}
		op.Do = func(ctx context.Context, s *storage.Store) error { return do(ctx, s, ada) }
		return op
	}
}

// operations are what is interrupted at each of its statements.
var operations = map[string]func() storagetest.Operation{
	"Sessions.Submit": onAda(storagetest.Operation{}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Sessions.Submit(ctx, session(ada.ID, 5, answer(5, "8+7"), answer(6, "8+7"), answer(7, "1+1"))))
	}),
	// One answer exists already, and another one comes behind a later one.
	"Sessions.Submit, late": onAda(storagetest.Operation{}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		sent := single(answer(6, "8+7"))
		sent.SessionID = idAt(5)
		return only(s.Answers.Append(ctx, ada.ID, sent, single(answer(90, "1+1"))))
	}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Sessions.Submit(ctx, session(ada.ID, 5, answer(5, "8+7"), answer(6, "8+7"), answer(7, "1+1"))))
	}),
	"Answers.Append": onAda(storagetest.Operation{}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Answers.Append(ctx, ada.ID, single(answer(90, "8+7"))))
	}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Answers.Append(ctx, ada.ID, single(answer(1, "8+7")), single(answer(2, "1+1"))))
	}),
	// Which on PostgreSQL is one statement, and its own transaction.
	"Answers.Append, under a context without end": onAda(storagetest.Operation{}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Answers.Append(ctx, ada.ID, single(answer(90, "8+7"))))
	}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Answers.Append(context.WithoutCancel(ctx), ada.ID, single(answer(91, "8+7")), single(answer(92, "1+1"))))
	}),
	// One answer is set aside, and one was before.
	"Sessions.Submit, set aside": onAda(storagetest.Operation{Rules: floored()}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		sent := single(tooFast(6))
		sent.SessionID = idAt(5)
		return only(s.Answers.Append(ctx, ada.ID, sent))
	}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Sessions.Submit(ctx, session(ada.ID, 5, answer(5, "8+7"), tooFast(6), tooFast(7))))
	}),
	"Sessions.Submit, nothing remains": onAda(storagetest.Operation{Rules: floored()}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Sessions.Submit(ctx, session(ada.ID, 5, tooFast(6), tooFast(7))))
	}),
	"Answers.Append, set aside": onAda(storagetest.Operation{Rules: floored()}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Answers.Append(ctx, ada.ID, single(answer(1, "8+7")), single(tooFast(2))))
	}),
	"Shop.Purchase": func() storagetest.Operation {
		var ada models.User
		var hat models.ShopItem
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				ada, hat, err = withItem(ctx, s)
				return err
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Shop.Purchase(ctx, ada.ID, hat.ID, idAt(1)))
			},
		}
	},
	"Shop.Equip": func() storagetest.Operation {
		var ada models.User
		var hat models.ShopItem
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				if ada, hat, err = withItem(ctx, s); err != nil {
					return err
				}
				return only(s.Shop.Purchase(ctx, ada.ID, hat.ID, idAt(1)))
			},
			Do: func(ctx context.Context, s *storage.Store) error { return s.Shop.Equip(ctx, ada.ID, hat.ID) },
		}
	},
	"Shop.Refund": func() storagetest.Operation {
		var ada models.User
		var hat models.ShopItem
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				if ada, hat, err = withItem(ctx, s); err != nil {
					return err
				}
				return errors.Join(only(s.Shop.Purchase(ctx, ada.ID, hat.ID, idAt(1))), s.Shop.Equip(ctx, ada.ID, hat.ID))
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Shop.Refund(ctx, ada.ID, hat.ID, idAt(2)))
			},
		}
	},
	"Coins.Grant": onAda(storagetest.Operation{}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Coins.Grant(ctx, ada.ID, idAt(1), 25, "quest", ""))
	}),
	"Users.Erase": onAda(storagetest.Operation{Again: storage.ErrNotFound}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Sessions.Submit(ctx, session(ada.ID, 5, answer(5, "8+7"))))
	}, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Users.Erase(ctx, ada.ID))
	}),
	"Answers.Archive": func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error { return withArchived(ctx, s, false) },
			Do:      archives,
			Parts:   true,
		}
	},
	// Some are archived already, and some of that past came late.
	"Answers.Archive, again": func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error { return withArchived(ctx, s, true) },
			Do:      archives,
			Parts:   true,
		}
	},
	"Answers.Append, of the archived past": func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				return errors.Join(withArchived(ctx, s, false), archives(ctx, s))
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Answers.Append(ctx, 1, single(answer(-300000, "8+7")), single(answer(-300020, "8+7"))))
			},
		}
	},
	"Users.Erase, archived": func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				return errors.Join(withArchived(ctx, s, false), archives(ctx, s))
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				err := only(s.Users.Erase(ctx, 1))
				if errors.Is(err, storage.ErrNotFound) {
					return nil // interrupted behind its commit
				}
				return err
			},
		}
	},
	"Leagues.Settle": func() storagetest.Operation {
		var week models.Season
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				for n := range int64(5) {
					user, err := s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("user-", n)})
					if err != nil {
						return err
					}
					if week, err = s.Leagues.BookXP(ctx, user.ID, 10*n, lesson.AddDate(0, 0, -7)); err != nil {
						return err
					}
				}
				return nil
			},
			Do: func(ctx context.Context, s *storage.Store) error { return only(s.Leagues.Settle(ctx, week.ID)) },
		}
	},
	"Shop.Put": func() storagetest.Operation {
		return storagetest.Operation{
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head", Price: 60, Active: true}))
			},
		}
	},
	"Users.Create": func() storagetest.Operation {
		return storagetest.Operation{
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org"}))
			},
			Again: storage.ErrTaken,
		}
	},
	"Leagues.BookXP": onAda(storagetest.Operation{Once: true}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
		return only(s.Leagues.BookXP(ctx, ada.ID, 30, lesson))
	}),
	"Rollups.Run": func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				for n := range 3 {
					user, err := s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("user-", n)})
					if err != nil {
						return err
					}
					if _, err := s.Answers.Append(ctx, user.ID, single(answer(1, "8+7")), single(answer(2, "1+1"))); err != nil {
						return err
					}
				}
				return nil
			},
			Do: func(ctx context.Context, s *storage.Store) error { return only(s.Rollups.Run(ctx)) },
		}
	},
}

// floored are rules by which every answer here is plausible but tooFast.
func floored() *storage.Rules {
	rules := storage.DefaultRules()
	rules.Plausibility.FloorMS = 50
	return &rules
}

func tooFast(second int) storage.Answer {
	a := answer(second, "8+7")
	a.ResponseMS = 49
	return a
}

func withUser(ctx context.Context, s *storage.Store) (models.User, error) {
	return s.Users.Create(ctx, storage.NewUser{UID: "ada"})
}

// withArchived gives two users answers of some days ago, and where that is
// wanted archives a part of them.
func withArchived(ctx context.Context, s *storage.Store, some bool) error {
	for n := range 2 {
		user, err := s.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint("user-", n)})
		if err != nil {
			return err
		}
		if err := only(s.Answers.Append(ctx, user.ID, single(answer(-300010, "8+7")), single(answer(-300000, "8+7")))); err != nil {
			return err
		}
		if some {
			if err := archives(ctx, s); err != nil {
				return err
			}
			if err := only(s.Answers.Append(ctx, user.ID, single(answer(-300005, "8+7")), single(answer(-300020, "1+1")))); err != nil {
				return err
			}
		}
	}
	return nil
}

func archives(ctx context.Context, s *storage.Store) error {
	return only(s.Answers.Archive(ctx, lesson.AddDate(0, 0, -1)))
}

func withItem(ctx context.Context, s *storage.Store) (user models.User, item models.ShopItem, err error) {
	if user, err = withUser(ctx, s); err != nil {
		return user, item, err
	}
	item, err = s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head", Price: 60, Active: true})
	return user, item, err
}

func TestCrashPoints(t *testing.T) {
	for _, engine := range engines {
		if engine.name == "SQLite in memory" || engine.name == "PostgreSQL behind a pooler" {
			continue // the same transactions as those of a file, or in another protocol
		}
		for name, op := range operations {
			t.Run(name+" on "+engine.name, func(t *testing.T) { storagetest.CrashPoints(t, engine.open, op()) })
		}
		for name, op := range operationsOnRows {
			t.Run(name+" on "+engine.name, func(t *testing.T) {
				app := &application{}
				storagetest.CrashPoints(t, app.opens(engine.open), op(app))
			})
		}
	}
}

// faulty are operations that CrashPoints must find fault with, and what it says.
var faulty = map[string]struct {
	says string
	do   func(context.Context, *storage.Store) error
}{
	"HalfIsStored": {"a part of the operation is stored", func(ctx context.Context, s *storage.Store) error {
		return errors.Join(
			only(s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})),
			only(s.Users.Ensure(ctx, storage.NewUser{UID: "bob"})))
	}},
	"NotAgain": {"run again, ends with", func(ctx context.Context, s *storage.Store) error {
		if err := only(s.Users.Create(ctx, storage.NewUser{UID: "ada"})); err != nil {
			return err
		}
		return only(s.Users.Get(ctx, 1))
	}},
	"SomethingElse": {"leaves something else", func(ctx context.Context, s *storage.Store) error {
		user, err := s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})
		if err != nil {
			return err
		}
		if err := only(s.Leagues.BookXP(ctx, user.ID, 1, lesson)); err != nil { // and once more behind an error
			return err
		}
		return only(s.Leagues.All(ctx))
	}},
	"Silent": {"says nothing of it", func(ctx context.Context, s *storage.Store) error {
		_, _ = s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})
		return nil
	}},
	"NotOnce": {"lost, number 2: COMMIT: the operation, run again, leaves something else", func(ctx context.Context, s *storage.Store) error {
		if err := only(s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})); err != nil {
			return err
		}
		return only(s.Leagues.BookXP(ctx, 1, 1, lesson))
	}},
	"SilentAtCommit": {"at a commit, number 1: COMMIT: the operation says nothing of it", func(ctx context.Context, s *storage.Store) error {
		_, _ = s.Users.Ensure(ctx, storage.NewUser{UID: "ada"})
		return nil
	}},
	"ReadsOnly": {"writes nothing", func(ctx context.Context, s *storage.Store) error { return only(s.Leagues.All(ctx)) }},
}

const faultyEnv = "STORAGETEST_FAULTY"

// A test that must fail fails in a process of its own.
func TestCrashPoints_Faulty(t *testing.T) {
	if name := os.Getenv(faultyEnv); name != "" {
		storagetest.CrashPoints(t, engines[0].open, storagetest.Operation{Do: faulty[name].do})
		return
	}
	for name, want := range faulty {
		t.Run(name, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashPoints_Faulty$")
			child.Env = append(os.Environ(), faultyEnv+"="+name)
			said, err := child.CombinedOutput()
			var failed *exec.ExitError
			if !errors.As(err, &failed) || !strings.Contains(string(said), want.says) {
				t.Errorf("got %v and %s, want that %s", err, said, want.says)
			}
		})
	}
}

// What an application does behind its commits is asked for, and done, behind
// those that fail as well.
func TestCrashPoints_AfterCommit(t *testing.T) {
	told := 0
	open := func(t *testing.T) *gorm.DB {
		db := engines[0].open(t)
		if err := db.Callback().Create().After("*").Register("app:tell", func(tx *gorm.DB) {
			_ = tx.AddError(hooks.AfterCommit(tx, func() { told++ }))
		}); err != nil {
			t.Fatal(err)
		}
		return db
	}
	storagetest.CrashPoints(t, open, operations["Shop.Put"]())
	if told == 0 {
		t.Error("nothing was done behind a commit")
	}
}
