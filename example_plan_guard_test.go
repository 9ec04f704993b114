package flashstore_test

import (
	"fmt"
	"log"
	"path/filepath"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// printer stands where a test's *testing.T would.
type printer struct{ ended []func() }

func (p *printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (p *printer) Cleanup(fn func())                 { p.ended = append(p.ended, fn) }

// A test of the application puts a guard on its database; the first statement
// that reads a whole table fails it, and the failure names the index.
func ExamplePlanGuard() {
	dir, remove := tempDir()
	defer remove()
	t := &printer{} // in a test: func TestOrders(t *testing.T)
	type Order struct {
		ID       uint
		Customer string
		Total    int
	}

	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "orders.db")), &gorm.Config{})
	if err != nil {
		log.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	guard := hooks.NewPlanGuard(t, hooks.PlanGuardConfig{
		MinRows: 50, // a table of 50 rows may be read whole
		Allow:   []hooks.PlanException{{SQL: "sum(total)", Reason: "the yearly report reads everything"}},
	})
	if err := db.Use(guard); err != nil {
		log.Fatal(err)
	}
	if err := db.AutoMigrate(&Order{}); err != nil {
		log.Fatal(err)
	}
	db.Create(make([]Order, 51))

	var sum int
	db.Model(&Order{}).Select("sum(total)").Scan(&sum)

	var orders []Order
	db.Where("customer = ?", "ada").Order("total DESC").Find(&orders)
	// Output:
	// plan guard: this statement does more work than it needs to
	//     SELECT * FROM `orders` WHERE customer = ? ORDER BY total DESC
	//   its plan:
	//     SCAN orders
	//     USE TEMP B-TREE FOR ORDER BY
	//   what is wrong:
	//     SCAN orders: it reads all of orders, which has more than 50 rows
	//     USE TEMP B-TREE FOR ORDER BY: it sorts the rows by hand, all of them before the first one comes out
	//   an index that helps, tried on an empty copy of the schema:
	//     CREATE INDEX idx_orders_customer_total ON orders (customer, total);
	//   or say why it is good enough: hooks.PlanGuardConfig.Allow, db.Clauses(hooks.AllowPlan("…"))
}
