package maintenance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"gorm.io/gorm"
)

// Statistics are a database's figures at one moment (S62, S63).
type Statistics struct {
	Path          string `json:"path"` // absolute; "" in memory
	SQLiteVersion string `json:"sqlite_version"`
	JournalMode   string `json:"journal_mode"` // "wal", "delete", "memory", …
	AutoVacuum    string `json:"auto_vacuum"`  // "none", "full" or "incremental"

	PageSizeBytes int64 `json:"page_size_bytes"`
	Pages         int64 `json:"pages"`      // in the database and its log
	FreePages     int64 `json:"free_pages"` // of these, on the free list
	// DatabaseBytes is the file's size; in memory, page size times pages.
	DatabaseBytes int64 `json:"database_bytes"`
	// WALBytes is the size of the log's file. A checkpoint lets the next writer
	// start the log over and leaves the file as long as it is.
	WALBytes int64 `json:"wal_bytes"`
	WALPages int64 `json:"wal_pages"` // as many as that file has room for

	// Connections are those of db.DB(). With the hooks plugin these are not
	// the ones that GORM's own statements run on.
	Connections Connections `json:"connections"`
}

// Connections are the figures of a pool of connections.
type Connections struct {
	Open  int           `json:"open"`
	InUse int           `json:"in_use"`           // the one that asked is not counted
	Waits int64         `json:"waits"`            // since it was opened
	Wait  time.Duration `json:"wait_duration_ns"` // of all waits together
}

// Stats reads the database's figures. It changes nothing: it runs no
// checkpoint and holds no lock longer than it takes to read five numbers
// (T28). Query latency and the depth of a write queue belong to those who run
// them.
func Stats(ctx context.Context, db *gorm.DB) (Statistics, error) {
	s, err := stats(ctx, db)
	if err != nil {
		return Statistics{}, fmt.Errorf("read the database's statistics: %w", err)
	}
	return s, nil
}

func stats(ctx context.Context, db *gorm.DB) (s Statistics, err error) {
	if err := usable(db); err != nil {
		return s, err
	}
	if s.Connections, err = connections(db); err != nil {
		return s, err
	}
	var l layout
	err = onOwn(ctx, db, func(conn *sql.Conn) error {
		return inTransaction(ctx, conn, beginRead, func() (err error) {
			l, err = readLayout(ctx, conn)
			return errors.Join(err, s.readSettings(ctx, conn))
		})
	})
	if err != nil {
		return s, err
	}
	s.setLayout(l)
	return s, s.measureFiles()
}

// connections is called before a connection is taken for the rest.
func connections(db *gorm.DB) (Connections, error) {
	pool, err := db.DB()
	if err != nil {
		return Connections{}, fmt.Errorf("find the database's connections: %w", err)
	}
	now := pool.Stats()
	return Connections{Open: now.OpenConnections, InUse: now.InUse, Waits: now.WaitCount, Wait: now.WaitDuration}, nil
}

const versionSQL = `SELECT sqlite_version()`

func (s *Statistics) readSettings(ctx context.Context, conn *sql.Conn) error {
	return errors.Join(
		readPragma(ctx, conn, "journal_mode", &s.JournalMode),
		conn.QueryRowContext(ctx, versionSQL).Scan(&s.SQLiteVersion))
}

func (s *Statistics) setLayout(l layout) {
	s.Path = l.path
	s.PageSizeBytes, s.Pages, s.FreePages = l.pageSize, l.pages, l.freePages
	s.DatabaseBytes = l.bytes()
	s.AutoVacuum = map[int]string{
		autoVacuumNone: "none", autoVacuumFull: "full", autoVacuumIncremental: "incremental",
	}[l.autoVacuum]
}

// The log's format: a header, then a frame for each page.
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log
const (
	walHeaderBytes      = 32
	walFrameHeaderBytes = 24
)

// measureFiles asks the file system, not SQLite.
func (s *Statistics) measureFiles() (err error) {
	if s.Path == "" {
		return nil
	}
	if s.DatabaseBytes, err = fileBytes(s.Path); err != nil {
		return err
	}
	if s.WALBytes, err = fileBytes(s.Path + "-wal"); err != nil {
		return err
	}
	s.WALPages = max(0, s.WALBytes-walHeaderBytes) / (s.PageSizeBytes + walFrameHeaderBytes)
	return nil
}

// fileBytes returns the size of a file, 0 if there is none.
func fileBytes(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
