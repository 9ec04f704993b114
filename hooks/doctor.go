package hooks

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"gorm.io/gorm"
)

// doctor looks at a database and at where it lies. What it cannot tell, it
// does not mention.
type doctor struct {
	path     string // absolute; "" in memory
	version  string // SQLite's
	readOnly bool   // nothing will be written
	reserve  int64  // Config.DiskReserve, in bytes
	probe    probe
}

// probe is what the doctor asks outside of SQLite.
type probe struct {
	fileSystem   func(dir string) (string, error)
	freeSpace    func(dir string) (int64, error)
	writable     func(path string) error
	exposure     func(path string) (fs.FileMode, error)
	otherProcess func(path string) (pid int, found bool)
	version      func(ctx context.Context, on asker) (string, error)
}

var realProbe = probe{
	fileSystem:   fileSystemType,
	freeSpace:    freeSpace,
	writable:     writable,
	exposure:     exposure,
	otherProcess: otherProcess,
	version:      readVersion,
}

// Findings returns what was found when db.Use opened the database, the
// accepted findings among it. maintenance.Check looks again.
func (p *Plugin) Findings() []Finding { return slices.Clone(p.found) }

// Examine looks at db's database and at where it lies, and returns what its
// owner should know: never nil without an error. conn is a connection of
// db.DB(), and the settings are those of that connection. It changes nothing,
// and works on a database without the plugin too.
func Examine(ctx context.Context, db *gorm.DB, conn *sql.Conn) ([]Finding, error) {
	d := doctor{reserve: defaultDiskReserve, probe: realProbe}
	if p, ok := db.Plugins[Name].(*Plugin); ok {
		d = p.doctor
	}
	if err := d.locate(ctx, conn); err != nil {
		return nil, err
	}
	found := append([]Finding{}, d.place()...)
	d.readOnly = false // the settings matter to those who write, whoever asks
	settled, err := d.opened(ctx, conn)
	if err != nil {
		return nil, err
	}
	return append(found, settled...), nil
}

// refuse judges the place of the database that before has opened, and src
// describes, before a log is made there.
func (p *Plugin) refuse(before asker, src source) ([]Finding, error) {
	p.doctor.readOnly, p.doctor.reserve = src.readOnly, p.cfg.DiskReserve
	if err := p.doctor.locate(context.Background(), before); err != nil {
		return nil, err
	}
	found := p.doctor.place()
	return found, p.cfg.refuse(found)
}

// asker is a connection, or a pool of them.
type asker interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// locate finds out where the database lies.
func (d *doctor) locate(ctx context.Context, on asker) (err error) {
	if d.path, err = databasePath(ctx, on); err != nil {
		return err
	}
	d.version, err = d.probe.version(ctx, on)
	return err
}

func readVersion(ctx context.Context, on asker) (version string, err error) {
	if err := on.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return "", fmt.Errorf("read SQLite's version: %w", err)
	}
	return version, nil
}

// databasePath returns the absolute path of a database, "" for one in memory.
// It reads nothing of the file.
func databasePath(ctx context.Context, on asker) (string, error) {
	var seq int
	var name string
	var file sql.NullString
	// The main database is the first row.
	if err := on.QueryRowContext(ctx, "PRAGMA database_list").Scan(&seq, &name, &file); err != nil {
		return "", fmt.Errorf("read the database's path: %w", err)
	}
	return file.String, nil
}

// place judges what can be known before SQLite has touched the file.
func (d doctor) place() []Finding {
	if d.path == "" {
		return nil
	}
	found := judgeVersion(d.version, d.readOnly)
	dir := filepath.Dir(d.path)
	if fileSystem, err := d.probe.fileSystem(dir); err == nil {
		found = append(found, judgeFileSystem(dir, fileSystem, d.readOnly)...)
	}
	found = append(found, d.permissions()...)
	if free, err := d.probe.freeSpace(dir); err == nil && free != unknownSpace {
		found = append(found, judgeFreeSpace(dir, free, d.reserve)...)
	}
	return found
}

// permissions judges who may do what with the file.
func (d doctor) permissions() []Finding {
	var found []Finding
	if !d.readOnly {
		found = d.unwritable()
	}
	if open, err := d.probe.exposure(d.path); err == nil && open != 0 {
		found = append(found, judgeExposure(d.path, open))
	}
	return found
}

// unwritable finds what this user may not write to. SQLite keeps a log beside
// the file, and the log's index: those of another user are in its way too.
func (d doctor) unwritable() (found []Finding) {
	for _, path := range []string{d.path, d.path + "-wal", d.path + "-shm", filepath.Dir(d.path)} {
		err := d.probe.writable(path)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		found = append(found, Finding{
			Kind:   FindingNotWritable,
			Severe: true,
			What:   fmt.Sprintf("%s is not writable (%v)", path, err),
			Why:    "nothing can be stored, and SQLite makes files beside the database",
			Do:     "give this user the right to write to the file and to its directory, or open it with mode=ro",
		})
	}
	return found
}

// opened judges an open database: its settings, and who else has it open.
func (d doctor) opened(ctx context.Context, on asker) ([]Finding, error) {
	s, err := readSettings(ctx, on)
	if err != nil {
		return nil, err
	}
	s.memory, s.readOnly = d.path == "", d.readOnly
	found := s.judge()
	if s.memory || s.journalMode != "wal" {
		return found, nil // nobody can tell whether another process is there
	}
	if pid, ok := d.probe.otherProcess(d.path); ok {
		found = append(found, judgeOtherProcess(pid))
	}
	return found, nil
}
