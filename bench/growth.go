package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
)

// growth is what was measured while one file grew.
type growth struct {
	Date    time.Time    `json:"date"`
	Machine machine      `json:"machine"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"`
	Stops   []growthStop `json:"stops"`
}

// growthStop is what was measured at one size.
type growthStop struct {
	Answers        int64   `json:"answers"`
	Bytes          int64   `json:"bytes"`
	BytesPerAnswer float64 `json:"bytes_per_answer"`
	FillPerSecond  float64 `json:"fill_per_second"` // answers, on the way here
	OpenSeconds    float64 `json:"open_seconds"`
	BackupSeconds  float64 `json:"backup_seconds"`
	Memory         memory  `json:"memory"`
	Failed         int64   `json:"failed"`

	// Rates are medians per second: answers of submit, reads of the others.
	// Control is submit into a file of 100,000 answers at the same time: what
	// the machine was worth just then.
	Submit  float64            `json:"submit"`
	Control float64            `json:"control"`
	Reads   map[string]float64 `json:"reads"`
	ByHand  map[string]float64 `json:"reads_by_hand"` // database/sql, on the same file
}

// growthSession is how many answers a session has.
const growthSession = 20

// growthClients submit and read at once.
const growthClients = 8

// grower makes one file larger and larger.
type grower struct {
	o     *options
	dir   string
	path  string
	world world
	flash *flash
	say   io.Writer

	answers int64
	file    *templates // for the control
}

// grow measures at each stop and keeps what it has when it ends early.
func (o *options) grow(ctx context.Context, r *results, say io.Writer) (err error) {
	stops, err := o.growthStops()
	if err != nil {
		return err
	}
	dir, remove, err := o.workspace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	g := &grower{o: o, dir: dir, path: filepath.Join(dir, "growth.db"), say: say}
	if err := g.begin(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.flash.Close()) }()
	deadline := time.Now().Add(o.limit)
	record := &growth{Date: time.Now().UTC().Truncate(time.Minute), Machine: thisMachine(dir), Rounds: o.rounds, Seconds: o.seconds}
	for _, stop := range stops {
		s, err := g.stop(ctx, stop, deadline)
		if errors.Is(err, errLate) {
			_, err = fmt.Fprintf(say, "no time left for %s answers\n", thousands(float64(stop)))
			return err
		}
		if err != nil {
			return err
		}
		record.Stops = append(record.Stops, s)
		r.Growth = record
		if err := r.save(o.json); err != nil {
			return err
		}
	}
	return nil
}

func (o *options) growthStops() (stops []int64, err error) {
	for text := range strings.SplitSeq(o.stops, ",") {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n < growthSession || len(stops) > 0 && n <= stops[len(stops)-1] {
			return nil, fmt.Errorf("-stops %q: give growing numbers, such as 100000,1000000", o.stops)
		}
		stops = append(stops, n)
	}
	return stops, nil
}

// errLate means that the time limit has passed.
var errLate = errors.New("the time limit has passed")

// begin makes the control's file, and the file that grows with its users.
func (g *grower) begin(ctx context.Context) (err error) {
	g.file = &templates{dir: g.dir, world: usual()}
	g.file.world.EndedAt = lately()
	if err := g.file.fill(ctx, layoutHooks); err != nil {
		return err
	}
	g.world = g.file.world
	// Reads find a full page from the first stop on.
	g.world.SessionsPerUser, g.world.AnswersEach = 1, growthSession
	if err := g.open(); err != nil {
		return err
	}
	return g.flash.people(ctx, g.world)
}

func (g *grower) open() (err error) {
	c, err := openFlashstore(g.path, Normal)
	if err != nil {
		return err
	}
	g.flash = c.(*flash)
	return nil
}

// stop fills the file up to a number of answers and measures there.
func (g *grower) stop(ctx context.Context, answers int64, deadline time.Time) (s growthStop, err error) {
	start, before := time.Now(), g.answers
	if err := g.fill(ctx, answers, deadline); err != nil {
		return s, err
	}
	s.Answers = g.answers
	s.FillPerSecond = float64(g.answers-before) / time.Since(start).Seconds()
	if s.Bytes, err = g.size(ctx); err != nil {
		return s, err
	}
	s.BytesPerAnswer = float64(s.Bytes) / float64(s.Answers)
	if s.OpenSeconds, err = g.openTime(); err != nil {
		return s, err
	}
	if s.BackupSeconds, err = g.backup(ctx); err != nil {
		return s, err
	}
	// This process has used flashstore alone, to fill, to open and to back up.
	m := readMemory()
	s.Memory = m
	if err := g.flash.Close(); err != nil {
		return s, err
	}
	if err := errors.Join(g.rates(ctx, &s), g.open()); err != nil {
		return s, err
	}
	_, err = fmt.Fprintf(g.say, "%s answers: %.1f bytes each, submit %s/s (control %s/s), open %.1f ms, backup %.2f s\n",
		thousands(float64(s.Answers)), s.BytesPerAnswer, thousands(s.Submit), thousands(s.Control), s.OpenSeconds*1e3, s.BackupSeconds)
	return s, err
}

