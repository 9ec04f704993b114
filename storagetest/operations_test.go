package storagetest_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/storagetest"
)

// application is a program that has rows of its own beside the store's, and
// knows its tables.
type application struct{ db *gorm.DB }

// opens returns open, and has the application take the database in use.
func (a *application) opens(open func(*testing.T) *gorm.DB) func(*testing.T) *gorm.DB {
	return func(t *testing.T) *gorm.DB {
		a.db = open(t)
		return a.db
	}
}

func (a *application) exec(ctx context.Context, statement string, args ...any) error {
	return a.db.WithContext(ctx).Exec(statement, args...).Error
}

func init() {
	name := "Countess"
	first := int64(1)
	update := func(change storage.UserUpdate, again error) func() storagetest.Operation {
		return onAda(storagetest.Operation{Again: again}, nil, func(ctx context.Context, s *storage.Store, ada models.User) error {
			return only(s.Users.Update(ctx, ada.ID, change))
		})
	}
	operations["Users.Update"] = update(storage.UserUpdate{Name: &name, Email: &name}, nil)
	// Who is not told that it was done reads again, and finds it done.
	operations["Users.Update, of a version"] = update(storage.UserUpdate{Name: &name, IfVersion: &first}, storage.ErrVersion)

	operations["Users.Ensure"] = func() storagetest.Operation {
		return storagetest.Operation{
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Users.Ensure(ctx, storage.NewUser{UID: "ada", Email: "ada@example.org"}))
			},
		}
	}
	operations["Shop.Unequip"] = func() storagetest.Operation {
		var ada models.User
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				var hat models.ShopItem
				if ada, hat, err = withItem(ctx, s); err != nil {
					return err
				}
				return errors.Join(only(s.Shop.Purchase(ctx, ada.ID, hat.ID, idAt(1))), s.Shop.Equip(ctx, ada.ID, hat.ID))
			},
			Do: func(ctx context.Context, s *storage.Store) error { return s.Shop.Unequip(ctx, ada.ID, "head") },
		}
	}
	operations["Shop.Put, again"] = func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				return only(s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head", Price: 60, Active: true}))
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head", Price: 70}))
			},
		}
	}
	// Two weeks that were missed, each of which moves somebody.
	operations["Leagues.SettleDue"] = func() storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				for _, uid := range []string{"ada", "bob"} {
					user, err := s.Users.Create(ctx, storage.NewUser{UID: uid})
					if err != nil {
						return err
					}
					for weeks := range 2 {
						if err := only(s.Leagues.BookXP(ctx, user.ID, 30, lesson.AddDate(0, 0, -7*(weeks+1)))); err != nil {
							return err
						}
					}
				}
				return nil
			},
			Do:    func(ctx context.Context, s *storage.Store) error { return only(s.Leagues.SettleDue(ctx)) },
			Parts: true,
		}
	}
}

// operationsOnRows are operations that need rows which the store's own methods
// do not make.
var operationsOnRows = map[string]func(*application) storagetest.Operation{
	"Users.FlushPresence": func(app *application) storagetest.Operation {
		var ada models.User
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				if ada, err = withUser(ctx, s); err != nil {
					return err
				}
				return app.exec(ctx, "UPDATE users SET last_active_at = 1000")
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return errors.Join(s.Users.Touch(ctx, ada.ID), s.Users.FlushPresence(ctx))
			},
		}
	},
	"Leagues.RebuildBoards": func(app *application) storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				ada, err := withUser(ctx, s)
				if err == nil {
					err = only(s.Leagues.BookXP(ctx, ada.ID, 30, lesson))
				}
				if err == nil { // so that there are ranges on PostgreSQL
					err = only(s.Leagues.RebuildBoards(ctx))
				}
				return errors.Join(err, app.exec(ctx, "UPDATE board_ranges SET players = players + 1"))
			},
			Do: func(ctx context.Context, s *storage.Store) error { return only(s.Leagues.RebuildBoards(ctx)) },
		}
	},
	"Shop.RepairLoadouts": func(app *application) storagetest.Operation {
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) error {
				for n, uid := range []string{"ada", "bob"} {
					user, err := s.Users.Create(ctx, storage.NewUser{UID: uid})
					if err != nil {
						return err
					}
					hat, err := s.Shop.Put(ctx, models.ShopItem{Slug: "hat", Slot: "head", Price: 60, Active: true})
					if err != nil {
						return err
					}
					if err := errors.Join(only(s.Shop.Purchase(ctx, user.ID, hat.ID, idAt(n))), s.Shop.Equip(ctx, user.ID, hat.ID)); err != nil {
						return err
					}
				}
				return app.exec(ctx, "UPDATE loadouts SET slot = 'feet'")
			},
			Do:    func(ctx context.Context, s *storage.Store) error { return only(s.Shop.RepairLoadouts(ctx)) },
			Parts: true, // a transaction for each user
		}
	},
	"Mastery.Rebuild": func(app *application) storagetest.Operation {
		var users []models.User
		return storagetest.Operation{
			Prepare: app.spoilLevels(&users),
			Do: func(ctx context.Context, s *storage.Store) error {
				return only(s.Mastery.Rebuild(ctx, users[0].ID))
			},
		}
	},
	"Mastery.RebuildAll": func(app *application) storagetest.Operation {
		return storagetest.Operation{
			Prepare: app.spoilLevels(new([]models.User)),
			Do:      func(ctx context.Context, s *storage.Store) error { return only(s.Mastery.RebuildAll(ctx)) },
			Parts:   true, // a transaction for each user
		}
	},
	// What is not repeatable by itself is inside of the transaction that notes
	// what it was for.
	"Leagues.BookXP, noted": func(app *application) storagetest.Operation {
		var ada models.User
		return storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				if ada, err = withUser(ctx, s); err != nil {
					return err
				}
				return app.exec(ctx, "CREATE TABLE quests (id INTEGER PRIMARY KEY)")
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				return app.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
					note := tx.Exec("INSERT INTO quests VALUES (7) ON CONFLICT DO NOTHING")
					if note.Error != nil || note.RowsAffected == 0 {
						return note.Error
					}
					return only(s.In(tx).Leagues.BookXP(ctx, ada.ID, 30, lesson))
				})
			},
		}
	},
}

