package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// loadChildEnv is set where this test binary is to be the program itself: a
// load test of several processes runs it once more.
const loadChildEnv = "FLASHSTORE_LOADTEST_TEST_CHILD"

func init() {
	if os.Getenv(loadChildEnv) != "" {
		main() // and exit
	}
}

// asChildren lets the processes that a test starts be the program.
func asChildren(t *testing.T) {
	t.Helper()
	t.Setenv(loadChildEnv, "1")
	// The race detector lets a process sleep for a second before it exits.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
}

// loadRows reads the JSON of a load test: an object a line, with these keys
// and no other.
func loadRows(tb testing.TB, o outcome) (rows []loadRow) {
	tb.Helper()
	want := []string{
		"answers", "clients", "db_bytes", "durability", "errors", "max_ms", "mix", "p50_ms", "p95_ms", "p99_ms",
		"per_second", "processes", "seconds", "wal_peak_bytes",
	}
	for line := range strings.Lines(o.stdout) {
		var keys map[string]any
		if err := json.Unmarshal([]byte(line), &keys); err != nil {
			tb.Fatalf("read %s: %v", line, err)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(keys))); diff != "" {
			tb.Errorf("keys (-want +got):\n%s", diff)
		}
		var row loadRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			tb.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

// measured runs one mix on a file.
func measured(t *testing.T, path, name string, flags loadtestFlags) *loadRun {
	t.Helper()
	m, err := mixByName(name)
	if err != nil {
		t.Fatal(err)
	}
	r := &loadRun{mix: m, flags: flags, opts: options{db: path, durability: "balanced"}}
	if err := r.do(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	return r
}

// done returns how many calls of each kind succeeded.
func (r *loadRun) done() map[string]int64 {
	done := map[string]int64{}
	for i, w := range r.mix.parts {
		done[w.name] = r.total.Series[i].done()
	}
	return done
}

func mustCount(t *testing.T, path, query string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(mustAsk(t, path, query), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// S13–S18: what was acknowledged is what is stored, to the last row, by one
// process or several.
func TestLoadtestTotals(t *testing.T) {
	asChildren(t)
	const clients, preload = 5, 2300
	for _, name := range mixNames() {
		for _, processes := range []int{1, 2} {
			t.Run(fmt.Sprint(name, "/", processes), func(t *testing.T) {
				path := tempDB(t)
				r := measured(t, path, name, loadtestFlags{clients: clients, processes: processes, seconds: 0.2, preload: preload})
				done, all := r.done(), r.total.sum()
				if all.Errors != 0 || all.done() < clients {
					t.Errorf("%d calls and %d errors, the first %q", all.done(), all.Errors, all.First)
				}
				booked := preload + sessionAnswers*(clients+done["submit"]) + done["answers"]
				got := map[string]int64{
					"reported":  r.answers,
					"answers":   mustCount(t, path, "SELECT count(*) FROM answer_events"),
					"singles":   mustCount(t, path, "SELECT count(*) FROM answer_events WHERE session_id IS NULL"),
					"sessions":  mustCount(t, path, "SELECT count(*) FROM sessions"),
					"purchases": mustCount(t, path, "SELECT count(*) FROM inventory"),
					"for sale":  mustCount(t, path, "SELECT count(*) FROM shop_items WHERE active"),
					"size":      r.dbBytes,
				}
				want := map[string]int64{
					"reported": booked, "answers": booked, "singles": done["answers"],
					"sessions": 3 + clients + done["submit"], "purchases": done["purchase"], "for sale": 0,
					"size": fileSize(path),
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("stored (-want +got):\n%s", diff)
				}
				if sum := sumOf(all.Buckets); sum != all.done() {
					t.Errorf("%d calls over time, %d in all", sum, all.done())
				}
				if r.walPeak <= 0 || len(r.wal) == 0 {
					t.Errorf("the log was %d bytes long, of %d samples", r.walPeak, len(r.wal))
				}
				call(t, "check", "--db", path).must(t, 0).says(t, "ledger        ok")
			})
		}
	}
}

func sumOf(numbers []int64) (sum int64) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}

// Each mix is an object a line, and so are the kinds within "mixed".
func TestLoadtestJSON(t *testing.T) {
	asChildren(t)
	path := tempDB(t)
	out := call(t, "loadtest", "--db", path, "--mix", "answers,mixed", "--mix", "board", "--clients", "3", "--processes", "2",
		"--seconds", "0.1", "--preload", "1000", "--durability", "fast", "--json").must(t, 0).quiet(t)
	rows := loadRows(t, out)
	var names []string
	for _, row := range rows {
		names = append(names, row.Mix)
		if row.Clients != 3 || row.Processes != 2 || row.Durability != "fast" || row.Seconds < 0.1 || row.Errors != 0 {
			t.Errorf("the row %+v", row)
		}
		if row.P50 > row.P95 || row.P95 > row.P99 || row.P99 > row.Max {
			t.Errorf("the percentiles do not rise: %+v", row)
		}
		if row.WALPeakBytes <= 0 || row.DBBytes <= 0 || row.Answers < 1060 {
			t.Errorf("the sizes of %+v", row)
		}
	}
	want := []string{"answers", "mixed/answers", "mixed/submit", "mixed/board", "mixed/dashboard", "mixed/purchase", "mixed", "board"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Fatalf("rows (-want +got):\n%s", diff)
	}
	last := rows[len(rows)-1]
	if got := mustCount(t, path, "SELECT count(*) FROM answer_events"); last.Answers != got {
		t.Errorf("it says %d answers, there are %d", last.Answers, got)
	}
	if last.DBBytes != fileSize(path) {
		t.Errorf("it says %d bytes, there are %d", last.DBBytes, fileSize(path))
	}
	if got := files(t, path); !slices.Equal(got, []string{filepath.Base(path)}) {
		t.Errorf("there is %q", got)
	}
}

// Without --db nothing stays, and neither $DATABASE_PATH nor the folder that
// it is called in is touched.
func TestLoadtestLeavesNothing(t *testing.T) {
	temp, here := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	t.Setenv("DATABASE_PATH", filepath.Join(temp, "mine.db"))
	t.Chdir(here)
	out := call(t, "loadtest", "--seconds", "0.1", "--clients", "2").must(t, 0).quiet(t)
	out.says(t, "2 clients in 1 process, durability balanced", "MIX", "PER SECOND", "P99", "mixed/dashboard", "KiB")
	for _, dir := range []string{temp, here} {
		if got := files(t, filepath.Join(dir, "x")); len(got) != 0 {
			t.Errorf("there is %q", got)
		}
	}
}

func TestLoadtestPrefix(t *testing.T) {
	asChildren(t)
	path := foreign(t)
	args := []string{"loadtest", "--db", path, "--seconds", "0.1", "--clients", "2", "--processes", "2"}
	call(t, args...).must(t, 1).says(t, `"users"`, "--prefix")
	call(t, append(args, "--prefix", "fs_")...).must(t, 0)
	if got := mustAsk(t, path, "SELECT count(*) FROM users"); got != "1" {
		t.Errorf("the other program has %s users", got)
	}
}

// Calls that fail are counted, the first is shown, and what succeeded is
// measured all the same.
func TestLoadtestErrors(t *testing.T) {
	path := tempDB(t)
	call(t, "migrate", "up", "--db", path).must(t, 0)
	mustExec(t, path, `CREATE TRIGGER broken BEFORE INSERT ON answer_events WHEN NEW.session_id IS NULL AND NEW.correct
		BEGIN SELECT RAISE(ABORT, 'right answers are broken'); END`)
	out := call(t, "loadtest", "--db", path, "--mix", "answers", "--seconds", "0.2", "--clients", "2", "--json").must(t, 1)
	rows := loadRows(t, out)
	if len(rows) != 1 || rows[0].Errors == 0 {
		t.Fatalf("it says %s", out.stdout)
	}
	if want := fmt.Sprint("answers: ", rows[0].Errors, " error"); !strings.HasPrefix(out.stderr, want) {
		t.Errorf("it says %q, want %q", out.stderr, want)
	}
	out.says(t, "right answers are broken")
	if got := mustCount(t, path, "SELECT count(*) FROM answer_events WHERE correct = 0 AND session_id IS NULL"); rows[0].Answers != got+2*sessionAnswers {
		t.Errorf("it says %d answers, there are %d and %d of the sessions", rows[0].Answers, got, 2*sessionAnswers)
	}
}

// An interrupt ends the work, in all processes; what was measured is shown,
// and it is what is stored. Mixes that are left are left out.
func TestLoadtestInterrupt(t *testing.T) {
	asChildren(t)
	for _, processes := range []string{"1", "2"} {
		t.Run(processes, func(t *testing.T) {
			path := tempDB(t)
			ctx, interrupt := context.WithCancel(t.Context())
			call(t, "migrate", "up", "--db", path).must(t, 0)
			db := mustOpen(t, path)
			go func() {
				defer interrupt()
				for n := 0; n == 0 && ctx.Err() == nil; time.Sleep(time.Millisecond) {
					_ = db.QueryRow("SELECT count(*) FROM answer_events WHERE session_id IS NULL").Scan(&n)
				}
			}()
			out := callWith(ctx, "", "loadtest", "--db", path, "--mix", "answers,board", "--clients", "2",
				"--processes", processes, "--seconds", "3600", "--json").must(t, 0)
			out.says(t, "interrupted: answers was measured for")
			rows := loadRows(t, out)
			if len(rows) != 1 || rows[0].Errors != 0 || rows[0].Seconds > 1800 {
				t.Fatalf("it says %s", out.stdout)
			}
			if got := mustCount(t, path, "SELECT count(*) FROM answer_events"); rows[0].Answers != got {
				t.Errorf("it says %d answers, there are %d", rows[0].Answers, got)
			}
		})
	}
}

// Who is interrupted at the very start has started, in each process: it is
// let go before it is dismissed.
func TestLoadtestInterruptedAtTheStart(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	letGo := make(chan struct{})
	if err := wait(ctx, letGo); !errors.Is(err, context.Canceled) {
		t.Errorf("before the start, wait: %v, want context.Canceled", err)
	}
	var orders orderBook
	if command(ctx, &orders, letGo); orders.String() != "" || !orders.closed {
		t.Errorf("before the start a process is told %q, and that this is all: %v", &orders, orders.closed)
	}
	close(letGo)
	for range 64 { // a select takes either of two cases that are ready
		if err := wait(ctx, letGo); err != nil {
			t.Fatalf("at the start, wait: %v", err)
		}
		var orders orderBook
		if command(ctx, &orders, letGo); orders.String() != goLine || !orders.closed {
			t.Fatalf("at the start a process is told %q, and that this is all: %v", &orders, orders.closed)
		}
	}
}

// orderBook is what a process of the load test is told.
type orderBook struct {
	bytes.Buffer
	closed bool
}

func (o *orderBook) Close() error {
	o.closed = true
	return nil
}

// Before the clock starts an interrupt is a failure, and nothing is shown.
func TestLoadtestInterruptedEarly(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	out := callWith(ctx, "", "loadtest", "--db", tempDB(t), "--preload", "1000").must(t, 1).says(t, "context canceled")
	if out.stdout != "" {
		t.Errorf("it prints %q", out.stdout)
	}
}

// A process that cannot do its part ends the test, with its own words.
func TestLoadtestProcessFails(t *testing.T) {
	asChildren(t)
	path := tempDB(t)
	good := task{DB: path, Durability: "balanced", Mix: "answers", Clients: 1, Duration: time.Hour}
	bad := good
	bad.Durability = "strong"
	_, err := together(t.Context(), []task{good, bad}, func() { t.Error("it began") })
	if err == nil || !strings.Contains(err.Error(), `a process of the load test failed: durability "strong"`) {
		t.Errorf("it says %v", err)
	}
	callWith(t.Context(), "", "loadtest", "process").must(t, 1).says(t, "read the task", "loadtest --processes")
	callWith(t.Context(), "{\n", "loadtest", "process").must(t, 1).says(t, "read the task")
	task, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	// Its input ends before it is let go.
	callWith(t.Context(), string(task)+"\n", "loadtest", "process").must(t, 1).says(t, "context canceled")
}

// Who has bought everything makes room for another learner.
func TestLoadtestShoppers(t *testing.T) {
	path := tempDB(t)
	opts := options{db: path, durability: "balanced"}
	err := opts.withStore(func(db *database) error {
		items, err := db.putItems(t.Context(), true)
		if err != nil {
			return err
		}
		clients, err := task{Mix: "purchase", Clients: 1, Items: items[:3]}.newClients(t.Context(), db)
		if err != nil {
			return err
		}
		for range 10 {
			buy, err := clients[0].purchase(t.Context())
			if err := errors.Join(err, buy(t.Context())); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := lines(t, path, "SELECT uid, count(*) FROM users JOIN inventory ON user_id = id GROUP BY id")
	for i := range got {
		got[i] = strings.TrimPrefix(got[i], "loadtest-00000000-0000-0000-0000-000000000000-")
	}
	if diff := cmp.Diff([]string{"0-1|3", "0-2|3", "0-3|1", "0|3"}, got); diff != "" {
		t.Errorf("purchases (-want +got):\n%s", diff)
	}
}

func TestLoadtestReport(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "report")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte("a report that is there is replaced: src="), 0o644); err != nil {
		t.Fatal(err)
	}
	call(t, "loadtest", "--seconds", "0.6", "--clients", "2", "--mix", "mixed,answers", "--report", dir).must(t, 0).quiet(t)
	want := []string{"index.html", "latency.png", "latency.svg", "throughput.png", "throughput.svg", "wal.png", "wal.svg"}
	if diff := cmp.Diff(want, files(t, filepath.Join(dir, "x"))); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	for _, name := range want {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		switch filepath.Ext(name) {
		case ".png":
			if _, err := png.Decode(bytes.NewReader(content)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case ".svg":
			mustXML(t, name, content)
		default:
			mustStandAlone(t, string(content))
		}
	}
	call(t, "loadtest", "--report", filepath.Join(dir, "index.html"), "--seconds", "0.1").must(t, 1).says(t, "make a folder for the report")
}

func mustXML(t *testing.T, name string, content []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(content)); ; {
		switch _, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// mustStandAlone fails the test unless the page has everything in itself.
func mustStandAlone(t *testing.T, page string) {
	t.Helper()
	for _, word := range []string{"http://", "https://", "src=", "href=", "<script", "<link", "@import", "url("} {
		if strings.Contains(page, word) {
			t.Errorf("the page has %q", word)
		}
	}
	for _, word := range []string{"mixed/board", "SQLite", "Processors", "prefers-color-scheme", "Latency by percentile", "currentColor"} {
		if !strings.Contains(page, word) {
			t.Errorf("the page lacks %q", word)
		}
	}
	if n := strings.Count(page, "<svg"); n != 3 {
		t.Errorf("the page has %d plots", n)
	}
}

// Flags that make no sense are refused before anything is made.
func TestLoadtestUsage(t *testing.T) {
	for _, args := range []string{
		"--mix nonsense", "--mix answers,", "--mix=", "--clients 0", "--clients 1001", "--clients many",
		"--processes 0", "--processes 65 --clients 100", "--processes 3 --clients 2",
		"--seconds 0", "--seconds 0.05", "--seconds NaN", "--seconds 1e9", "--seconds soon",
		"--preload -1", "--durability strong", "extra",
	} {
		t.Run(args, func(t *testing.T) {
			path := tempDB(t)
			args := append(append([]string{"loadtest"}, strings.Fields(args)...), "--db", path, "--report", filepath.Join(filepath.Dir(path), "report"))
			out := call(t, args...).must(t, 2).says(t, "'flashstore loadtest --help' for usage.")
			if got := files(t, path); len(got) != 0 || out.stdout != "" {
				t.Errorf("there is %v, and it prints %q", got, out.stdout)
			}
		})
	}
	call(t, "loadtest", "--mix", "nonsense").must(t, 2).says(t, `"nonsense"`, "mixed, answers, submit, board, dashboard, purchase")
}

func TestLoadtestHelp(t *testing.T) {
	out := call(t, "loadtest", "--help").must(t, 0).quiet(t)
	out.says(t, "Usage:\n  flashstore loadtest [flags]\n", "Examples:\n  flashstore loadtest", "answers     50%", "--durability", "loadtest-…")
	for line := range strings.Lines(out.stdout) {
		if len(line) > 121 {
			t.Errorf("a line is %d characters long: %s", len(line), line)
		}
	}
	if strings.Contains(out.stdout, "Available Commands") {
		t.Errorf("it shows what is not for people:\n%s", out.stdout)
	}
}
