package storage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// round is what one round through all nouns brings.
type round struct {
	Users     []models.User
	Receipts  []storage.Receipt
	Sessions  []models.Session
	Answers   []models.AnswerEvent
	Mastery   []models.MasteryStat
	Rollups   []models.MasteryRollup
	Board     []storage.Standing
	Window    []storage.Standing
	Season    models.Season
	Leagues   []models.League
	Catalogue []models.ShopItem
	Purchase  storage.PurchaseReceipt
	Inventory []storage.Owned
	Ledger    []models.CoinEntry
	AsOf      []models.MasteryStat
	Dashboard storage.Dashboard
	Rolled    int
}

// MustRound goes one round through all nouns, whose result depends on nothing
// but the rules.
func MustRound(tb testing.TB, f *fixture) (r round) {
	tb.Helper()
	s := f.Store
	ada, err := s.Users.Create(ctx, storage.NewUser{UID: "ada", Email: "Ada@example.org", Name: "Ada"})
	must(tb, err)
	bob := MustUser(tb, s, "bob")
	_, err = s.Users.Ensure(ctx, storage.NewUser{UID: "eve"})
	must(tb, err)
	_, err = s.Users.Update(ctx, bob.ID, storage.UserUpdate{Name: ptr("Bob"), Email: ptr("")})
	must(tb, err)
	_, err = s.Users.Create(ctx, storage.NewUser{UID: "other", Email: "ada@EXAMPLE.org"})
	mustBe(tb, err, storage.ErrTaken)

	// More than one batch of ten, a late answer, and a retry.
	var answers []storage.Answer
	for i, fact := range []string{"1+1", "2+2", "3+3", "4+4", "5+5", "6+6", "7+7", "8+8", "9+9", "1+2", "1+3", "1+4"} {
		answers = append(answers, right(10+i, fact, 1000))
	}
	r.Receipts = append(r.Receipts, MustSubmit(tb, s, session(ada.ID, 1, answers...)))
	MustAppend(tb, s, ada.ID, wrong(1, "1 + 1 = ?", 500), right(2, "9+9", 3000))
	r.Receipts = append(r.Receipts, MustSubmit(tb, s, session(ada.ID, 1, answers...)))
	r.Receipts = append(r.Receipts, MustSubmit(tb, s, session(bob.ID, 2, answers[:3]...)))
	_, err = s.Sessions.Submit(ctx, session(bob.ID, 3, answers[2:]...))
	mustBe(tb, err, storage.ErrConflict)
	r.Season, err = s.Leagues.BookXP(ctx, bob.ID, 36, noon)
	must(tb, err)

	hat, boots := MustItem(tb, s, "hat", "head", 60), MustItem(tb, s, "boots", "feet", 0)
	hat.Price = 50
	_, err = s.Shop.Put(ctx, hat)
	must(tb, err)
	r.Purchase = MustPurchase(tb, s, ada.ID, hat.ID, idAt(noon, 1))
	MustPurchase(tb, s, ada.ID, boots.ID, idAt(noon, 2))
	must(tb, s.Shop.Equip(ctx, ada.ID, hat.ID))
	must(tb, s.Shop.Equip(ctx, ada.ID, boots.ID))
	must(tb, s.Shop.Unequip(ctx, ada.ID, "feet"))
	r.Rolled = MustRun(tb, s).Facts
	r.read(tb, f, ada.ID)
	return r
}

func (r *round) read(tb testing.TB, f *fixture, userID int64) {
	tb.Helper()
	s := f.Store
	check := func(err error) { tb.Helper(); must(tb, err) }
	var err error
	r.Users, err = s.Users.List(ctx, 0, 0)
	check(err)
	r.Sessions, err = s.Sessions.Recent(ctx, userID, 0)
	check(err)
	r.Answers, err = s.Answers.Recent(ctx, userID, 0)
	check(err)
	r.Mastery, err = s.Mastery.Weakest(ctx, userID, "", 0)
	check(err)
	r.AsOf, err = s.Mastery.AsOf(ctx, userID, "addition", lesson.Add(15*time.Second))
	check(err)
	r.Dashboard, err = s.Users.Dashboard(ctx, userID)
	check(err)
	r.Rollups, err = s.Rollups.OfUser(ctx, userID)
	check(err)
	r.Board = MustBoard(tb, s, thisSeason, 1)
	r.Window, err = s.Leagues.Window(ctx, thisSeason, userID, 2)
	check(err)
	r.Leagues, err = s.Leagues.All(ctx)
	check(err)
	r.Catalogue, err = s.Shop.Catalogue(ctx)
	check(err)
	r.Inventory, err = s.Shop.Inventory(ctx, userID)
	check(err)
	r.Ledger, err = s.Coins.Ledger(ctx, userID, 0, 0)
	check(err)
	r.Ledger[len(r.Ledger)-1].EntryID = models.ID{} // the welcome's is by chance
	MustReconcile(tb, s)
	MustVerify(tb, s)
}

