package maintenance

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
)

func TestVacuumErrNoSpace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	if err := db.Exec("CREATE TABLE t (x)").Error; err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	free := int64(2*len(before) - 1)
	tell := func(dir string) (int64, error) {
		if dir != filepath.Dir(path) {
			t.Errorf("asked about %s", dir)
		}
		return free, nil
	}
	_, err = vacuum(t.Context(), db, tell)
	var short *NoSpaceError
	if !errors.As(err, &short) || short.Free != free || short.Need != free+1 {
		t.Fatalf("got %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Fatalf("the file has changed (%v)", err)
	}
	for _, enough := range []int64{free + 1, unknownSpace} {
		free = enough
		if _, err := vacuum(t.Context(), db, tell); err != nil {
			t.Fatalf("with %d bytes: %v", enough, err)
		}
	}
}

func TestNoSpaceError(t *testing.T) {
	err := &NoSpaceError{Dir: "data", Need: 3<<20 + 1, Free: 2<<20 + 1}
	if want := "data has 2 MB free and this needs 4 MB: make room there first"; err.Error() != want {
		t.Fatalf("got %q, want %q", err, want)
	}
}

func TestFreeSpace(t *testing.T) {
	if got, err := freeSpace(t.TempDir()); err != nil || (got < 1 && got != unknownSpace) {
		t.Fatalf("got %d, %v", got, err)
	}
}

// stalled is a backup whose source is locked but for the steps in moves.
type stalled struct {
	steps     int
	moves     map[int]bool
	remaining int
}

func (s *stalled) Step(int) (done bool, err error) {
	s.steps++
	if s.moves[s.steps] {
		s.remaining--
	}
	return s.remaining == 0, nil
}
func (s *stalled) Remaining() int { return s.remaining }
func (*stalled) PageCount() int   { return 2 }

// T18: a step that moves nothing is followed by a sleep, and there is an end.
func TestBackupStall(t *testing.T) {
	run := func(ctx context.Context, source *stalled) error {
		return (&backup{pagesPerStep: 1, onProgress: func(Progress) {}}).steps(ctx, source)
	}
	t.Run("OK", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			source := &stalled{remaining: 2, moves: map[int]bool{stallMost: true, 2*stallMost - 2: true}}
			if err := run(t.Context(), source); err != nil {
				t.Fatal(err)
			}
		})
	})
	t.Run("ErrBusy", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			source := &stalled{remaining: 2}
			if err := run(t.Context(), source); !errors.Is(err, sqlite3.ErrBusy) || source.steps != stallMost+2 {
				t.Fatalf("got %v after %d steps", err, source.steps)
			}
		})
	})
	t.Run("ErrDeadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*stallPause-1)
			defer cancel()
			source := &stalled{remaining: 2}
			if err := run(ctx, source); !errors.Is(err, context.DeadlineExceeded) || source.steps > 12 {
				t.Fatalf("got %v after %d steps", err, source.steps)
			}
		})
	})
}

func TestRenameWithoutLink(t *testing.T) {
	dir := t.TempDir()
	temp, path := filepath.Join(dir, "temp"), filepath.Join(dir, "copy.db")
	if err := os.WriteFile(temp, []byte("a copy"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := renameWithoutLink(temp, path); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "a copy" {
		t.Fatalf("got %q, %v", content, err)
	}
	if _, err := os.Lstat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("the temporary file: %v", err)
	}
	t.Run("ErrExist", func(t *testing.T) {
		if err := renameWithoutLink(temp, path); !errors.Is(err, fs.ErrExist) {
			t.Fatalf("got %v", err)
		}
		if content, err := os.ReadFile(path); err != nil || string(content) != "a copy" {
			t.Fatalf("the file is %q now, %v", content, err)
		}
	})
	t.Run("ErrNoTemp", func(t *testing.T) {
		other := filepath.Join(dir, "other.db")
		if err := renameWithoutLink(temp, other); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("got %v", err)
		}
		if _, err := os.Lstat(other); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("its claim is left: %v", err)
		}
	})
}

func TestFileURI(t *testing.T) {
	for path, want := range map[string]string{
		"/data/app.db":     "file:/data/app.db",
		"/a b%20#c?d/e.db": "file:/a%20b%2520%23c%3Fd/e.db",
		"C:/data/app.db":   "file:/C:/data/app.db",
	} {
		if got := fileURI(path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
}

// Where a restored file cannot take the database's place, that stays there,
// under its one name.
func TestSwapFails(t *testing.T) {
	dir := t.TempDir()
	path, aside := filepath.Join(dir, "app.db"), filepath.Join(dir, "aside.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := swap(filepath.Join(dir, "none.db"), path, aside); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got error %v", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(aside); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has a second name (%v)", err)
	}
}
