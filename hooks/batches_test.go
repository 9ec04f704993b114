package hooks_test

import (
	"strings"
	"testing"

	"gorm.io/gorm"
)

// tooMany is more rows than one statement can bind.
const tooMany = 20_000

func manyItems() []item {
	items := make([]item, tooMany)
	for i := range items {
		items[i].N = int64(i)
	}
	return items
}

func TestT26_BatchesAreCutToFit(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		db, _ := newPlainItems(t, "")
		items := manyItems()
		if err := db.Create(&items).Error; err == nil || !strings.Contains(err.Error(), "too many SQL variables") {
			t.Fatalf("got error %v; the harm that this test is about is gone", err)
		}
	})
	for name, change := range map[string]gorm.Session{"hooks": {}, "hooks, no default transaction": {SkipDefaultTransaction: true}} {
		t.Run(name, func(t *testing.T) {
			db, _ := newItems(t)
			db = db.Session(&change)
			items := manyItems()
			told := gorm.WithResult()
			result := db.Clauses(told).Create(&items)
			must(t, result.Error)
			mustCount(t, db, tooMany)
			if result.RowsAffected != tooMany || told.RowsAffected != tooMany || items[tooMany-1].ID-items[0].ID != tooMany-1 {
				t.Errorf("%d rows, told of %d, ids %d to %d; want %d", result.RowsAffected, told.RowsAffected, items[0].ID, items[tooMany-1].ID, tooMany)
			}
			var last item
			must(t, db.Take(&last, items[tooMany-1].ID).Error)
			if last.N != tooMany-1 {
				t.Errorf("the last row is %+v", last)
			}

			// One row that breaks a rule takes all of them back.
			bad := manyItems()
			bad[tooMany-1].N = -1
			if db.Create(&bad).Error == nil {
				t.Fatal("want an error")
			}
			mustCount(t, db, tooMany)
			mustBeFree(t, db)
		})
	}
}
