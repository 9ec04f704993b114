package transfer

import (
	"path/filepath"
	"slices"
	"testing"

	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/google/go-cmp/cmp"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/migrations"
)

// Every table and every column that the migrations make is copied, and what
// others refer to comes before them.
func TestEveryTable(t *testing.T) {
	for name, engine := range map[string]struct {
		open                          func() gorm.Dialector
		tables, columns, keys, refers string
	}{
		"SQLite": {
			func() gorm.Dialector { return sqlite.Open(filepath.Join(t.TempDir(), "flashmath.db")) },
			"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN ('schema_migrations', 'archive_files')",
			"SELECT name FROM pragma_table_info(?)",
			"SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk",
			`SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`,
		},
		"PostgreSQL": {
			func() gorm.Dialector { return postgres.Open(pgtest.Server(t).Database(t)) },
			"SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT IN ('schema_migrations', 'answer_archive')",
			"SELECT attname FROM pg_attribute WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped",
			"SELECT column_name FROM information_schema.key_column_usage WHERE constraint_name = ? || '_pkey' ORDER BY ordinal_position",
			"SELECT DISTINCT confrelid::regclass::text FROM pg_constraint WHERE contype = 'f' AND conrelid = ?::regclass",
		},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := gorm.Open(engine.open(), &gorm.Config{Logger: logger.Discard})
			if err != nil {
				t.Fatal(err)
			}
			pool, _ := db.DB()
			defer pool.Close()
			if _, err := migrations.Up(t.Context(), db, migrations.Config{}); err != nil {
				t.Fatal(err)
			}
			ask := func(query string, args ...any) (list []string) {
				if err := db.Raw(query, args...).Scan(&list).Error; err != nil {
					t.Fatal(err)
				}
				return list
			}
			all, err := tables("")
			if err != nil {
				t.Fatal(err)
			}
			var listed []string
			for _, table := range all {
				if diff := cmp.Diff(ask(engine.keys, table.name), names(table.key())); diff != "" {
					t.Errorf("key of %s (-there +copied)\n%s", table.name, diff)
				}
				there, copied := ask(engine.columns, table.name), names(table.columns)
				slices.Sort(there)
				slices.Sort(copied)
				if diff := cmp.Diff(there, copied); diff != "" {
					t.Errorf("columns of %s (-there +copied)\n%s", table.name, diff)
				}
				for _, other := range ask(engine.refers, table.name) {
					if !slices.Contains(listed, other) {
						t.Errorf("%s comes before %s", table.name, other)
					}
				}
				listed = append(listed, table.name)
			}
			there := ask(engine.tables)
			// What databases work out by themselves from the participants.
			there = slices.DeleteFunc(there, func(name string) bool { return name == "board_ranges" || name == "board_moves" })
			slices.Sort(there)
			slices.Sort(listed)
			if diff := cmp.Diff(there, listed); diff != "" {
				t.Errorf("tables (-there +copied)\n%s", diff)
			}
		})
	}
}
