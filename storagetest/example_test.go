package storagetest_test

import (
	"context"
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/storagetest"
)

// openNew opens a new database as the application does, with its own settings,
// callbacks and plugins, and closes it with the test.
func openNew(t *testing.T) *gorm.DB {
	db, err := gorm.Open(sqlite.Open(filepath.Join(t.TempDir(), "app.db")), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	return db
}

// In an application's own tests, TestStorage says that the store keeps its
// promises there.
func ExampleExercise() {
	TestStorage := func(t *testing.T) {
		storagetest.Exercise(t, openNew)
	}
	_ = TestStorage
}

// A user's change of name is interrupted at each of its statements.
func ExampleCrashPoints() {
	TestRename := func(t *testing.T) {
		var friend models.User
		storagetest.CrashPoints(t, openNew, storagetest.Operation{
			Prepare: func(ctx context.Context, s *storage.Store) (err error) {
				friend, err = s.Users.Create(ctx, storage.NewUser{UID: "friend"})
				return err
			},
			Do: func(ctx context.Context, s *storage.Store) error {
				name := "Best Friend"
				_, err := s.Users.Update(ctx, friend.ID, storage.UserUpdate{Name: &name})
				return err
			},
		})
	}
	_ = TestRename
}