// What a round must bring, so that all variants are not wrong alike.
func TestVariants_Round(t *testing.T) {
	got := MustRound(t, MustOpen(t))
	for _, receipt := range got.Receipts[:2] {
		equal(t, receipt, storage.Receipt{
			SessionID: got.Receipts[0].SessionID, UserID: 1, TotalCount: 12, CorrectCount: 12, AvgResponseMS: 1000,
			XPEarned: 48, CoinsEarned: 24, SeasonID: thisSeason,
		}, cmpopts.IgnoreFields(storage.Receipt{}, "Repeated"))
	}
	equal(t, got.Receipts[1].Repeated, true)
	equal(t, len(got.Answers), 14)
	equal(t, len(got.Mastery), 12)
	equal(t, len(got.AsOf), 7)
	equal(t, got.Dashboard.Weakest, got.Mastery[:10])
	equal(t, got.Rolled, 15)
	equal(t, []string{got.Board[0].UID, got.Board[1].UID}, []string{"ada", "bob"}) // 48 XP each
	equal(t, got.Window, got.Board)
	equal(t, got.Purchase.PricePaid, 50)
	equal(t, got.Purchase.Balance, 74)
	equal(t, len(got.Inventory), 2)
	equal(t, got.Inventory[0].Equipped, true)
	equal(t, len(got.Ledger), 4)
}

// Whatever the application has set, a round is the same, and the next start
// finds the tables as they should be.
func TestVariants(t *testing.T) {
	want := MustRound(t, MustOpen(t))
	for _, test := range []struct {
		name   string
		change func(*gorm.Config)
	}{
		{"PrepareStmt", func(c *gorm.Config) { c.PrepareStmt = true }},
		{"SkipDefaultTransaction", func(c *gorm.Config) { c.SkipDefaultTransaction = true }},
		{"DisableNestedTransaction", func(c *gorm.Config) { c.DisableNestedTransaction = true }},
		{"QueryFields", func(c *gorm.Config) { c.QueryFields = true }},
		{"CreateBatchSize", func(c *gorm.Config) { c.CreateBatchSize = 10 }},
		{"TranslateError", func(c *gorm.Config) { c.TranslateError = true }},
		{"AllowGlobalUpdate", func(c *gorm.Config) { c.AllowGlobalUpdate = true }},
		{"FullSaveAssociations", func(c *gorm.Config) { c.FullSaveAssociations = true }},
		{"PropagateUnscoped", func(c *gorm.Config) { c.PropagateUnscoped = true }},
		{"DefaultTimeouts", func(c *gorm.Config) {
			c.DefaultContextTimeout, c.DefaultTransactionTimeout = time.Minute, time.Minute
		}},
		{"NowFunc", func(c *gorm.Config) { c.NowFunc = func() time.Time { return time.Unix(0, 0) } }},
		{"NamingTablePrefix", naming(schema.NamingStrategy{TablePrefix: "app_"})},
		{"NamingSingular", naming(schema.NamingStrategy{SingularTable: true})},
		{"NamingReplacer", naming(schema.NamingStrategy{NameReplacer: strings.NewReplacer("User", "Learner", "Version", "V", "ID", "Key")})},
		{"NamingNoLowerCase", naming(schema.NamingStrategy{NoLowerCase: true})},
		{"Everything", func(c *gorm.Config) {
			c.PrepareStmt, c.SkipDefaultTransaction, c.QueryFields = true, true, true
			c.CreateBatchSize, c.TranslateError, c.FullSaveAssociations = 3, true, true
			naming(schema.NamingStrategy{TablePrefix: "App", SingularTable: true, NoLowerCase: true})(c)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			change := func(s *setup) { test.change(&s.gorm) }
			f := MustOpen(t, change)
			equal(t, MustRound(t, f), want)
			must(t, f.Close())

			again := MustOpen(t, change, func(s *setup) {
				s.path, s.store.Migrate = f.path, storage.MigrateCheck
			})
			got := round{
				Receipts: want.Receipts, Season: want.Season, Purchase: want.Purchase, Rolled: want.Rolled,
			}
			got.read(t, again, want.Users[0].ID)
			equal(t, got, want)
			_, err := again.Users.Create(ctx, storage.NewUser{UID: "ada"})
			mustBe(t, err, storage.ErrTaken, gorm.ErrDuplicatedKey)
		})
	}
}

func naming(strategy schema.NamingStrategy) func(*gorm.Config) {
	return func(c *gorm.Config) { c.NamingStrategy = strategy }
}
