package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ErrNoAutoVacuum means that a file cannot give back pages a few at a time.
var ErrNoAutoVacuum = errors.New("auto_vacuum is off in this file: " +
	"run maintenance.Vacuum (or: flashstore vacuum) once in a quiet hour")

// VacuumResult says what Vacuum did.
type VacuumResult struct {
	// BeforeBytes and AfterBytes are the database's size, page size times
	// page count.
	BeforeBytes int64 `json:"before_bytes"`
	AfterBytes  int64 `json:"after_bytes"`
	// Duration is the whole call's, with its wait for the writer.
	Duration time.Duration `json:"duration_ns"`
	// Checkpoint is what became of the log, which is as long as the database
	// after a VACUUM. Where it is busy, the file gets shorter, and the log
	// goes, with the next checkpoint that no reader is in the way of.
	Checkpoint CheckpointResult `json:"checkpoint"`
}

// Vacuum rewrites the whole database without its free pages, and then truncates
// the log (S58, T19). It sets a file whose auto_vacuum is off to INCREMENTAL,
// which no setting alone can do (S56, T2).
//
// It is for a quiet hour: nobody writes while it runs. It needs twice the
// database's size of free disk, or returns a *NoSpaceError and does nothing; a
// copy of the database is made in SQLite's temporary directory (see
// SQLITE_TMPDIR), the rest is beside the file. After an error the database is
// as it was, unless the result's AfterBytes are set: then only the log is left
// to truncate.
func Vacuum(ctx context.Context, db *gorm.DB) (VacuumResult, error) {
	start := time.Now()
	result, err := vacuum(ctx, db, freeSpace)
	if err != nil {
		err = fmt.Errorf("vacuum: %w", err)
	}
	result.Duration = time.Since(start)
	return result, err
}

func vacuum(ctx context.Context, db *gorm.DB, free freeSpaceFunc) (VacuumResult, error) {
	var before, after layout
	err := onWriter(ctx, db, func(conn *sql.Conn) (err error) {
		if before, err = readLayout(ctx, conn); err != nil {
			return err
		}
		if err := rewrite(ctx, conn, before, free); err != nil {
			return err
		}
		after, err = readLayout(ctx, conn)
		return err
	})
	if err != nil {
		return VacuumResult{}, err
	}
	// Not on the writer's connection: with the plugin it sets a busy timeout
	// of its own around each statement, and the bound would be lost.
	moved, err := Checkpoint(ctx, db, Truncate)
	if errors.Is(err, ErrNotWAL) {
		err = nil
	}
	return VacuumResult{BeforeBytes: before.bytes(), AfterBytes: after.bytes(), Checkpoint: moved}, err
}

// rewrite runs VACUUM on conn.
func rewrite(ctx context.Context, conn *sql.Conn, l layout, free freeSpaceFunc) error {
	if l.path != "" {
		if err := needSpace(free, l.path, 2*l.bytes()); err != nil {
			return err
		}
		giveBack, err := copyOnDisk(ctx, conn)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	if l.autoVacuum == autoVacuumNone {
		if err := setPragma(ctx, conn, "auto_vacuum", autoVacuumIncremental); err != nil {
			return err
		}
	}
	_, err := conn.ExecContext(ctx, "VACUUM")
	return err
}

const (
	tempTablesSQL   = `SELECT count(*) FROM temp.sqlite_schema`
	tempStoreOnDisk = 1
)

// copyOnDisk makes VACUUM build its copy in a file. With temp_store=MEMORY,
// which the plugin sets, the whole database would stand in memory. The switch
// drops the connection's temporary tables; one that has some is left as it is.
func copyOnDisk(ctx context.Context, conn *sql.Conn) (giveBack func(), err error) {
	var tables int
	if err := conn.QueryRowContext(ctx, tempTablesSQL).Scan(&tables); err != nil {
		return nil, fmt.Errorf("count temporary tables: %w", err)
	}
	if tables > 0 {
		return func() {}, nil
	}
	return borrowPragma(ctx, conn, "temp_store", tempStoreOnDisk)
}

// IncrementalVacuum takes up to pages pages off the free list and out of the
// database (S57), all of them if pages is 0 or less, and returns how many. It
// is one transaction of the writer, and others wait for it: 1000 pages are a
// good measure for a nightly call. In WAL mode the file gets shorter with the
// next checkpoint. For a file whose auto_vacuum is off it returns
// ErrNoAutoVacuum.
func IncrementalVacuum(ctx context.Context, db *gorm.DB, pages int) (freed int, err error) {
	err = onWriter(ctx, db, func(conn *sql.Conn) error {
		return inTransaction(ctx, conn, beginWrite, func() (err error) {
			freed, err = incrementalVacuum(ctx, conn, pages)
			return err
		})
	})
	if err != nil {
		return 0, fmt.Errorf("vacuum %d pages: %w", pages, err)
	}
	return freed, nil
}

func incrementalVacuum(ctx context.Context, conn *sql.Conn, pages int) (freed int, err error) {
	before, err := readLayout(ctx, conn)
	if err != nil {
		return 0, err
	}
	if before.autoVacuum == autoVacuumNone {
		return 0, ErrNoAutoVacuum
	}
	if err := readToEnd(ctx, conn, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", max(pages, 0))); err != nil {
		return 0, err
	}
	after, err := readLayout(ctx, conn)
	return int(before.pages - after.pages), err
}

// optimizeSQL is PRAGMA optimize with its default work (0xfffe), for every
// table (0x10000). By default it looks at tables that its own connection has
// queried, and an application reads on other connections than it writes on.
const optimizeSQL = "PRAGMA optimize=0x1fffe"

// Optimize renews the planner's statistics of those tables that have grown or
// shrunk a lot since they were taken last, on the connection that writes. It
// samples each index, and so is quick; run it each day, and after a large
// import.
func Optimize(ctx context.Context, db *gorm.DB) error {
	err := onWriter(ctx, db, func(conn *sql.Conn) error { return readToEnd(ctx, conn, optimizeSQL) })
	if err != nil {
		return fmt.Errorf("optimize: %w", err)
	}
	return nil
}
