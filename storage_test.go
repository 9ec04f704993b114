package flashstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// The application has a users and a sessions table of its own, of other
// columns than the store's.
type (
	User struct {
		ID       uint
		Login    string `gorm:"uniqueIndex"`
		Sessions []Session
	}
	Session struct {
		ID     uint
		UserID uint
		Token  string
		SeenAt time.Time
	}
)

const (
	players  = 64 // goroutines, a learner each
	rounds   = 10 // sessions of each
	answers  = 12 // of a session, all of them right and quick: 4 XP each
	price    = 30 // of every item
	products = 12 // more than anybody can pay for
)

// TestApplication drops the store into an application that exists, and plays
// with 64 learners at once. What it ends on is exact: no write is lost, none
// is done twice, nobody hears "database is locked", no goroutine is left.
func TestApplication(t *testing.T) {
	// What another test of this package leaves is GORM's, see TestTraps.
	defer goleak.VerifyNone(t, sweeper)
	app := openApplication(t)
	var wg sync.WaitGroup
	for n := range players {
		wg.Go(func() { app.play(t, n) })
	}
	wg.Wait()
	app.checkTotals(t)
	if err := app.store.Close(); err != nil {
		t.Error(err)
	}
}

// application is the database with its own models, and the store beside them.
type application struct {
	db    *gorm.DB
	store *storage.Store
	items []models.ShopItem
}

func openApplication(t *testing.T) *application {
	t.Helper()
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "app.db")), &gorm.Config{Logger: logger.Discard})
	check(t, err)
	check(t, db.AutoMigrate(&User{}, &Session{})) // it was there before
	app := &application{db: db, store: storage.New(storage.Config{TablePrefix: "fm_"})}
	check(t, db.Use(app.store))
	for n := range products {
		item, err := app.store.Shop.Put(t.Context(), models.ShopItem{
			Slug: fmt.Sprint("item-", n), Slot: fmt.Sprint("slot-", n%3), Price: price, Active: true,
		})
		check(t, err)
		app.items = append(app.items, item)
	}
	return app
}

// play is what one learner does: sign up, practise, send everything twice,
// buy until the money is gone, and look at everything in between.
func (app *application) play(t *testing.T, n int) {
	ctx := t.Context()
	learner := app.signUp(t, n)
	for range rounds {
		s := session(learner.ID)
		for range 2 {
			_, err := app.store.Sessions.Submit(ctx, s)
			check(t, err)
		}
		app.look(t, learner)
	}
	for _, item := range app.items {
		_, err := app.store.Shop.Purchase(ctx, learner.ID, item.ID, models.NewID())
		if errors.As(err, new(*storage.InsufficientFundsError)) {
			return
		}
		check(t, err)
		check(t, app.store.Shop.Equip(ctx, learner.ID, item.ID))
	}
	t.Error("the money did not run out")
}

// signUp makes a user of the application and the learner in one transaction.
func (app *application) signUp(t *testing.T, n int) (learner models.User) {
	ctx := t.Context()
	err := hooks.Transaction(ctx, app.db, func(tx *gorm.DB) error {
		own := User{Login: fmt.Sprint("login-", n), Sessions: []Session{{Token: fmt.Sprint("token-", n), SeenAt: time.Now()}}}
		if err := tx.Create(&own).Error; err != nil {
			return err
		}
		var err error
		learner, err = app.store.In(tx).Users.Create(ctx, storage.NewUser{UID: own.Login})
		return err
	})
	check(t, err)
	return learner
}

// look reads what a dashboard shows. The neighbour's answers come in
// whole sessions.
func (app *application) look(t *testing.T, learner models.User) {
	ctx := t.Context()
	recent, err := app.store.Answers.Recent(ctx, max(learner.ID-1, 1), rounds*answers)
	check(t, err)
	_, err = app.store.Mastery.Weakest(ctx, learner.ID, "", 5)
	check(t, err)
	season, err := app.store.Leagues.Season(ctx, time.Now())
	check(t, err)
	_, err = app.store.Leagues.Window(ctx, season.ID, learner.ID, 3)
	check(t, err)
	var own User
	check(t, app.db.Preload("Sessions").First(&own, "login = ?", learner.UID).Error)
	if len(recent)%answers != 0 {
		t.Errorf("%d answers were seen: a part of a session", len(recent))
	}
}

// checkTotals adds everything up.
func (app *application) checkTotals(t *testing.T) {
	ctx := t.Context()
	const (
		xp     = rounds * answers * 4
		earned = rounds * (answers * 4 / 2)
		bought = (100 + earned) / price
	)
	counts := map[string]int64{
		"users": players, "sessions": players, // the application's
		"fm_users": players, "fm_sessions": players * rounds, "fm_answer_events": players * rounds * answers,
		"fm_inventory": players * bought, "fm_coin_ledger": players * (1 + rounds + bought),
	}
	for table, want := range counts {
		var got int64
		check(t, app.db.Table(table).Count(&got).Error)
		if got != want {
			t.Errorf("%s has %d rows, want %d", table, got, want)
		}
	}
	learners, err := app.store.Users.List(ctx, 0, players)
	check(t, err)
	for _, u := range learners {
		if u.TotalXP != xp || u.Coins != 100+earned-bought*price {
			t.Errorf("%s has %d XP and %d coins, want %d and %d", u.UID, u.TotalXP, u.Coins, xp, 100+earned-bought*price)
		}
	}
	breaks, err := app.store.Coins.ReconcileAll(ctx)
	check(t, err)
	report, err := maintenance.Check(ctx, app.db)
	check(t, err)
	if len(breaks) > 0 || !report.OK() {
		t.Errorf("breaks %v, report %+v", breaks, report)
	}
}

// session returns a session that ends now, of right and quick answers.
func session(learner int64) storage.Submission {
	now := time.Now()
	s := storage.Submission{
		UserID: learner, ID: models.NewID(), Operation: "addition", StartedAt: now.Add(-time.Minute), EndedAt: now,
	}
	for n := range answers {
		s.Answers = append(s.Answers, storage.Answer{
			ID: models.NewID(), Fact: fmt.Sprintf("%d + %d = ?", n, n%5), Correct: true, ResponseMS: 1500, At: now,
		})
	}
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}
