package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/flashstore/flashstore/hooks"
	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"
)

// Report is what Check found.
type Report struct {
	// Integrity is what integrity_check says, at most 100 lines, and empty when
	// all is well. If SQLite cannot read the database at all, it is SQLite's
	// error.
	Integrity []string `json:"integrity"`
	// ForeignKeys are all rows that refer to a row that is not there.
	ForeignKeys []ForeignKeyViolation `json:"foreign_keys"`
	// Findings are what is dangerous or could be better about the settings, the
	// disk, the file system and the file's permissions, and who else has the
	// database open. OK ignores them.
	Findings []Finding `json:"findings"`
}

// OK reports whether the data is sound.
func (r Report) OK() bool { return len(r.Integrity) == 0 && len(r.ForeignKeys) == 0 }

// ForeignKeyViolation is a row whose foreign key refers to no row.
type ForeignKeyViolation struct {
	Table      string `json:"table"`
	RowID      *int64 `json:"row_id"` // nil in a table WITHOUT ROWID
	Parent     string `json:"parent"` // the table referred to
	Constraint int    `json:"constraint"`
}

// String says it in a line.
func (v ForeignKeyViolation) String() string {
	row := "a row"
	if v.RowID != nil {
		row = fmt.Sprintf("row %d", *v.RowID)
	}
	return fmt.Sprintf("%s of %s refers to a row of %s that does not exist (constraint %d of PRAGMA foreign_key_list)",
		row, v.Table, v.Parent, v.Constraint)
}

// Check reads the whole database and reports what is wrong with its pages,
// indexes, constraints and foreign keys, and what its settings lack (T13). All
// of it is one snapshot, on a connection of its own. In WAL mode nobody waits
// for it, but no checkpoint gets past it either; in another mode writers wait.
//
// What it finds is in the Report; an error means that it could not look.
func Check(ctx context.Context, db *gorm.DB) (Report, error) {
	report := Report{Integrity: []string{}, ForeignKeys: []ForeignKeyViolation{}, Findings: []Finding{}} // [] in JSON
	err := onOwn(ctx, db, func(conn *sql.Conn) error {
		return inTransaction(ctx, conn, beginRead, func() error { return report.read(ctx, db, conn) })
	})
	if err != nil && !report.takeDamage(err) {
		return Report{}, fmt.Errorf("check the database: %w", err)
	}
	return report, nil
}

func (r *Report) read(ctx context.Context, db *gorm.DB, conn *sql.Conn) (err error) {
	found, err := hooks.Examine(ctx, db, conn)
	if err != nil {
		return err
	}
	r.Findings = found
	if r.Integrity, err = readIntegrity(ctx, conn, "integrity_check"); err != nil {
		return err
	}
	r.ForeignKeys, err = readForeignKeys(ctx, conn)
	return err
}

// takeDamage takes an error that says that the database cannot be read: it is
// an answer to what Check was asked.
func (r *Report) takeDamage(err error) bool {
	if !isDamage(err) {
		return false
	}
	r.Integrity = append(r.Integrity, err.Error())
	return true
}

// isDamage reports whether SQLite could not make sense of a file.
func isDamage(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.Code == sqlite3.ErrCorrupt || se.Code == sqlite3.ErrNotADB)
}

// readIntegrity runs integrity_check or quick_check and returns what it says
// if that is not "ok".
func readIntegrity(ctx context.Context, conn *sql.Conn, pragma string) ([]string, error) {
	lines := []string{}
	err := eachRow(ctx, conn, "PRAGMA "+pragma, func(rows *sql.Rows) error {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			lines = append(lines, line)
		}
		return nil
	})
	return lines, err
}

func readForeignKeys(ctx context.Context, conn *sql.Conn) ([]ForeignKeyViolation, error) {
	found := []ForeignKeyViolation{}
	err := eachRow(ctx, conn, "PRAGMA foreign_key_check", func(rows *sql.Rows) error {
		var v ForeignKeyViolation
		if err := rows.Scan(&v.Table, &v.RowID, &v.Parent, &v.Constraint); err != nil {
			return err
		}
		found = append(found, v)
		return nil
	})
	return found, err
}
