package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// task is the part of a run that one process does.
type task struct {
	DB         string        `json:"db"`
	Prefix     string        `json:"prefix"`
	Durability string        `json:"durability"`
	Mix        string        `json:"mix"`
	Run        models.ID     `json:"run"`   // in the names of its learners
	First      int           `json:"first"` // number of its first client
	Clients    int           `json:"clients"`
	Duration   time.Duration `json:"duration"`
	Items      []int64       `json:"items"` // to be bought; none where nothing is
}

// tasks shares the clients out among the processes.
func (r *loadRun) tasks() []task {
	tasks := make([]task, r.flags.processes)
	run, first := models.NewID(), 0
	for i := range tasks {
		clients := (r.flags.clients - first) / (len(tasks) - i)
		tasks[i] = task{
			DB: r.opts.db, Prefix: r.opts.prefix, Durability: r.opts.durability, Mix: r.mix.name,
			Run: run, First: first, Clients: clients, Duration: r.flags.duration(), Items: r.items,
		}
		first += clients
	}
	return tasks
}

// together does tasks at one time: each says when it is ready, and when the
// last of them is, begin is called and all start. One task is done here,
// several in a process each.
func together(ctx context.Context, tasks []task, begin func()) ([]measurement, error) {
	do := task.do
	if len(tasks) > 1 {
		do = task.doElsewhere
	}
	var (
		all    = make([]measurement, len(tasks))
		letGo  = make(chan struct{})
		missed atomic.Int64
	)
	missed.Store(int64(len(tasks)))
	ready := func() {
		if missed.Add(-1) == 0 {
			begin()
			close(letGo)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, t := range tasks {
		group.Go(func() (err error) {
			all[i], err = do(t, ctx, ready, letGo)
			return err
		})
	}
	return all, group.Wait()
}

// do makes the task's clients, has them work from letGo on and returns what
// they measured. When ctx ends they stop early.
func (t task) do(ctx context.Context, ready func(), letGo <-chan struct{}) (m measurement, err error) {
	opts := options{db: t.DB, prefix: t.Prefix, durability: t.Durability}
	err = opts.withStore(func(db *database) error {
		clients, err := t.newClients(ctx, db)
		if err != nil {
			return err
		}
		ready()
		if err := wait(ctx, letGo); err != nil {
			return err
		}
		m = work(ctx, clients, t.Duration)
		m.WALBytes = fileSize(t.DB + "-wal")
		return nil
	})
	return m, err
}

// wait waits for letGo. If that and the end of ctx come at once, letGo wins:
// the others are at work, and what they did is to be measured.
func wait(ctx context.Context, letGo <-chan struct{}) error {
	select {
	case <-letGo:
		return nil
	case <-ctx.Done():
	}
	select {
	case <-letGo:
		return nil
	default:
		return ctx.Err()
	}
}

// newClients makes the clients with their learners, all in one transaction.
func (t task) newClients(ctx context.Context, db *database) (clients []*client, err error) {
	err = db.atOnce(ctx, func(store *storage.Store) error {
		clients = nil // it may run again
		for i := range t.Clients {
			c, err := newClient(ctx, store, t, t.First+i)
			if err != nil {
				return err
			}
			c.store = db.Store
			clients = append(clients, c)
		}
		return nil
	})
	return clients, err
}

// work lets the clients work and returns what they measured, by the parts of
// their mix.
func work(ctx context.Context, clients []*client, duration time.Duration) measurement {
	start := time.Now()
	var all sync.WaitGroup
	for _, c := range clients {
		all.Go(func() { c.work(ctx, start, duration) })
	}
	all.Wait()
	elapsed := time.Since(start)
	each := make([]measurement, len(clients))
	for i, c := range clients {
		each[i] = measurement{Elapsed: elapsed, Series: c.did}
	}
	return merged(each)
}
