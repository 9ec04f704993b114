package hooks

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// healthy is a probe that finds nothing.
func healthy() probe {
	return probe{
		fileSystem:   func(string) (string, error) { return "0xef53", nil },
		freeSpace:    func(string) (int64, error) { return 1 << 40, nil },
		writable:     func(string) error { return nil },
		exposure:     func(string) (fs.FileMode, error) { return 0, nil },
		otherProcess: func(string) (int, bool) { return 0, false },
		version:      func(context.Context, asker) (string, error) { return "3.51.3", nil },
	}
}

// openPlain opens dsn without the plugin.
func openPlain(tb testing.TB, dsn string) *gorm.DB {
	tb.Helper()
	db, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if pool, err := db.DB(); err == nil {
			_ = pool.Close()
		}
	})
	return db
}

// silent takes findings that a test is not about.
var silent = slog.New(slog.DiscardHandler)

// openWith opens dsn with the plugin.
func openWith(tb testing.TB, dsn string) *gorm.DB {
	tb.Helper()
	db := openPlain(tb, dsn)
	if _, err := useProbe(db, Config{Logger: silent}, realProbe); err != nil {
		tb.Fatal(err)
	}
	return db
}

// useProbe takes the plugin in use with another probe.
func useProbe(db *gorm.DB, cfg Config, p probe) (*Plugin, error) {
	plugin := New(cfg)
	plugin.doctor.probe = p
	return plugin, db.Use(plugin)
}

// sick are probes with one finding each.
var sick = []struct {
	name   string
	kind   FindingKind
	severe bool
	change func(p *probe)
}{
	{"version", FindingSQLiteVersion, true, func(p *probe) {
		p.version = func(context.Context, asker) (string, error) { return "3.51.2", nil }
	}},
	{"nfs", FindingFileSystem, true, func(p *probe) {
		p.fileSystem = func(string) (string, error) { return "nfs", nil }
	}},
	{"unknown FUSE", FindingFileSystem, false, func(p *probe) {
		p.fileSystem = func(string) (string, error) { return "fuse", nil }
	}},
	{"directory not writable", FindingNotWritable, true, func(p *probe) {
		p.writable = func(path string) error {
			if strings.HasSuffix(path, ".db") {
				return nil
			}
			return syscall.EROFS
		}
	}},
	{"readable by all", FindingReadable, false, func(p *probe) {
		p.exposure = func(string) (fs.FileMode, error) { return 0o004, nil }
	}},
	{"writable by all", FindingExposed, false, func(p *probe) {
		p.exposure = func(string) (fs.FileMode, error) { return 0o006, nil }
	}},
	{"disk nearly full", FindingFreeSpace, false, func(p *probe) {
		p.freeSpace = func(string) (int64, error) { return defaultDiskReserve, nil }
	}},
	{"another process", FindingOtherProcess, false, func(p *probe) {
		p.otherProcess = func(string) (int, bool) { return 7, true }
	}},
}

func TestDoctorAtOpen(t *testing.T) {
	for _, test := range sick {
		t.Run(test.name, func(t *testing.T) {
			p := healthy()
			test.change(&p)
			path := filepath.Join(t.TempDir(), "app.db")
			db := openPlain(t, path)
			var log bytes.Buffer
			cfg := Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
			plugin, err := useProbe(db, cfg, p)
			if test.severe {
				mustRefuse(t, err, test.kind)
				mustBeAsItWas(t, db, path)
				if log.Len() > 0 || len(plugin.Findings()) > 0 {
					t.Fatalf("a refused database has findings: %s", &log)
				}
				cfg.Accept = []FindingKind{test.kind}
				plugin, err = useProbe(db, cfg, p)
			}
			if err != nil {
				t.Fatal(err)
			}
			mustFind(t, plugin.Findings(), test.kind)
			if !strings.Contains(log.String(), "finding="+string(test.kind)) {
				t.Fatalf("the log does not say it: %s", &log)
			}
			if err := db.Exec("CREATE TABLE t (x)").Error; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func mustRefuse(tb testing.TB, err error, want FindingKind) {
	tb.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) {
		tb.Fatalf("got error %v, want a *RefusedError", err)
	}
	mustFind(tb, refused.Findings, want)
}

// mustFind fails unless all findings are of one kind, and say all that they
// are to say.
func mustFind(tb testing.TB, found []Finding, want FindingKind) {
	tb.Helper()
	kinds := slices.Compact(kindsOf(found))
	if len(kinds) != 1 || kinds[0] != want {
		tb.Fatalf("found %v, want %s", kinds, want)
	}
	for _, f := range found {
		if f.What == "" || f.Why == "" || f.Do == "" {
			tb.Errorf("it does not say what to do: %+v", f)
		}
	}
}

// mustBeAsItWas fails if the plugin, which was refused, has left a trace.
func mustBeAsItWas(tb testing.TB, db *gorm.DB, path string) {
	tb.Helper()
	if _, ok := db.ConnPool.(*sql.DB); !ok || len(db.Plugins) > 0 {
		tb.Fatalf("db has %T and %d plugins", db.ConnPool, len(db.Plugins))
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		tb.Fatalf("there is a log: %v", err)
	}
	var mode string
	if err := db.Raw("PRAGMA journal_mode").Scan(&mode).Error; err != nil || mode != "delete" {
		tb.Fatalf("journal_mode is %q, %v", mode, err)
	}
}

// A database in memory is on no disk, and a file that is only read is in no
// danger.
func TestDoctorRefusesNoReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	if err := openPlain(t, path).Exec("CREATE TABLE t (x)").Error; err != nil {
		t.Fatal(err)
	}
	for _, dsn := range []string{":memory:", "file:" + path + "?mode=ro"} {
		p := healthy()
		for _, test := range sick {
			test.change(&p)
		}
		if _, err := useProbe(openPlain(t, dsn), Config{Logger: silent}, p); err != nil {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}

// On this machine, with nothing put in the place of anything.
func TestDoctorOnThisMachine(t *testing.T) {
	db := openPlain(t, filepath.Join(t.TempDir(), "app.db"))
	plugin := New(Config{})
	if err := db.Use(plugin); err != nil {
		t.Fatal(err)
	}
	for _, f := range plugin.Findings() {
		if f.Kind != FindingFreeSpace && f.Kind != FindingFileSystem { // the machine's own affair
			t.Errorf("found %s", f)
		}
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	again, err := Examine(t.Context(), db, conn)
	if err != nil || again == nil || !slices.Equal(again, append([]Finding{}, plugin.Findings()...)) {
		t.Fatalf("got %v, %v; at open %v", again, err, plugin.Findings())
	}
}
