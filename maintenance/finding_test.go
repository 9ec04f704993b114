package maintenance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/maintenance"
	"gorm.io/gorm"
)

// The names are a promise to those who read flashstore check --json.
func TestFindingJSON(t *testing.T) {
	got, err := json.Marshal(maintenance.Finding{Kind: hooks.FindingAutoVacuum, What: "a", Why: "b", Do: "c"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"kind":"auto_vacuum","severe":false,"what":"a","why":"b","do":"c"}`
	if string(got) != want {
		t.Fatalf("got %s, want %s", got, want)
	}
}

// What the plugin finds when it opens a file, Check finds without it too.
func TestCheckFindsExposedFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions are not told by a mode on Windows")
	}
	eachSetup(t, func(t *testing.T, open func(string) *gorm.DB) {
		path := tempFile(t)
		db := open(path)
		mustFill(t, db, 1)
		for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for mode, want := range map[os.FileMode]hooks.FindingKind{0o644: hooks.FindingReadable, 0o666: hooks.FindingExposed, 0o640: ""} {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
			report := mustCheck(t, db)
			var found hooks.FindingKind
			for _, f := range report.Findings {
				if f.Kind == hooks.FindingReadable || f.Kind == hooks.FindingExposed {
					found = f.Kind
				}
			}
			if found != want || !report.OK() {
				t.Errorf("mode %o: found %v", mode, report.Findings)
			}
		}
	})
}
