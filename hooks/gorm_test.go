package hooks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/flashstore/flashstore/hooks"
)

// These tests hold what applications do with GORM, on the plugin's connections
// and with the store of prepared statements on: the worst of both.

type owner struct {
	ID   int64
	Name string
	Pets []pet
}

type pet struct {
	ID      int64
	OwnerID int64
	Name    string
}

// newOwners returns a database of n owners with two pets each.
func newOwners(tb testing.TB, n int) *gorm.DB {
	tb.Helper()
	db := openHooks(tb, newPath(tb), hooks.Config{}, prepared())
	must(tb, db.AutoMigrate(&owner{}, &pet{}))
	var owners []owner
	for i := range n {
		name := fmt.Sprintf("owner %d", i)
		owners = append(owners, owner{Name: name, Pets: []pet{{Name: "cat of " + name}, {Name: "dog of " + name}}})
	}
	must(tb, db.Create(&owners).Error)
	return db
}

func mustCountRows(tb testing.TB, db *gorm.DB, model any, want int64) {
	tb.Helper()
	var got int64
	must(tb, db.Model(model).Count(&got).Error)
	if got != want {
		tb.Fatalf("there are %d rows of %T, want %d", got, model, want)
	}
}

func TestPreload(t *testing.T) {
	db := newOwners(t, 10)
	for name, db := range map[string]*gorm.DB{"outside": db, "in a transaction": mustBegin(t, db)} {
		var owners []owner
		must(t, db.Preload("Pets").Order("id").Find(&owners).Error)
		pets := 0
		for _, owner := range owners {
			pets += len(owner.Pets)
		}
		if len(owners) != 10 || pets != 20 {
			t.Fatalf("%s: %d owners with %d pets, want 10 with 20", name, len(owners), pets)
		}
	}
}

// While rows are read, others are asked for, and written.
func TestRowsWithStatementsInBetween(t *testing.T) {
	db := newOwners(t, 10)
	rows, err := db.Model(&owner{}).Order("id").Rows()
	must(t, err)
	defer func() { must(t, rows.Close()) }()
	patient := db.WithContext(within(t, hang))
	for rows.Next() {
		var one owner
		must(t, db.ScanRows(rows, &one))
		var first pet
		must(t, patient.Where("owner_id = ?", one.ID).First(&first).Error)
		must(t, patient.Create(&pet{OwnerID: one.ID, Name: "brother of " + first.Name}).Error)
	}
	must(t, rows.Err())
	mustCountRows(t, db, &pet{}, 30)
}

func TestFindInBatches(t *testing.T) {
	db := newOwners(t, 10)
	for name, in := range map[string]func(fn func(db *gorm.DB) error) error{
		"outside":          func(fn func(db *gorm.DB) error) error { return fn(db) },
		"in a transaction": func(fn func(db *gorm.DB) error) error { return db.Transaction(fn) },
	} {
		must(t, in(func(db *gorm.DB) error {
			var batch []owner
			return db.FindInBatches(&batch, 3, func(tx *gorm.DB, _ int) error {
				for i := range batch {
					batch[i].Name = name
				}
				return tx.Save(&batch).Error
			}).Error
		}))
		var renamed int64
		must(t, db.Model(&owner{}).Where("name = ?", name).Count(&renamed).Error)
		if renamed != 10 {
			t.Fatalf("%s: %d owners are renamed, want 10", name, renamed)
		}
	}
}

func TestGenerics(t *testing.T) {
	ctx := context.Background()
	db := newOwners(t, 3)
	must(t, gorm.G[owner](db).Create(ctx, &owner{Name: "new"}))
	got, err := gorm.G[owner](db).Where("name = ?", "new").First(ctx)
	must(t, err)
	changed, err := gorm.G[owner](db).Where("id = ?", got.ID).Update(ctx, "name", "newer")
	must(t, err)
	deleted, err := gorm.G[pet](db).Where("owner_id = ?", 1).Delete(ctx)
	must(t, err)
	if changed != 1 || deleted != 2 {
		t.Fatalf("%d rows changed and %d deleted, want 1 and 2", changed, deleted)
	}
	names, err := gorm.G[string](db).Raw("UPDATE owners SET name = upper(name) RETURNING name").Find(ctx)
	must(t, err)
	if len(names) != 4 {
		t.Fatalf("%d names were returned, want 4", len(names))
	}
	no := errors.New("no")
	mustBe(t, db.Transaction(func(tx *gorm.DB) error {
		must(t, gorm.G[owner](tx).Create(ctx, &owner{Name: "undone"}))
		return no
	}), no)
	mustCountRows(t, db, &owner{}, 4)
}

func TestClauses(t *testing.T) {
	db := newOwners(t, 3)
	var renamed []owner
	must(t, db.Model(&renamed).Clauses(clause.Returning{}).Where("id > 1").Update("name", "same").Error)
	if len(renamed) != 2 || renamed[0].Name != "same" {
		t.Fatalf("it returned %v", renamed)
	}
	again := owner{ID: 1, Name: "again"}
	must(t, db.Clauses(clause.OnConflict{UpdateAll: true}).Create(&again).Error)
	must(t, db.Clauses(clause.Locking{Strength: "UPDATE"}).First(&again, 1).Error)
	if again.Name != "again" {
		t.Fatalf("it is called %q", again.Name)
	}
	mustCountRows(t, db, &owner{}, 3)
}

func TestMigrator(t *testing.T) {
	db := newOwners(t, 1)
	migrator := db.Migrator()
	if !migrator.HasTable(&owner{}) || !migrator.HasColumn(&owner{}, "name") || migrator.HasTable("nowhere") {
		t.Fatal("the migrator does not know what there is")
	}
	columns, err := migrator.ColumnTypes(&pet{})
	must(t, err)
	if len(columns) != 3 {
		t.Fatalf("there are %d columns, want 3", len(columns))
	}
	must(t, migrator.DropTable(&pet{}))
	if migrator.HasTable(&pet{}) {
		t.Fatal("the table is still there")
	}
	must(t, db.AutoMigrate(&pet{}))
	mustHavePragmas(t, "writer", mustBegin(t, db), seedPragmas, "0") // the migrator switches foreign keys
}

// S7: a child without its parent is refused, and children go with their parent.
func TestForeignKeys(t *testing.T) {
	db := newOwners(t, 2)
	err := db.Create(&pet{OwnerID: 99, Name: "stray"}).Error
	if err == nil {
		t.Fatal("a pet without an owner is stored")
	}
	mustCountRows(t, db, &pet{}, 4)
}

// GORM's handles are for many goroutines, sessions and all.
func TestManyGoroutines(t *testing.T) { // S24
	const goroutines = 64
	db := newOwners(t, 1)
	must(t, atOnce(goroutines, func(i int) error {
		session := db.Session(&gorm.Session{PrepareStmt: i%2 == 0, SkipDefaultTransaction: i%3 == 0})
		if err := session.Create(&pet{OwnerID: 1, Name: fmt.Sprint(i)}).Error; err != nil {
			return err
		}
		return session.Preload("Pets").First(&owner{}, 1).Error
	}))
	mustCountRows(t, db, &pet{}, 2+goroutines)
}
