package maintenance_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

// The rates are counted by the log's own times.
func TestAdviseRates(t *testing.T) {
	eachSetup(t, func(t *testing.T, open func(path string) *gorm.DB) {
		db := open(filepath.Join(t.TempDir(), "app.db"))
		exec := func(query string, args ...any) {
			t.Helper()
			if err := db.Exec(query, args...).Error; err != nil {
				t.Fatal(err)
			}
		}
		log := maintenance.WriteLog{Table: `odd "log"`, Column: "at"}
		exec(`CREATE TABLE "odd ""log""" (at INTEGER)`)
		ask := func(log maintenance.WriteLog) maintenance.Advices {
			t.Helper()
			got, err := maintenance.Advise(t.Context(), db, log)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := ask(log).Figures.Writes; got != (maintenance.Rates{Known: true}) {
			t.Errorf("an empty log has the rates %+v", got)
		}
		hour := time.Date(2026, 5, 13, 16, 0, 0, 0, time.UTC)
		for _, at := range []time.Duration{-40 * time.Hour, 0, 0, time.Minute - 1, time.Minute, 59 * time.Minute, time.Hour, 90 * time.Minute} {
			exec(`INSERT INTO "odd ""log""" VALUES (?)`, hour.Add(at).UnixMilli())
		}
		got := ask(log)
		want := maintenance.Rates{Known: true, Rows: 8, LastDay: 7, BusiestHour: 5, BusiestMinute: 3, Last: hour.Add(90 * time.Minute)}
		if diff := cmp.Diff(want, got.Figures.Writes); diff != "" {
			t.Errorf("rates (-want +got)\n%s", diff)
		}
		if got.Verdict == maintenance.Leave || got.Figures.DatabaseBytes == 0 {
			t.Errorf("got %+v", got)
		}
		if none := ask(maintenance.WriteLog{}); none.Figures.Writes.Known {
			t.Errorf("rates of no log: %+v", none)
		}
		if _, err := maintenance.Advise(t.Context(), db, maintenance.WriteLog{Table: "nothing", Column: "at"}); err == nil {
			t.Error("a log that is not there is read")
		}
	})
}

// Another process that has the file open is counted, for as long as it has.
func TestAdviseProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.db")
	db := mustOpenHooks(t, path)
	if err := db.Exec("CREATE TABLE letters (n INTEGER)").Error; err != nil {
		t.Fatal(err)
	}
	count := func() int {
		t.Helper()
		got, err := maintenance.Advise(t.Context(), db, maintenance.WriteLog{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Figures.OtherProcesses
	}
	if runtime.GOOS != "linux" {
		if n := count(); n != -1 {
			t.Errorf("%d processes are counted", n)
		}
		return
	}
	if n := count(); n != 0 {
		t.Errorf("%d processes are counted, and there is none", n)
	}
	end := holdOpen(t, path)
	if n := count(); n != 1 {
		t.Errorf("%d processes are counted, and there is one", n)
	}
	end()
	if n := count(); n != 0 {
		t.Errorf("%d processes are counted after its end", n)
	}
}

// holdOpen has another process open a file until end is called, or the test
// ends.
func holdOpen(t *testing.T, path string) (end func()) {
	t.Helper()
	other := exec.Command("sh", "-c", `exec 3<"$0"; echo open; read end`, path)
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	other.Stderr = os.Stderr
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = in.Close()
		_ = other.Wait() // read says 1 at the end of its input
	})
	t.Cleanup(end)
	return end
}
