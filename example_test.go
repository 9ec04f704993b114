package flashstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// tempDir returns a folder for an example's database.
func tempDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "flashstore")
	if err != nil {
		log.Fatal(err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}

// inTempDir makes a new folder the working directory, and returns what undoes
// that.
func inTempDir() (undo func()) {
	dir, remove := tempDir()
	before, err := os.Getwd()
	if err == nil {
		err = os.Chdir(dir)
	}
	if err != nil {
		log.Fatal(err)
	}
	return func() {
		_ = os.Chdir(before)
		remove()
	}
}

// The whole of it, as the README has it: open, put the store on, book a
// session, and send it again.
func Example() {
	defer inTempDir()()
	ctx := context.Background()

	db, err := gorm.Open(sqlite.Open("flashmath.db"), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	store := storage.New(storage.Config{}) // a gorm.Plugin; the zero Config is a good one
	if err := db.Use(store); err != nil {  // pragmas, pools, migrations: all of start-up
		log.Fatal(err)
	}
	defer store.Close()

	ada, err := store.Users.Create(ctx, storage.NewUser{Email: "ada@class.example", Name: "Ada"})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	session := storage.Submission{
		UserID: ada.ID, ID: models.NewID(), Operation: "addition",
		StartedAt: now.Add(-time.Minute), EndedAt: now,
		Answers: []storage.Answer{
			{ID: models.NewID(), Fact: "8 + 7 = ?", Correct: true, ResponseMS: 1400, At: now},
			{ID: models.NewID(), Fact: "6 + 9 = ?", Correct: false, ResponseMS: 5200, At: now},
			{ID: models.NewID(), Fact: "5+5", Correct: true, ResponseMS: 900, At: now},
		},
	}
	receipt, err := store.Sessions.Submit(ctx, session) // answers, mastery, XP, coins, league: one commit
	if err != nil {
		log.Fatal(err)
	}
	again, err := store.Sessions.Submit(ctx, session) // a retry is safe: it returns the first receipt
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d of %d right: %d XP, %d coins\n", receipt.CorrectCount, receipt.TotalCount, receipt.XPEarned, receipt.CoinsEarned)
	fmt.Println("booked again:", !again.Repeated)
	// Output:
	// 2 of 3 right: 6 XP, 3 coins
	// booked again: false
}

// An application with models of its own drops in hooks alone; its code stays
// as it is.
func Example_hooksOnly() {
	dir, remove := tempDir()
	defer remove()
	type Note struct {
		ID   uint
		Text string
	}

	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "notes.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	plugin := hooks.New(hooks.Config{Durability: hooks.Safe})
	if err := db.Use(plugin); err != nil {
		log.Fatal(err)
	}
	defer plugin.Close()

	if err := db.AutoMigrate(&Note{}); err != nil {
		log.Fatal(err)
	}
	db.Create(&Note{Text: "nothing lost"})
	var note Note
	db.First(&note)
	fmt.Println(note.Text)
	// Output: nothing lost
}

// A purchase and the application's own row commit together, or not at all.
func Example_storeIn() {
	dir, remove := tempDir()
	defer remove()
	ctx := context.Background()
	type Delivery struct {
		ID   uint
		Item string
	}

	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "flashmath.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	store := storage.New(storage.Config{TablePrefix: "fm_"}) // beside tables of its own
	if err := db.Use(store); err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	if err := db.AutoMigrate(&Delivery{}); err != nil {
		log.Fatal(err)
	}
	ada, err := store.Users.Create(ctx, storage.NewUser{Name: "Ada"}) // begins with 100 coins
	if err != nil {
		log.Fatal(err)
	}
	crown, err := store.Shop.Put(ctx, models.ShopItem{Slug: "crown", Name: "Crown", Slot: "head", Price: 250, Active: true})
	if err != nil {
		log.Fatal(err)
	}

	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		if err := tx.Create(&Delivery{Item: crown.Slug}).Error; err != nil {
			return err
		}
		_, err := store.In(tx).Shop.Purchase(ctx, ada.ID, crown.ID, models.NewID())
		return err
	})

	var short *storage.InsufficientFundsError
	fmt.Println(errors.As(err, &short), err)
	var deliveries int64
	db.Model(&Delivery{}).Count(&deliveries)
	fmt.Println("deliveries:", deliveries)
	// Output:
	// true not enough coins: have 100, need 250
	// deliveries: 0
}

// A backup is taken while writers go on.
func Example_backup() {
	dir, remove := tempDir()
	defer remove()
	ctx := context.Background()
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "flashmath.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	store := storage.New(storage.Config{})
	if err := db.Use(store); err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	if _, err := maintenance.Backup(ctx, db, filepath.Join(dir, "backup.db")); err != nil {
		log.Fatal(err)
	}
	report, err := maintenance.Check(ctx, db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sound:", report.OK())
	// Output: sound: true
}

// A read-only transaction sees one moment of the database and waits for
// nobody; the world is told of a commit after it, and only of a commit.
func Example_transaction() {
	dir, remove := tempDir()
	defer remove()
	ctx := context.Background()
	type Account struct {
		ID      uint
		Balance int
	}
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "bank.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	plugin := hooks.New(hooks.Config{})
	if err := db.Use(plugin); err != nil {
		log.Fatal(err)
	}
	defer plugin.Close()
	if err := db.AutoMigrate(&Account{}); err != nil {
		log.Fatal(err)
	}

	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		if err := tx.Create([]Account{{Balance: 70}, {Balance: 30}}).Error; err != nil {
			return err
		}
		return hooks.AfterCommit(tx, func() { fmt.Println("told after the commit") })
	})
	if err != nil {
		log.Fatal(err)
	}

	var accounts, total int64
	err = hooks.Transaction(ctx, db, func(tx *gorm.DB) error {
		if err := tx.Model(&Account{}).Count(&accounts).Error; err != nil {
			return err
		}
		// Whatever others commit in between, both are of the same moment.
		return tx.Model(&Account{}).Select("sum(balance)").Scan(&total).Error
	}, &sql.TxOptions{ReadOnly: true})
	fmt.Println(accounts, total, err)
	// Output:
	// told after the commit
	// 2 100 <nil>
}
