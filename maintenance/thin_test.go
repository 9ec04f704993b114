package maintenance_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/flashstore/flashstore/maintenance"
)

// mustBackups makes backups of one database that were made at these times, and
// returns their folder.
func mustBackups(t *testing.T, times ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db := mustOpenPlain(t, tempFile(t))
	mustFill(t, db, 10)
	first := filepath.Join(dir, times[0]+".db")
	if _, err := maintenance.Backup(t.Context(), db, first); err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range times {
		path := filepath.Join(dir, name+".db")
		at, err := time.Parse("2006-01-02T1504", name)
		if err := errors.Join(err, os.WriteFile(path, bytes, 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names are the names of paths without their end.
func names(paths []string) []string {
	list := []string{}
	for _, path := range paths {
		list = append(list, filepath.Base(path[:len(path)-len(".db")]))
	}
	return list
}

// The latest of each period stays, for as many periods as are asked for.
func TestThin(t *testing.T) {
	made := []string{ // the latest first; May 17, 2026 is a Sunday
		"2026-05-18T0900", "2026-05-17T2100", "2026-05-17T0900", "2026-05-16T0900", "2026-05-11T0900",
		"2026-05-10T0900", "2026-04-30T0900", "2026-04-01T0900", "2026-01-01T0900", "2025-12-31T0900",
	}
	for name, test := range map[string]struct {
		cfg  maintenance.ThinConfig
		want []int // of made
	}{
		"Latest":           {maintenance.ThinConfig{Latest: 3}, []int{0, 1, 2}},
		"Daily":            {maintenance.ThinConfig{Daily: 3}, []int{0, 1, 3}},
		"Weekly":           {maintenance.ThinConfig{Weekly: 3}, []int{0, 1, 5}},
		"WeekOfTwoYears":   {maintenance.ThinConfig{Weekly: 7}, []int{0, 1, 5, 6, 7, 8}},
		"Monthly":          {maintenance.ThinConfig{Monthly: 3}, []int{0, 6, 8}},
		"Together":         {maintenance.ThinConfig{Latest: 1, Daily: 2, Weekly: 2, Monthly: 2}, []int{0, 1, 6}},
		"MoreThanThereAre": {maintenance.ThinConfig{Latest: 99}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		// Nine in the evening is the next day there.
		"Zone": {maintenance.ThinConfig{Daily: 2, Zone: time.FixedZone("", 9*60*60)}, []int{0, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mustBackups(t, made...)
			var kept, removed []string
			for i, name := range made {
				if slices.Contains(test.want, i) {
					kept = append(kept, name)
				} else {
					removed = append(removed, name)
				}
			}
			check := func(dry bool) {
				t.Helper()
				cfg := test.cfg
				cfg.DryRun = dry
				got, err := maintenance.Thin(filepath.Join(dir, "*.db"), cfg)
				if err != nil || !slices.Equal(names(got.Kept), kept) || !slices.Equal(names(got.Removed), removed) ||
					len(got.Skipped) != 0 || (got.Bytes > 0) != (len(removed) > 0) {
					t.Fatalf("got %+v and %v, want %v kept and %v removed", got, err, kept, removed)
				}
			}
			check(true)
			if left := files(t, dir); len(left) != len(made) {
				t.Fatalf("a dry run leaves %v", left)
			}
			check(false)
			if left := files(t, dir); len(left) != len(kept) {
				t.Fatalf("left is %v, want %v", left, kept)
			}
			removed = nil // again, there is nothing to do
			check(false)
		})
	}
}

// What is no backup stays, however old, and takes no backup's place: a database
// that is in use above all.
func TestThinLeavesOthers(t *testing.T) {
	dir := mustBackups(t, "2026-05-18T0900", "2026-05-17T0900", "2026-05-16T0900")
	path := func(name string) string { return filepath.Join(dir, name+".db") }
	mustFill(t, mustOpenHooks(t, path("live")), 10)
	logged, err := os.ReadFile(path("2026-05-18T0900"))
	if err != nil {
		t.Fatal(err)
	}
	logged[18], logged[19] = 2, 2                  // in WAL mode, and nobody has it open just now
	beside := path("2026-05-16T0900") + "-journal" // somebody writes to it
	for name, text := range map[string]string{path("empty"): "", path("short"): "SQLite", path("text"): "a text that is long enough for a header", path("logged"): string(logged), beside: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(path("folder"), 0o700), os.Symlink(path("live"), path("link"))); err != nil {
		t.Fatal(err)
	}
	got, err := maintenance.Thin(filepath.Join(dir, "*.db"), maintenance.ThinConfig{Latest: 1})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"2026-05-18T0900"}; !slices.Equal(names(got.Kept), want) {
		t.Errorf("kept %v, want %v", got.Kept, want)
	}
	if want := []string{"2026-05-17T0900"}; !slices.Equal(names(got.Removed), want) {
		t.Errorf("removed %v, want %v", got.Removed, want)
	}
	if want := []string{"2026-05-16T0900", "empty", "folder", "link", "live", "logged", "short", "text"}; !slices.Equal(names(got.Skipped), want) {
		t.Errorf("skipped %v, want %v", got.Skipped, want)
	}
	for _, name := range got.Skipped {
		if _, err := os.Lstat(name); err != nil {
			t.Errorf("%s is gone: %v", name, err)
		}
	}
}

func TestThinErrors(t *testing.T) {
	dir := mustBackups(t, "2026-05-18T0900", "2026-05-17T0900")
	for name, cfg := range map[string]maintenance.ThinConfig{
		"nothing": {}, "latest": {Latest: -1, Daily: 1}, "daily": {Latest: 1, Daily: -1},
		"weekly": {Latest: 1, Weekly: -1}, "monthly": {Latest: 1, Monthly: -1},
	} {
		if _, err := maintenance.Thin(filepath.Join(dir, "*.db"), cfg); !errors.Is(err, maintenance.ErrThinNothing) {
			t.Errorf("%s: got error %v, want %v", name, err, maintenance.ErrThinNothing)
		}
	}
	if _, err := maintenance.Thin(filepath.Join(dir, "[.db"), maintenance.ThinConfig{Latest: 1}); !errors.Is(err, filepath.ErrBadPattern) {
		t.Errorf("got error %v, want %v", err, filepath.ErrBadPattern)
	}
	if left := files(t, dir); len(left) != 2 {
		t.Errorf("left is %v", left)
	}
	got, err := maintenance.Thin(filepath.Join(dir, "none*.db"), maintenance.ThinConfig{Latest: 1})
	if err != nil || len(got.Kept)+len(got.Removed)+len(got.Skipped) != 0 {
		t.Errorf("got %+v and %v of nothing", got, err)
	}
}
