package pgtest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// childEnv makes this test binary a process that starts a server and waits to
// be killed.
const childEnv = "FLASHSTORE_PGTEST_CHILD"

// Two databases know nothing of each other, and each ends with its test,
// whatever the test has left open.
func TestDatabasesAreApart(t *testing.T) {
	c := Server(t)
	var gone []string
	var left *pgx.Conn
	t.Run("two", func(t *testing.T) {
		one, two := c.Database(t), c.Database(t)
		gone = append(gone, one, two)
		conn, err := pgx.Connect(t.Context(), one)
		must(t, err)
		defer func() { must(t, conn.Close(t.Context())) }()
		_, err = conn.Exec(t.Context(), "CREATE TABLE letters AS SELECT 'a' AS letter")
		must(t, err)
		if n := ask[int](t, one, "SELECT count(*) FROM letters"); n != 1 {
			t.Errorf("the first has %d letters", n)
		}
		if there := ask[bool](t, two, "SELECT to_regclass('letters') IS NOT NULL"); there {
			t.Error("the second has the table of the first")
		}
		left, err = pgx.Connect(t.Context(), two)
		must(t, err)
	})
	if left == nil {
		return // the subtest has said why
	}
	// The connection that the test left open was closed by the server.
	if err := left.Ping(t.Context()); err == nil {
		t.Error("the connection to a database that is gone works")
	}
	_ = left.Close(t.Context())
	for _, dsn := range gone {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err == nil {
			t.Errorf("%s outlives its test", dsn)
			must(t, conn.Close(t.Context()))
		}
	}
}

// The end of a server leaves nothing: no process and no folder.
func TestStop(t *testing.T) {
	Server(t)
	c, err := start()
	must(t, err)
	dsn := c.dsn("postgres")
	if n := ask[int](t, dsn, "SELECT 1"); n != 1 {
		t.Errorf("got %d", n)
	}
	must(t, c.stop())
	mustBeGone(t, c.folder)
	if conn, err := pgx.Connect(t.Context(), dsn); err == nil {
		t.Error("the server lives on")
		must(t, conn.Close(t.Context()))
	}
}

// A server that does not come up is an error that says why, and leaves
// nothing either.
func TestStartThatFails(t *testing.T) {
	Server(t)
	folder := t.TempDir()
	for program, does := range map[string]string{"initdb": "mkdir data", "pg_ctl": "echo the disk is on fire; touch server.log; exit 1", "postgres": ""} {
		must(t, os.WriteFile(folder+"/"+program, []byte("#!/bin/sh\n"+does+"\n"), 0o755))
	}
	must(t, os.Chmod(folder, 0o755))
	must(t, os.Chmod(folder+"/..", 0o755))
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
	c, err := start()
	if err == nil {
		t.Fatal(errors.New("it started"), c.stop())
	}
	if !strings.Contains(err.Error(), "the disk is on fire") {
		t.Errorf("%q does not say why", err)
	}
	mustBeGone(t, regexp.MustCompile(`\S*flashstore-pg-\d+`).FindString(err.Error()))
}

// A test process that is killed takes its server along.
func TestKilledProcess(t *testing.T) {
	Server(t)
	// The keeper and the server inherit the pipe's end: it is closed when the
	// last of them has ended.
	lives, end, err := os.Pipe()
	must(t, err)
	defer func() { must(t, lives.Close()) }()
	must(t, lives.SetReadDeadline(time.Now().Add(hang)))
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Stderr = os.Stderr
	child.ExtraFiles = []*os.File{end}
	// Open for as long as the child is to wait.
	stdin, err := child.StdinPipe()
	must(t, err)
	defer func() { _ = stdin.Close() }()
	said, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	must(t, end.Close())
	dsn, err := bufio.NewReader(said).ReadString('\n')
	must(t, err)
	if n := ask[int](t, dsn, "SELECT 1"); n != 1 {
		t.Errorf("got %d", n)
	}
	must(t, child.Process.Kill())
	if err := child.Wait(); err == nil || child.ProcessState.Exited() {
		t.Error("the child ended by itself")
	}
	if _, err := io.ReadAll(lives); err != nil {
		t.Fatalf("the server lives on: %v", err)
	}
	config, err := pgx.ParseConfig(dsn)
	must(t, err)
	mustBeGone(t, config.Host)
}

func childMain() int {
	c, err := start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(c.dsn("postgres"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 1
}

func mustBeGone(t *testing.T, folder string) {
	t.Helper()
	if _, err := os.Stat(folder); folder == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there (%v)", folder, err)
	}
}
