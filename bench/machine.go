package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/mattn/go-sqlite3"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// machine is what a reader needs to know of where the figures come from.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	OS         string `json:"os"`
	Filesystem string `json:"filesystem"`
	Go         string `json:"go"`
	SQLite     string `json:"sqlite"`      // mattn's
	PureSQLite string `json:"pure_sqlite"` // zombiezen's
	PostgreSQL string `json:"postgresql,omitempty"`
}

// thisMachine describes the present one, with the file system of dir.
func thisMachine(dir string) machine {
	version, _, _ := sqlite3.Version()
	return machine{
		CPU: cpuModel(), Cores: runtime.GOMAXPROCS(0), OS: kernel(), Filesystem: filesystem(dir),
		Go: strings.TrimPrefix(runtime.Version(), "go"), SQLite: version, PureSQLite: pureVersion(),
	}
}

func cpuModel() string {
	for _, line := range linesOf("/proc/cpuinfo") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// kernel is the system's name and release, without what its builder added.
func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	number, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	return fmt.Sprintf("%s %s", strings.ToUpper(runtime.GOOS[:1])+runtime.GOOS[1:], number)
}

// filesystem is the type of the mount that holds dir.
func filesystem(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown"
	}
	best, kind := "", "unknown"
	for _, line := range linesOf("/proc/mounts") {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		mount := strings.TrimSuffix(fields[1], "/")
		if (dir == mount || strings.HasPrefix(dir, mount+"/")) && len(mount) >= len(best) {
			best, kind = mount, fields[2]
		}
	}
	return kind
}

func linesOf(path string) (lines []string) {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	return lines
}

// pureVersion asks zombiezen's SQLite for its version.
func pureVersion() (version string) {
	conn, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
	if err != nil {
		return "unknown"
	}
	defer func() { _ = conn.Close() }()
	conn.SetInterrupt(context.Background().Done())
	_ = sqlitex.ExecuteTransient(conn, "SELECT sqlite_version()", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			version = stmt.ColumnText(0)
			return nil
		},
	})
	return version
}
