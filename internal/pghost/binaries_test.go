package pghost

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

// The programs are found in PATH and, without it, where Debian puts them.
func TestBinaries(t *testing.T) {
	found, err := Binaries()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	must(t, err)
	empty := t.TempDir()
	bin := t.TempDir()
	for _, program := range []string{"initdb", "pg_ctl", "postgres"} {
		must(t, os.Symlink(found+"/"+program, bin+"/"+program))
	}
	t.Setenv("PATH", bin)
	if got, err := Binaries(); err != nil || got != found {
		t.Errorf("through links in PATH: %q (%v), want %q", got, err, found)
	}
	t.Setenv("PATH", empty)
	got, err := Binaries()
	if _, installed := exec.LookPath(got + "/initdb"); err == nil && installed != nil || err != nil && !errors.Is(err, ErrMissing) {
		t.Errorf("without PATH: %q (%v)", got, err)
	}
	for a, b := range map[string]string{"9.6": "10", "9": "15", "15": "17"} {
		if version("/usr/lib/postgresql/"+a+"/bin") >= version("/usr/lib/postgresql/"+b+"/bin") {
			t.Errorf("%s is not below %s", a, b)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("unexpected error: %v", err)
	}
}
