package migrations_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

const (
	// childEnv holds, in a process that migrates for a test, how it is to do
	// it and where the database is.
	childEnv  = "FLASHSTORE_MIGRATIONS_TEST_CHILD"
	processes = 16
	rounds    = 3
)

// ways are how a process may start; each returns the versions that it applied.
var ways = map[string]func(ctx context.Context, at string) ([]string, error){
	"migrations.Up":    startUp,
	"storage.New":      startStore,
	"Up on plain GORM": startPlain,
	"Up on PostgreSQL": startPostgres,
}

// Processes that start together on a file that does not exist yet, or an empty
// database, all come up, and between them each migration is applied once.
func TestSeveralProcesses(t *testing.T) {
	for name := range ways {
		for round := range rounds {
			t.Run(fmt.Sprint(name, "/", round), func(t *testing.T) {
				stack := plainSQLite
				if name == "Up on PostgreSQL" {
					stack = onPostgres
				}
				at := stack.new(t)
				applied := runProcesses(t, name, at)
				slices.Sort(applied)
				if diff := cmp.Diff(history, applied); diff != "" {
					t.Errorf("applied by all of them (-want +got)\n%s", diff)
				}
				db := stack.open(t, at)
				must(t, migrations.Check(t.Context(), db, none))
				if diff := cmp.Diff(schemaOf(t, stack.migrated(t, none)), schemaOf(t, at)); diff != "" {
					t.Errorf("schema (-want +got)\n%s", diff)
				}
				if n := len(rowsOf(t, at)["leagues"]); n != 5 {
					t.Errorf("there are %d leagues", n)
				}
			})
		}
	}
}

// runProcesses lets the processes go at once, when all are there, and returns
// what they did.
func runProcesses(t *testing.T, way, at string) (applied []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var children [processes]*child
	for i := range children {
		children[i] = startChild(t, ctx, way+"|"+at)
	}
	for _, child := range children {
		child.awaitReady(t)
	}
	var all sync.WaitGroup
	for _, child := range children {
		all.Go(func() { child.letGo() })
	}
	all.Wait()
	for _, child := range children {
		applied = append(applied, child.mustSucceed(t)...)
	}
	return applied
}

func startUp(ctx context.Context, path string) ([]string, error) {
	return inProcess(path, quiet(), func(db *gorm.DB) ([]string, error) {
		if err := db.Use(hooks.New(hooks.Config{BusyTimeout: hang})); err != nil {
			return nil, err
		}
		result, err := migrations.Up(ctx, db, none)
		return versions(result), err
	})
}

func startPlain(ctx context.Context, path string) ([]string, error) {
	// Plain GORM takes the write lock only when it first writes, and then may
	// find that it has read what is no longer so (T3).
	dsn := path + "?_txlock=immediate&_busy_timeout=60000"
	return inProcess(dsn, quiet(), func(db *gorm.DB) ([]string, error) {
		result, err := migrations.Up(ctx, db, none)
		return versions(result), err
	})
}

func startPostgres(ctx context.Context, dsn string) ([]string, error) {
	return through(postgres.Open(dsn), quiet(), func(db *gorm.DB) ([]string, error) {
		result, err := migrations.Up(ctx, db, none)
		return versions(result), err
	})
}

// startStore starts as an application does. What was applied is taken from
// the statements that it ran.
func startStore(_ context.Context, path string) ([]string, error) {
	log := &appliedLog{Interface: logger.Discard, versions: []string{}}
	return inProcess(path, &gorm.Config{Logger: log}, func(db *gorm.DB) ([]string, error) {
		store := storage.New(storage.Config{Hooks: hooks.Config{BusyTimeout: hang}})
		err := db.Use(store)
		return log.versions, errors.Join(err, store.Close())
	})
}

func inProcess(dsn string, config *gorm.Config, fn func(db *gorm.DB) ([]string, error)) ([]string, error) {
	return through(sqlite.Open(dsn), config, fn)
}

func through(dialector gorm.Dialector, config *gorm.Config, fn func(db *gorm.DB) ([]string, error)) (applied []string, err error) {
	db, err := gorm.Open(dialector, config)
	if err != nil {
		return nil, err
	}
	defer func() {
		pool, closing := db.DB()
		if closing == nil {
			closing = pool.Close()
		}
		err = errors.Join(err, closing)
	}()
	return fn(db)
}

// appliedLog notes which versions were recorded.
type appliedLog struct {
	logger.Interface
	versions []string
}

func (l *appliedLog) Trace(_ context.Context, _ time.Time, fc func() (string, int64), err error) {
	sql, _ := fc()
	if err != nil || !strings.HasPrefix(sql, "INSERT INTO `schema_migrations`") {
		return
	}
	for _, version := range history {
		if strings.Contains(sql, version) {
			l.versions = append(l.versions, version)
		}
	}
}

// childMain is the main function of a child: it says that it is there, waits
// for its standard input to end, does its work and says what it did.
func childMain(what string) (code int) {
	way, at, _ := strings.Cut(what, "|")
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	applied, err := ways[way](context.Background(), at)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(applied)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is this test binary, run once more.
type child struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout io.Reader
	stderr bytes.Buffer
}

func startChild(t *testing.T, ctx context.Context, what string) *child {
	t.Helper()
	c := &child{cmd: exec.CommandContext(ctx, os.Args[0])}
	// The race detector lets a process sleep for a second before it exits.
	c.cmd.Env = append(os.Environ(), childEnv+"="+what, "GORACE=atexit_sleep_ms=0")
	c.cmd.Stderr = &c.stderr
	var err error
	c.stdin, err = c.cmd.StdinPipe()
	must(t, err)
	c.stdout, err = c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	return c
}

func (c *child) awaitReady(t *testing.T) {
	t.Helper()
	said := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(c.stdout, said); err != nil || string(said) != "ready\n" {
		t.Fatalf("a child said %q (%v)", said, err)
	}
}

func (c *child) letGo() { _ = c.stdin.Close() }

func (c *child) mustSucceed(t *testing.T) (applied []string) {
	t.Helper()
	said, reading := io.ReadAll(c.stdout)
	if err := errors.Join(reading, c.cmd.Wait()); err != nil {
		t.Fatalf("a child failed (%v): %s", err, c.stderr.String())
	}
	must(t, json.Unmarshal(said, &applied))
	return applied
}
