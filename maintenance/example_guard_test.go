package maintenance_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
)

// A guardian runs as long as the application does, and is stopped before the
// database is closed.
func ExampleGuard() {
	dir, err := os.MkdirTemp("", "flashstore")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	type Note struct {
		ID   uint
		Text string
	}

	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "notes.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	plugin := hooks.New(hooks.Config{})
	if err := db.Use(plugin); err != nil {
		log.Fatal(err)
	}
	defer plugin.Close()
	guardian, err := maintenance.Guard(db, maintenance.GuardConfig{HardLimit: 512 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer guardian.Stop()

	if err := db.AutoMigrate(&Note{}); err != nil {
		log.Fatal(err)
	}
	err = db.Create(&Note{Text: "nothing lost"}).Error
	var full *maintenance.WALFullError
	fmt.Println("refused:", errors.As(err, &full))
	// Output: refused: false
}
