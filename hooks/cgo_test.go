package hooks_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Who has no C compiler is told so, and not of names that are undefined.
func TestWithoutCgo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", ".")
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := list.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "needs-cgo-and-a-C-compiler") {
		t.Errorf("got error %v and %s, want what is missing", err, out)
	}
}