// fill submits sessions of all users, mixed as they come in from a school: how
// full the pages of the tables are depends on it.
func (g *grower) fill(ctx context.Context, upTo int64, deadline time.Time) error {
	var left atomic.Int64
	left.Store((upTo - g.answers + growthSession - 1) / growthSession)
	sessions := left.Load()
	all, ctx := errgroup.WithContext(ctx)
	for n := range growthClients {
		all.Go(func() error {
			r := rand.New(rand.NewPCG(uint64(upTo), uint64(n)))
			for {
				// Each pass is over this client's users, in another order.
				for _, i := range r.Perm(g.world.Users/growthClients + 1) {
					user := int64(i*growthClients + n + 1)
					if user > int64(g.world.Users) {
						continue
					}
					if left.Add(-1) < 0 {
						return nil
					}
					if time.Now().After(deadline) {
						return errLate
					}
					s := sessionOf(r, user, growthSession, g.world.EndedAt, models.NewID)
					if err := g.flash.Session(ctx, &s); err != nil {
						return err
					}
				}
			}
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	g.answers += sessions * growthSession
	return nil
}

// size is the file's, with its log emptied into it.
func (g *grower) size(ctx context.Context) (int64, error) {
	if err := g.checkpoint(ctx); err != nil {
		return 0, err
	}
	info, err := os.Stat(g.path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// checkpoint empties the log. Another checkpoint that is under way, the
// store's own, is waited for.
func (g *grower) checkpoint(ctx context.Context) error {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		result, err := maintenance.Checkpoint(ctx, g.flash.db, maintenance.Truncate)
		if err != nil || result.Complete() && !result.Busy {
			return err
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("the checkpoint does not complete: %+v", result)
		}
	}
}

// openTime closes and opens the store several times and returns the median of
// the seconds that opening took. It leaves it open.
func (g *grower) openTime() (float64, error) {
	var took []float64
	for range 9 {
		if err := g.flash.Close(); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := g.open(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start).Seconds())
	}
	return median(took), nil
}

// rates measures submit, the control and the reads in rounds, each in a process
// of its own: what the rivals keep in memory is not flashstore's.
func (g *grower) rates(ctx context.Context, s *growthStop) (err error) {
	control := filepath.Join(g.dir, "control.db")
	if err := copyFile(g.file.path(layoutHooks), control); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeDatabase(control)) }()
	ours, err := contenderOf(nameFlashstore)
	if err != nil {
		return err
	}
	byHand, err := contenderOf(nameHandwritten)
	if err != nil {
		return err
	}
	submit := workload{Name: "submit", Sync: Normal, Op: "session", Clients: growthClients, Processes: 1, PerCall: growthSession}
	all := map[string][]float64{}
	for range g.o.rounds {
		err := errors.Join(
			g.rate(ctx, s, all, "submit", ours, submit, g.path),
			g.rate(ctx, s, all, "control", ours, submit, control))
		for _, read := range readWorkloads() {
			err = errors.Join(err,
				g.rate(ctx, s, all, read.Op, ours, read, g.path),
				g.rate(ctx, s, all, "by hand "+read.Op, byHand, read, g.path))
		}
		if err != nil {
			return err
		}
	}
	s.Submit, s.Control = median(all["submit"]), median(all["control"])
	s.Reads, s.ByHand = map[string]float64{}, map[string]float64{}
	for _, read := range readOps {
		s.Reads[read.op], s.ByHand[read.op] = median(all[read.op]), median(all["by hand "+read.op])
	}
	return nil
}

// rate adds one run to all under a name.
func (g *grower) rate(ctx context.Context, s *growthStop, all map[string][]float64, name string, c contender, w workload, path string) error {
	measuring := &runs{templates: &templates{dir: g.dir, world: g.world}, measured: g.o.measured()}
	outcomes, err := measuring.children(ctx, c, w, path)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f, err := figureOf(w, outcomes)
	if err != nil {
		return err
	}
	all[name] = append(all[name], f.PerSecond)
	s.Failed += f.Failed
	if name == "submit" {
		g.answers += outcomes[0].Main.Acked * growthSession
	}
	if c.Name == nameFlashstore {
		s.Memory = s.Memory.or(f.Memory)
	}
	return nil
}

// removeDatabase removes a database and what lies beside it.
func removeDatabase(path string) error {
	err := os.Remove(path)
	for _, suffix := range []string{"-wal", "-shm"} {
		if also := os.Remove(path + suffix); !errors.Is(also, fs.ErrNotExist) {
			err = errors.Join(err, also)
		}
	}
	return err
}

// backup copies the database and returns the seconds that it took.
func (g *grower) backup(ctx context.Context) (float64, error) {
	path := filepath.Join(g.dir, "backup.db")
	result, err := maintenance.Backup(ctx, g.flash.db, path)
	return result.Duration.Seconds(), errors.Join(err, os.Remove(path))
}
