package flashstore_test

import (
	"context"
	"fmt"
	"log"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// Answers of last year go to a file of their own and stay a part of the log;
// those that nobody can give are set aside; names are found.
func Example_archive() {
	dir, remove := tempDir()
	defer remove()
	ctx := context.Background()
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "flashmath.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	rules := storage.DefaultRules()
	rules.Plausibility.FloorMS = 150
	now := time.Now()
	store := storage.New(storage.Config{
		Archive: filepath.Join(dir, "old.db"), Rules: &rules,
		Now: func() time.Time { return now },
	})
	if err := db.Use(store); err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	ada, err := store.Users.Create(ctx, storage.NewUser{Name: "Ada Lovelace"})
	if err != nil {
		log.Fatal(err)
	}

	answer := func(ms int64) storage.SingleAnswer {
		return storage.SingleAnswer{Operation: "addition", Answer: storage.Answer{
			ID: models.NewID(), Fact: "8+7", Correct: true, ResponseMS: ms, At: now,
		}}
	}
	booked, err := store.Answers.Append(ctx, ada.ID, answer(1400), answer(20))
	if err != nil {
		log.Fatal(err)
	}
	now = now.AddDate(1, 0, 0) // a year later
	moved, err := store.Answers.Archive(ctx, now.AddDate(0, -6, 0))
	if err != nil {
		log.Fatal(err)
	}
	logged, err := store.Answers.Recent(ctx, ada.ID, 0)
	if err != nil {
		log.Fatal(err)
	}
	all, err := store.Answers.Recent(ctx, ada.ID, 0, storage.WithArchived())
	if err != nil {
		log.Fatal(err)
	}
	found, err := store.Users.Search(ctx, "ada", 0)
	if err != nil {
		log.Fatal(err)
	}
	health, err := store.Doctor(ctx)
	fmt.Println("booked:", booked.Booked, "set aside:", booked.SetAside, "moved:", moved.Answers)
	fmt.Println("in the log:", len(logged), "with the archive:", len(all), "found:", len(found))
	fmt.Println(health, err)

	// Backups of which newer ones are enough go.
	thinned, err := maintenance.Thin(filepath.Join(dir, "backup-*.db"), maintenance.ThinConfig{Latest: 7, Weekly: 4})
	fmt.Println("removed:", len(thinned.Removed), err)
	// Output:
	// booked: 1 set aside: 1 moved: 1
	// in the log: 0 with the archive: 1 found: 1
	// 1 users: all is well <nil>
	// removed: 0 <nil>
}