// spoilLevels returns a step that stores two users with levels that are
// different, missing and surplus.
func (a *application) spoilLevels(users *[]models.User) func(context.Context, *storage.Store) error {
	return func(ctx context.Context, s *storage.Store) error {
		*users = nil
		for _, uid := range []string{"ada", "bob"} {
			user, err := s.Users.Create(ctx, storage.NewUser{UID: uid})
			if err != nil {
				return err
			}
			*users = append(*users, user)
			if err := only(s.Answers.Append(ctx, user.ID, single(answer(1, "8+7")), single(answer(2, "1+1")))); err != nil {
				return err
			}
		}
		if err := only(s.Rollups.Run(ctx)); err != nil {
			return err
		}
		return errors.Join(
			a.exec(ctx, "UPDATE mastery_stats SET mastery_level = 4 WHERE fact = '8+7'"),
			a.exec(ctx, "UPDATE mastery_stats SET fact = '9+9' WHERE fact = '1+1'"))
	}
}

// reading are the methods that change no row.
var reading = []string{
	"Answers.CountSetAside", "Answers.Recent", "Answers.SetAside",
	"Coins.Balance", "Coins.Economy", "Coins.Ledger", "Coins.Reconcile", "Coins.ReconcileAll",
	"Leagues.All", "Leagues.Board", "Leagues.Needs", "Leagues.Plan", "Leagues.Rank", "Leagues.ResultOf", "Leagues.ResultsOfUser",
	"Leagues.Schedule", "Leagues.Season", "Leagues.VerifyBoards", "Leagues.Window",
	"Mastery.AsOf", "Mastery.Fact", "Mastery.Operation", "Mastery.Verify", "Mastery.VerifyAll", "Mastery.Weakest",
	"Rollups.OfUser",
	"Sessions.Recent",
	"Shop.Catalogue", "Shop.CheckLoadouts", "Shop.Inventory", "Shop.Item", "Shop.Search",
	"Users.ByEmail", "Users.ByUID", "Users.Dashboard", "Users.Export", "Users.ExportTo", "Users.Get", "Users.GetMany", "Users.List", "Users.Search",
	"Users.Touch", // which FlushPresence writes
}

// Every method of the store that writes is interrupted.
func TestEveryOperationIsInterrupted(t *testing.T) {
	var interrupted []string
	note := func(name string) {
		method, _, _ := strings.Cut(name, ",")
		interrupted = append(interrupted, method)
	}
	for name := range operations {
		note(name)
	}
	for name := range operationsOnRows {
		note(name)
	}
	var all []string
	store := reflect.TypeFor[storage.Store]()
	for i := range store.NumField() {
		noun := store.Field(i)
		if !noun.IsExported() {
			continue
		}
		for n := range noun.Type.NumMethod() {
			method := noun.Name + "." + noun.Type.Method(n).Name
			all = append(all, method)
			if slices.Contains(reading, method) == slices.Contains(interrupted, method) {
				t.Errorf("%s must have an operation that CrashPoints interrupts, or be among those that only read", method)
			}
		}
	}
	for _, method := range slices.Concat(reading, interrupted) {
		if !slices.Contains(all, method) {
			t.Errorf("there is no method %s", method)
		}
	}
}
