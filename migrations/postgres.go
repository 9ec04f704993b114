package migrations

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"regexp"

	"gorm.io/gorm"
)

var postgresDialect = dialect{
	name: "postgres",
	versionTable: `
CREATE TABLE {schema_migrations} (
    version    text   COLLATE "C" NOT NULL PRIMARY KEY,
    applied_at bigint NOT NULL DEFAULT floor(extract(epoch FROM clock_timestamp()) * 1000)
);
`,
	// One moment for all queries of a look, which may be at a standby.
	reading: &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	// What others committed while this one waited for the lock must be seen,
	// whatever the database's default is.
	writing:     &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	lock:        lockAdvisory,
	longestName: 63,
	// Names without a schema are made in the first one of the search path, and
	// what lies further back is another's. information_schema would hide what
	// this role may not read.
	columns: `
SELECT c.relname AS name, coalesce(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), 'no columns') AS column_name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname IN ?`,
	made: madeByText,
}

// lockAdvisory waits for the runs of other processes. PostgreSQL gives the
// lock free with the transaction, however that ends.
func lockAdvisory(tx *gorm.DB, prefix string) error {
	sum := sha256.Sum256([]byte("github.com/flashstore/flashstore/migrations " + prefix))
	key := int64(binary.BigEndian.Uint64(sum[:]))
	if err := tx.Exec("SELECT pg_advisory_xact_lock(?)", key).Error; err != nil {
		return fmt.Errorf("wait for other runs of migrations: %w", err)
	}
	return nil
}

const typeText = `bigint|boolean|bytea|double precision|numeric\(\d+,\d+\)|text|uuid`

var (
	tableText  = regexp.MustCompile(`(?s)CREATE TABLE \{(\w+)\} \(\n(.*?)\n\)`)
	columnText = regexp.MustCompile(`(?m)^    (\w+) +(` + typeText + `)[ ,]?`)
	addedText  = regexp.MustCompile(`(?m)^ALTER TABLE \{(\w+)\} ADD COLUMN (\w+) +(` + typeText + `)[ ;]`)
)

// madeByText reads the tables off the scripts' text: there is no database in
// memory to run them on, and a look must not write. A script that goes beyond
// CREATE TABLE and ALTER TABLE … ADD COLUMN is to be understood here first:
// until then Check refuses what Up has made.
func madeByText(_ *dialect, scripts []string, prefix string) (map[string]string, error) {
	columns := map[string][]string{}
	for _, script := range scripts {
		for _, table := range tableText.FindAllStringSubmatch(script, -1) {
			name := prefix + table[1]
			for _, column := range columnText.FindAllStringSubmatch(table[2], -1) {
				columns[name] = append(columns[name], column[1]+" "+column[2])
			}
		}
		for _, added := range addedText.FindAllStringSubmatch(script, -1) {
			columns[prefix+added[1]] = append(columns[prefix+added[1]], added[2]+" "+added[3])
		}
	}
	return inOneText(columns), nil
}
