package storage

import (
	"cmp"
	"slices"

	"gorm.io/gorm"
)

// maxVariables is the most that SQLite binds to one statement; more is cut into
// several (T26).
const maxVariables = 32766

// The rows of a page: by default, and at most.
const (
	defaultPage = 50
	maxPage     = 1000
)

// pageSize fills in a limit's default and refuses one that makes no sense.
func pageSize(field string, limit int) (int, error) {
	switch {
	case limit == 0:
		return defaultPage, nil
	case limit < 0 || limit > maxPage:
		return 0, invalid(field, "is %d: give 1 to %d, or 0 for %d", limit, maxPage, defaultPage)
	}
	return limit, nil
}

// first returns the first row of a query, or nil where there is none.
func first[T any](tx *gorm.DB) (*T, error) {
	var row T
	result := tx.Limit(1).Scan(&row)
	if result.Error != nil || result.RowsAffected == 0 {
		return nil, result.Error
	}
	return &row, nil
}

// insert writes rows in as few statements as their columns allow.
func insert[T any](tx *gorm.DB, rows []T, columns int) error {
	_, err := insertCounted(tx, rows, columns)
	return err
}

// insertCounted is insert, and says how many rows were written.
func insertCounted[T any](tx *gorm.DB, rows []T, columns int) (written int64, err error) {
	for batch := range slices.Chunk(rows, maxVariables/columns) {
		result := tx.Session(&gorm.Session{}).Create(&batch)
		if result.Error != nil {
			return written, result.Error
		}
		written += result.RowsAffected
	}
	return written, nil
}

// find runs a query with values in parts that one statement can bind and
// gathers the rows.
func find[T, V any](values []V, query func(part []V) *gorm.DB) ([]T, error) {
	return inParts(values, func(part []V) (rows []T, err error) {
		err = query(part).Scan(&rows).Error
		return rows, err
	})
}

// maxPart is how many values of a list one statement binds: there is room for a
// few more variables.
const maxPart = maxVariables - 16

// inParts reads with values in parts that one statement can bind and gathers
// the rows.
func inParts[T, V any](values []V, read func(part []V) ([]T, error)) ([]T, error) {
	var all []T
	for part := range slices.Chunk(values, maxPart) {
		rows, err := read(part)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// distinct returns values in order, each once.
func distinct[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// firstError does steps until one fails.
func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// deref returns what p points to, or the zero value.
func deref[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}
