package maintenance_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func mustCheck(tb testing.TB, db *gorm.DB) maintenance.Report {
	tb.Helper()
	report, err := maintenance.Check(tb.Context(), db)
	if err != nil {
		tb.Fatal(err)
	}
	return report
}

// T13: all rows of both pragmas are read.
func TestCheck(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		t.Run("OK", func(t *testing.T) {
			path := tempFile(t)
			db := open(path)
			mustFill(t, db, 100)
			before := hashes(t, path)
			if got := mustCheck(t, db); !got.OK() || len(got.Integrity) != 0 || len(got.ForeignKeys) != 0 {
				t.Fatalf("got %+v", got)
			}
			if hashes(t, path) != before {
				t.Fatal("the database's file or its log has changed")
			}
		})
		t.Run("ForeignKeys", func(t *testing.T) {
			db := open(tempFile(t))
			mustPlantViolations(t, db)
			got := mustCheck(t, db)
			slices.SortStableFunc(got.ForeignKeys, func(a, b maintenance.ForeignKeyViolation) int {
				return strings.Compare(a.Table, b.Table)
			})
			row := func(id int64) *int64 { return &id }
			want := []maintenance.ForeignKeyViolation{
				{Table: "members", RowID: row(7), Parent: "leagues", Constraint: 0},
				{Table: "members", RowID: row(9), Parent: "leagues", Constraint: 0},
				{Table: "seats", RowID: nil, Parent: "leagues", Constraint: 0},
			}
			if diff := cmp.Diff(want, got.ForeignKeys); diff != "" || got.OK() || len(got.Integrity) != 0 {
				t.Fatalf("%s\n%+v", diff, got)
			}
			const line = "row 7 of members refers to a row of leagues that does not exist (constraint 0 of PRAGMA foreign_key_list)"
			if got := got.ForeignKeys[0].String(); got != line {
				t.Errorf("got %q", got)
			}
		})
		t.Run("DamagedPage", func(t *testing.T) {
			path := tempFile(t)
			mustDamage(t, path, 4096*20)
			if got := mustCheck(t, open(path)); got.OK() || len(got.Integrity) == 0 {
				t.Fatalf("got %+v", got)
			}
		})
		t.Run("DamagedSchema", func(t *testing.T) {
			path := tempFile(t)
			db := open(path) // before the damage: the plugin would not open it
			mustDamage(t, path, 100)
			if got := mustCheck(t, db); got.OK() || len(got.Integrity) != 1 {
				t.Fatalf("got %+v", got)
			}
		})
	})
}

// mustPlantViolations stores rows that refer to leagues that do not exist.
func mustPlantViolations(tb testing.TB, db *gorm.DB) {
	tb.Helper()
	mustExec(tb, db,
		"CREATE TABLE leagues (id INTEGER PRIMARY KEY)",
		"CREATE TABLE members (id INTEGER PRIMARY KEY, league INTEGER REFERENCES leagues (id))",
		"CREATE TABLE seats (name TEXT PRIMARY KEY, league INTEGER REFERENCES leagues (id)) WITHOUT ROWID",
		"INSERT INTO leagues VALUES (1)")
	conn := mustConn(tb, db)
	mustConnExec(tb, conn,
		"PRAGMA foreign_keys=OFF",
		"INSERT INTO members VALUES (7, 3), (8, 1), (9, 4)",
		"INSERT INTO seats VALUES ('window', 5), ('door', 1)",
		"PRAGMA foreign_keys=ON")
	if err := conn.Close(); err != nil {
		tb.Fatal(err)
	}
}

// mustDamage puts a healthy database's content, with a page's length of it
// overwritten from offset on, at path.
func mustDamage(tb testing.TB, path string, offset int) {
	tb.Helper()
	from := tempFile(tb)
	db := mustOpen(tb, sqlite.Open(from), gorm.Config{})
	mustFill(tb, db, 100)
	mustExec(tb, db, "CREATE INDEX debits_body ON debits (body)")
	content, err := os.ReadFile(from)
	if err != nil {
		tb.Fatal(err)
	}
	copy(content[offset:], bytes.Repeat([]byte{0xA5}, 3000))
	mustWriteFile(tb, path, string(content))
}

func TestCheckFindings(t *testing.T) {
	whats := func(report maintenance.Report) []string {
		var found []string
		for _, finding := range report.Findings {
			if finding.Kind == hooks.FindingFreeSpace || finding.Kind == hooks.FindingFileSystem {
				continue // the machine's own affair
			}
			found = append(found, finding.What)
			if finding.Why == "" || finding.Do == "" || finding.String() == "" {
				t.Errorf("a finding that does not say what to do: %+v", finding)
			}
		}
		return found
	}
	careless := mustOpen(t, sqlite.Open(tempFile(t)+"?_synchronous=OFF"), gorm.Config{})
	mustFill(t, careless, 1)
	for _, test := range []struct {
		name string
		db   *gorm.DB
		want []string
	}{
		{"hooks", mustOpenHooks(t, tempFile(t)), nil},
		{"memory with hooks", mustOpenMemory(t, newPlugin()), nil},
		{"plain memory", mustOpenMemory(t), []string{"foreign_keys is off on connections of db.DB()"}},
		{"careless", careless, []string{
			"foreign_keys is off on connections of db.DB()",
			`journal_mode is "delete"`,
			"synchronous is OFF on connections of db.DB()",
			"auto_vacuum is off",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := mustCheck(t, test.db)
			if diff := cmp.Diff(test.want, whats(report)); diff != "" {
				t.Error(diff)
			}
			if !report.OK() {
				t.Error("findings count for OK")
			}
		})
	}
}
