package storage

import (
	"context"
	"fmt"
	"testing"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
)

// BenchmarkSearch looks for users among 100,000, by beginnings everywhere and by
// words as well where SQLite has FTS5 (-tags sqlite_fts5). A letter fills its
// page by beginnings; a word's beginning that no name begins with makes FTS5
// rank all matches.
func BenchmarkSearch(b *testing.B) {
	const users = 100_000
	store := openNames(b, users)
	for _, test := range []struct{ name, text string }{
		{"letter", "f"},
		{"name", "first12 last"},
		{"word", "last1234"},
		{"words", "last1234 first"},
		{"1,000 matches", "last12"},
		{"all match", "l"},
		{"nothing", "nobody"},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := store.Users.Search(context.Background(), test.text, 20); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("after a change", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprintf("Renamed last%d", i)
			if _, err := store.Users.Update(context.Background(), int64(i%users+1), UserUpdate{Name: &name}); err != nil {
				b.Fatal(err)
			}
			if _, err := store.Users.Search(context.Background(), "last1234", 20); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSearchIndex makes the index of the words of 100,000 names, as the
// first start with FTS5 does.
func BenchmarkSearchIndex(b *testing.B) {
	store := openNames(b, 100_000)
	if store.engine.words == nil {
		b.Skip("SQLite has no FTS5 here: go test -tags sqlite_fts5")
	}
	for b.Loop() {
		// A part that is missing makes it anew.
		if err := store.engine.db.Exec("DROP TRIGGER trg_search_users_update").Error; err != nil {
			b.Fatal(err)
		}
		if err := store.engine.openWords(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// openNames opens a store with so many users, each with one of 1,000 first names
// and one of 7,919 last ones.
func openNames(b *testing.B, users int) *Store {
	b.Helper()
	store, _ := openBenchmark(b, hooks.Balanced)
	rows := make([]models.User, users)
	for i := range rows {
		rows[i] = models.User{UID: fmt.Sprint("u", i), Name: fmt.Sprintf("First%d Last%d", i%1000, i%7919), Level: 1, LeagueID: lowestLeague}
	}
	err := store.engine.db.Transaction(func(tx *gorm.DB) error {
		return insert(store.engine.unit(tx).table(models.User{}), rows, userColumns)
	})
	if err == nil {
		err = store.engine.indexWords(context.Background())
	}
	if err != nil {
		b.Fatal(err)
	}
	return store
}
