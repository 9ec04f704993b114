package storage

import (
	"database/sql"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// scanRows runs a query and reads its rows by hand, or returns nil where there
// are none. GORM still builds and runs it, with its loggers, callbacks and
// routes; but its Scan finds every field of every row by reflection, which
// takes longer than SQLite needs for a page. A query that is read here names
// its columns: scan takes them by their position. expected is how many rows
// to make room for; there may be more.
func scanRows[T any](tx *gorm.DB, expected int, scan func(*sql.Rows, *T) error) (list []T, err error) {
	err = eachRow(tx, func(rows *sql.Rows) error {
		if list == nil {
			list = make([]T, 0, expected)
		}
		list = append(list, *new(T)) // and read in its place: a variable would be one more allocation
		return scan(rows, &list[len(list)-1])
	})
	if err != nil {
		return nil, err // some of the rows are missing
	}
	return list, nil
}

// eachRow runs a query and hands on its rows one at a time, so that what it
// needs does not grow with them. scan must not ask the database: on PostgreSQL
// the connection is busy with the rows.
func eachRow(tx *gorm.DB, scan func(*sql.Rows) error) (err error) {
	rows, err := tx.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err() // what ended the rows early, or nil
}

// expectedRows is how many rows to make room for where up to limit may come:
// few ask for long pages, and fewer have them.
func expectedRows(limit int) int { return min(limit, 2*defaultPage) }

// millis reads a time from milliseconds since 1970, as the models'
// flashstore_millis does. The driver's error names the column.
type millis time.Time

// Scan is called by database/sql.
func (m *millis) Scan(value any) error {
	ms, ok := value.(int64)
	if !ok {
		return fmt.Errorf("%v of type %T is not a time in milliseconds since 1970", value, value)
	}
	*m = millis(time.UnixMilli(ms).UTC())
	return nil
}
