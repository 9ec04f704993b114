package writequeue_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/writequeue"
)

// Visit is what the examples write.
type Visit struct {
	ID   int64
	Page string
}

// openVisits opens a new database with a table of visits.
func openVisits() (db *gorm.DB, closeAll func()) {
	folder, err := os.MkdirTemp("", "visits")
	check(err)
	db, err = gorm.Open(sqlite.Open(filepath.Join(folder, "app.db")), &gorm.Config{})
	check(err)
	check(db.Use(hooks.New(hooks.Config{})))
	check(db.AutoMigrate(&Visit{}))
	return db, func() {
		pool, err := db.DB()
		check(err)
		check(pool.Close())
		check(os.RemoveAll(folder))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func ExampleQueue_Do() {
	db, closeAll := openVisits()
	defer closeAll()
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()

	visit := Visit{Page: "/"}
	err := q.Do(context.Background(), func(tx *gorm.DB) error {
		return tx.Create(&visit).Error
	})
	fmt.Println(visit.ID, err)
	// Output: 1 <nil>
}

func ExampleBulk() {
	db, closeAll := openVisits()
	defer closeAll()
	q := writequeue.New(db, writequeue.Config{})
	defer q.Close()

	visits := writequeue.NewBulk(q, func(tx *gorm.DB, jobs []*writequeue.Job[string, int64]) error {
		rows := make([]Visit, len(jobs))
		for i, j := range jobs {
			rows[i].Page = j.In
		}
		if err := tx.Create(&rows).Error; err != nil {
			return err
		}
		for i, j := range jobs {
			j.Out = rows[i].ID
		}
		return nil
	})
	id, err := visits.Do(context.Background(), "/")
	fmt.Println(id, err)
	// Output: 1 <nil>
}
