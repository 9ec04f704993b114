package storage_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/storage"
)

// settlerEnv makes this test binary a process that settles: its value is where
// the database is.
const settlerEnv = "FLASHSTORE_TEST_SETTLER"

// hang is how long a process may take before it is given up.
const hang = time.Minute

// Sixteen processes wait for the bell, settle all that is due, and then say
// which seasons they have brought to an end: each of them one process, and each
// prize is paid once.
func TestLeagues_SettleDue_Processes(t *testing.T) {
	f := MustOpen(t)
	missed := lastWeek.AddDate(0, 0, -7)
	for league := int64(1); league <= 5; league++ {
		for _, user := range MustPlay(t, f, league, xps(80, 70, 60, 50, 40, 30)...) {
			MustBookXP(t, f.Store, user.ID, 30, missed)
		}
	}
	within, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	settlers := make([]*settler, 16)
	for i := range settlers {
		settlers[i] = startSettler(t, within, f.path)
	}
	for _, s := range settlers {
		equal(t, s.mustSay(t), "ready")
	}
	for _, err := range atOnce(len(settlers), func(i int) error { return settlers[i].stdin.Close() }) {
		must(t, err)
	}
	settled := map[int64]int{}
	for _, s := range settlers {
		for _, season := range s.mustSettle(t) {
			settled[season]++
		}
	}
	equal(t, settled, map[int64]int{20260426: 1, lastSeason: 1})
	const winners = 5 * 3
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM coin_ledger WHERE reason = 'prize'"), int64(2*winners))
	equal(t, MustInt(t, f.db, "SELECT sum(coins) FROM users"), int64(5*6*100+2*winners*250))
	MustReconcile(t, f.Store)
}

// settlerMain is the main function of a process that settles.
func settlerMain(path string) int {
	seasons, err := settleAtBell(path)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(seasons)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// settleAtBell opens the store, says so, and settles when its standard input
// ends.
func settleAtBell(path string) (seasons []int64, err error) {
	db, err := gorm.Open(dialectorOf(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	store := storage.New(storage.Config{
		SettleBatch: 3, Now: func() time.Time { return noon },
		Hooks: hooks.Config{Logger: slog.New(slog.DiscardHandler)}, // it sees the other processes
	})
	if err := db.Use(store); err != nil {
		return nil, err
	}
	defer func() {
		pool, closing := db.DB()
		if closing == nil {
			closing = pool.Close()
		}
		err = errors.Join(err, store.Close(), closing)
	}()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	results, err := store.Leagues.SettleDue(context.Background())
	for _, result := range results {
		seasons = append(seasons, result.Season.ID)
	}
	return seasons, err
}

// settler is this test binary, run once more.
type settler struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Reader
}

func startSettler(t *testing.T, ctx context.Context, path string) *settler {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0])
	// The race detector lets a process sleep for a second before it exits.
	cmd.Env = append(os.Environ(), settlerEnv+"="+path, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	return &settler{cmd: cmd, stdin: stdin, stdout: bufio.NewReader(stdout)}
}

// mustSay returns the next line of a process.
func (s *settler) mustSay(t *testing.T) string {
	t.Helper()
	line, err := s.stdout.ReadString('\n')
	must(t, err)
	return line[:len(line)-1]
}

// mustSettle waits for a process to end, and returns the seasons that it has
// settled.
func (s *settler) mustSettle(t *testing.T) (seasons []int64) {
	t.Helper()
	must(t, json.Unmarshal([]byte(s.mustSay(t)), &seasons))
	must(t, s.cmd.Wait())
	return seasons
}
