package migrations

import (
	"database/sql"
	"regexp"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

var sqliteDialect = dialect{
	name: "sqlite",
	versionTable: `
CREATE TABLE {schema_migrations} (
    version    TEXT    NOT NULL PRIMARY KEY,
    applied_at INTEGER NOT NULL DEFAULT (CAST(unixepoch('subsec') * 1000 AS INTEGER))
) STRICT;
`,
	reading: &sql.TxOptions{ReadOnly: true},
	// The transaction has the write lock from its start: BEGIN IMMEDIATE.
	lock: func(*gorm.DB, string) error { return nil },
	// Only our names are asked for: the application may have virtual tables
	// whose module this program does not carry.
	columns: `
SELECT lower(m.name) AS name, c.name || ' ' || c.type AS column_name
FROM sqlite_master AS m
JOIN pragma_table_info(m.name) AS c
WHERE m.type IN ('table', 'view') AND lower(m.name) IN ?`,
	made: madeInMemory,
}

// madeInMemory runs the scripts on a database of its own and reads the tables
// off it.
func madeInMemory(d *dialect, scripts []string, prefix string) (map[string]string, error) {
	db, err := gorm.Open(sqlite.Open(":memory:"), &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	defer func() { _ = pool.Close() }()
	pool.SetMaxOpenConns(1)
	var names []string
	for _, script := range scripts {
		if err := run(db, script, prefix); err != nil {
			return nil, err
		}
		names = append(names, tableNames(script, prefix)...)
	}
	return d.tablesOf(db, names)
}

var createTable = regexp.MustCompile(`CREATE TABLE \{(\w+)\}`)

// tableNames returns the names of the tables that a script creates.
func tableNames(script, prefix string) []string {
	var names []string
	for _, match := range createTable.FindAllStringSubmatch(script, -1) {
		names = append(names, prefix+match[1])
	}
	return names
}
