package hooks

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// guestEnv holds the database's path in a process that has it open for a test.
const guestEnv = "FLASHSTORE_HOOKS_TEST_GUEST"

// TestOtherProcess finds this binary, run once more, by its number, as long
// as it has the database open.
func TestOtherProcess(t *testing.T) {
	if path := os.Getenv(guestEnv); path != "" {
		beGuest(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "app.db")
	if err := openWith(t, path).Exec("CREATE TABLE t (x)").Error; err != nil {
		t.Fatal(err)
	}
	if pid, found := otherProcess(path); found {
		t.Fatalf("found %d, and nobody is there", pid)
	}
	pid, leave := startGuest(t, path)
	if got, found := otherProcess(path); !found || got != pid {
		t.Fatalf("found %d, %v, want %d", got, found, pid)
	}
	plugin, err := useProbe(openPlain(t, path), Config{Logger: silent}, realProbe)
	if err != nil {
		t.Fatal(err)
	}
	if found := plugin.Findings(); !strings.Contains(fmt.Sprint(found), fmt.Sprintf("process %d has the database open", pid)) {
		t.Fatalf("found %v", found)
	}
	leave()
	if pid, found := otherProcess(path); found {
		t.Fatalf("found %d after it has left", pid)
	}
}

// beGuest opens the database, says so, and stays until its input ends.
func beGuest(t *testing.T, path string) {
	var tables int
	if err := openWith(t, path).Raw("SELECT count(*) FROM sqlite_schema").Scan(&tables).Error; err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// startGuest returns when the guest has the database open.
func startGuest(t *testing.T, path string) (pid int, leave func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOtherProcess$")
	cmd.Env = append(os.Environ(), guestEnv+"="+path)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the guest said %q, %v", line, err)
	}
	return cmd.Process.Pid, func() {
		t.Helper()
		_ = stdin.Close()
		said, _ := io.ReadAll(out)
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the guest failed (%v): %s", err, said)
		}
	}
}
