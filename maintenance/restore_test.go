package maintenance_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/flashstore/flashstore/maintenance"
)

// crashed returns the path of a database of more rows, all but the first of
// them in a log that its program left behind when it died, and of a backup
// with the first row only.
func crashed(t *testing.T, more int) (path, backup string) {
	t.Helper()
	live := filepath.Join(t.TempDir(), "live.db")
	db := mustOpenPlain(t, live)
	mustExec(t, db, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
	mustExec(t, db, "INSERT INTO notes (text) VALUES ('first')")
	dir := t.TempDir()
	path, backup = filepath.Join(dir, "app.db"), filepath.Join(dir, "backup.db")
	if _, err := maintenance.Backup(t.Context(), db, backup); err != nil {
		t.Fatal(err)
	}
	for range more {
		mustExec(t, db, "INSERT INTO notes (text) VALUES (hex(randomblob(500)))")
	}
	for _, suffix := range []string{"", "-wal"} {
		mustCopy(t, live+suffix, path+suffix)
	}
	return path, backup
}

func mustCopy(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// notes counts the rows of a database that has just been put somewhere; -1:
// it cannot be read.
func notes(t *testing.T, path string) (n int64) {
	t.Helper()
	if err := mustOpenPlain(t, path).Raw("SELECT count(*) FROM notes").Scan(&n).Error; err != nil {
		return -1
	}
	return n
}

// T23: a log that an older database left behind is played into the new one.
func TestRestore_LeftOverLog(t *testing.T) {
	t.Run("plain copy", func(t *testing.T) {
		path, backup := crashed(t, 50)
		mustCopy(t, backup, path)
		if n := notes(t, path); n == 1 {
			t.Fatal("the harm that this test is about is gone")
		}
	})
	t.Run("Restore", func(t *testing.T) {
		path, backup := crashed(t, 50)
		result, err := maintenance.Restore(t.Context(), backup, path)
		if err != nil {
			t.Fatal(err)
		}
		if n := notes(t, path); n != 1 {
			t.Errorf("%d rows were restored, want 1", n)
		}
		if n := notes(t, result.Replaced); n != 51 {
			t.Errorf("the former database has %d rows, want 51: its log too", n)
		}
		report, err := maintenance.Check(t.Context(), mustOpenPlain(t, path))
		if err != nil || !report.OK() {
			t.Errorf("%v, %+v", err, report)
		}
	})
}

func TestRestore_NewPath(t *testing.T) {
	_, backup := crashed(t, 1)
	path := filepath.Join(t.TempDir(), "new.db")
	result, err := maintenance.Restore(t.Context(), backup, path)
	if err != nil || result.Replaced != "" {
		t.Fatal(result, err)
	}
	if n := notes(t, path); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// What cannot be restored leaves everything as it was.
func TestRestore_Refused(t *testing.T) {
	refused := func(t *testing.T, ctx context.Context, path, backup string, want error) {
		t.Helper()
		dir := filepath.Dir(path)
		before := mustHashAll(t, dir)
		if _, err := maintenance.Restore(ctx, backup, path); !errors.Is(err, want) {
			t.Fatalf("got error %v, want %v", err, want)
		}
		if after := mustHashAll(t, dir); before != after {
			t.Errorf("files changed from\n%sto\n%s", before, after)
		}
	}
	t.Run("open elsewhere", func(t *testing.T) {
		path, backup := crashed(t, 1)
		db := mustOpenPlain(t, path)
		mustExec(t, db, "INSERT INTO notes (text) VALUES ('open')")
		if _, err := maintenance.Restore(t.Context(), backup, path); !errors.Is(err, maintenance.ErrInUse) {
			t.Fatalf("got error %v, want ErrInUse", err)
		}
		mustExec(t, db, "INSERT INTO notes (text) VALUES ('still open')")
	})
	t.Run("idle elsewhere", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("without a write-ahead log a connection that does nothing is seen on Linux only")
		}
		path, backup := crashed(t, 1)
		mustExec(t, mustOpenPlain(t, path), "PRAGMA journal_mode=DELETE")
		holdOpen(t, path)
		refused(t, t.Context(), path, backup, maintenance.ErrInUse)
	})
	t.Run("itself", func(t *testing.T) {
		path, backup := crashed(t, 1)
		refused(t, t.Context(), backup, backup, maintenance.ErrSameFile)
		link := path + ".link"
		if err := os.Symlink(path, link); err != nil {
			t.Fatal(err)
		}
		refused(t, t.Context(), link, path, maintenance.ErrSameFile)
	})
	t.Run("damaged backup", func(t *testing.T) {
		path, backup := crashed(t, 1)
		if err := os.WriteFile(backup, []byte("this is no database, though long enough to be read as one"), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, t.Context(), path, backup, maintenance.ErrDamaged)
	})
	t.Run("no backup", func(t *testing.T) {
		path, backup := crashed(t, 1)
		refused(t, t.Context(), path, backup+".none", fs.ErrNotExist)
	})
	t.Run("cancelled", func(t *testing.T) {
		path, backup := crashed(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		refused(t, ctx, path, backup, context.Canceled)
	})
}

// Whoever is killed in the middle leaves a database under its name.
func TestRestore_NameIsNeverFree(t *testing.T) {
	path, backup := crashed(t, 1)
	ended, missing := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		defer func() { missing <- n }()
		for {
			select {
			case <-ended:
				return
			default:
				if _, err := os.Stat(path); err != nil {
					n++
				}
			}
		}
	}()
	for range 50 {
		if _, err := maintenance.Restore(t.Context(), backup, path); err != nil {
			t.Fatal(err)
		}
	}
	close(ended)
	if n := <-missing; n > 0 {
		t.Errorf("there was no database %d times", n)
	}
}

// A log whose database was moved away is kept: it may belong to that one.
func TestRestore_KeepsALogAlone(t *testing.T) {
	path, backup := crashed(t, 50)
	away := filepath.Join(t.TempDir(), "away.db")
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	if _, err := maintenance.Restore(t.Context(), backup, path); err != nil {
		t.Fatal(err)
	}
	if n := notes(t, path); n != 1 {
		t.Errorf("%d rows were restored, want 1", n)
	}
	kept, err := filepath.Glob(path + ".replaced-*-wal")
	if err != nil || len(kept) != 1 {
		t.Fatalf("logs that were kept: %q, %v", kept, err)
	}
	mustCopy(t, kept[0], away+"-wal")
	if n := notes(t, away); n != 51 {
		t.Errorf("with its log the former database has %d rows, want 51", n)
	}
}

// Who may read the former database may read the one in its place.
func TestRestore_KeepsMode(t *testing.T) {
	path, backup := crashed(t, 1)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := maintenance.Restore(t.Context(), backup, path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("it is %v (%v), want -rw-r-----", info.Mode(), err)
	}
}

// A link stays a link, and what it names is replaced.
func TestRestore_Link(t *testing.T) {
	path, backup := crashed(t, 50)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	result, err := maintenance.Restore(t.Context(), backup, link)
	if err != nil {
		t.Fatal(err)
	}
	if at, err := os.Readlink(link); err != nil || at != path {
		t.Errorf("the link leads to %q (%v)", at, err)
	}
	if n := notes(t, path); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
	if n := notes(t, result.Replaced); n != 51 {
		t.Errorf("the former database has %d rows, want 51", n)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := maintenance.Restore(t.Context(), backup, link); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to nothing: got error %v", err)
	}
}

// mustHashAll returns the names in a folder with hashes of their contents.
func mustHashAll(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all string
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all += fmt.Sprintf("%s %x\n", entry.Name(), sha256.Sum256(content))
	}
	return all
}
