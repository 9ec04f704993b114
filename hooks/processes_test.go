package hooks_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

const (
	// childEnv holds the database's path in a process that writes for a test.
	childEnv = "FLASHSTORE_HOOKS_TEST_CHILD"
	// childTimes is how often each process adds to the counter, in each of
	// two ways.
	childTimes = 50
)

// Several processes open a file that does not exist yet, all at once, and add
// to one counter, half of the times by reading it first.
func TestSeveralProcesses(t *testing.T) { // S24, S29
	const processes = 3
	path := newPath(t)
	var children [processes - 1]*child
	for i := range children {
		children[i] = startChild(t, path)
	}
	for _, child := range children {
		child.letGo(t)
	}
	must(t, addFromOneProcess(path))
	for _, child := range children {
		child.mustSucceed(t)
	}

	db := openHooks(t, path, hooks.Config{}, quiet())
	if got := mustInt(t, db, "SELECT n FROM items"); got != processes*2*childTimes {
		t.Fatalf("the counter is %d, want %d", got, processes*2*childTimes)
	}
}

// addFromOneProcess is what each of the processes does.
func addFromOneProcess(path string) (err error) {
	db, err := gorm.Open(sqlite.Open(path), quiet())
	if err != nil {
		return err
	}
	plugin := hooks.New(hooks.Config{BusyTimeout: hang})
	if err := db.Use(plugin); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plugin.Close()) }()
	if err := db.Exec(createItems).Error; err != nil {
		return err
	}
	if err := db.Exec("INSERT OR IGNORE INTO items (id) VALUES (1)").Error; err != nil {
		return err
	}
	return atOnce(2, func(way int) error {
		for range childTimes {
			var err error
			if way == 0 {
				err = db.Transaction(addOne)
			} else {
				err = db.Exec("UPDATE items SET n = n + 1").Error
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// childMain is the main function of a child: it says that it is there, waits
// for its standard input to end, and does its work.
func childMain(path string) (code int) {
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := addFromOneProcess(path); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// child is this test binary, run once more.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

// startChild returns when the child is ready.
func startChild(tb testing.TB, path string) *child {
	tb.Helper()
	cmd := exec.CommandContext(within(tb, hang), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	must(tb, err)
	stdout, err := cmd.StdoutPipe()
	must(tb, err)
	cmd.Stderr = os.Stderr
	must(tb, cmd.Start())
	started := &child{cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}
	line, err := started.out.ReadString('\n')
	must(tb, err)
	if strings.TrimSpace(line) != "ready" {
		tb.Fatalf("the child said %q", line)
	}
	return started
}

func (c *child) letGo(tb testing.TB) {
	tb.Helper()
	must(tb, c.stdin.Close())
}

func (c *child) mustSucceed(tb testing.TB) {
	tb.Helper()
	said, err := io.ReadAll(c.out)
	must(tb, err)
	if err := c.cmd.Wait(); err != nil {
		tb.Fatalf("a child failed (%v): %s", err, said)
	}
}
