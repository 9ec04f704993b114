package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// world is what is in a file before a workload begins: users with ids from 1,
// items with ids from 1, and sessions of each user in one season.
type world struct {
	Users, Items    int
	SessionsPerUser int
	AnswersEach     int // of a session
	SeasonID        int64
	EndedAt         time.Time     // of every session; it decides the season
	Pause           time.Duration // between a user's sessions, of which the last ends at EndedAt; 0: all end then
}

// lowestLeague is where all users play.
const lowestLeague = 1

// startCoins lets a user buy every item there is.
const startCoins = 1_000_000

// usual is the world of the benchmark.
func usual() world {
	return world{Users: 1000, Items: 200, SessionsPerUser: 5, AnswersEach: 20}
}

// answers is how many there are before a workload begins.
func (w world) answers() int64 { return int64(w.Users * w.SessionsPerUser * w.AnswersEach) }

// templates are the files that every run begins with a copy of: one for each
// layout, with the same rows.
type templates struct {
	dir   string
	world world
}

func (t *templates) path(l layout) string { return filepath.Join(t.dir, "template-"+string(l)+".db") }

// makeTemplates fills the files.
func makeTemplates(ctx context.Context, dir string, w world) (*templates, error) {
	t := &templates{dir: dir, world: w}
	t.world.EndedAt = lately()
	if err := t.fill(ctx, layoutHooks); err != nil {
		return nil, fmt.Errorf("make the template: %w", err)
	}
	// Tables that are there before the plugin comes keep SQLite's auto_vacuum
	// of none, as the rivals' own files would.
	if err := createTables(ctx, t.path(layoutWAL)); err != nil {
		return nil, fmt.Errorf("make the rivals' template: %w", err)
	}
	if err := t.fill(ctx, layoutWAL); err != nil {
		return nil, fmt.Errorf("make the rivals' template: %w", err)
	}
	if err := copyFile(t.path(layoutWAL), t.path(layoutRollback)); err != nil {
		return nil, err
	}
	db := openMattn(t.path(layoutRollback))
	_, err := db.ExecContext(ctx, "PRAGMA journal_mode=DELETE")
	return t, errors.Join(err, db.Close())
}

// createTables makes the tables through plain GORM.
func createTables(ctx context.Context, path string) error {
	db, err := gorm.Open(sqlite.Open(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	_, err = migrations.Up(ctx, db, migrations.Config{})
	return errors.Join(err, (&gormRival{db}).Close())
}

// fill puts the world's rows into a file. They are the same each time.
func (t *templates) fill(ctx context.Context, l layout) (err error) {
	rules := storage.DefaultRules()
	rules.StartCoins = startCoins
	quiet := hooks.Config{Logger: slog.New(slog.DiscardHandler)}
	f, err := openFlash(t.path(l), storage.Config{Rules: &rules, Hooks: quiet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.populate(ctx, &t.world)
}

// populate puts a world's rows into an empty database and says which season
// they are of.
func (f *flash) populate(ctx context.Context, w *world) error {
	season, err := f.store.Leagues.Season(ctx, w.EndedAt)
	if err != nil {
		return err
	}
	w.SeasonID = season.ID
	if err := f.people(ctx, *w); err != nil {
		return err
	}
	return f.history(ctx, *w)
}

// lately is when the sessions of a world that is made now ended.
func lately() time.Time { return time.Now().UTC().Truncate(time.Second).Add(-time.Minute) }

// people makes the users and the items.
func (f *flash) people(ctx context.Context, w world) error {
	return f.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		store := f.store.In(tx)
		for i := range w.Users {
			in := storage.NewUser{UID: fmt.Sprintf("learner-%04d", i), Name: fmt.Sprintf("Learner %d", i)}
			if _, err := store.Users.Create(ctx, in); err != nil {
				return err
			}
		}
		for i := range w.Items {
			item := models.ShopItem{
				Slug: fmt.Sprintf("item-%03d", i), Name: fmt.Sprintf("Item %d", i), Slot: "head",
				Rarity: "common", Price: int64(10 + i), Active: true,
			}
			if _, err := store.Shop.Put(ctx, item); err != nil {
				return err
			}
		}
		return nil
	})
}

// history books the sessions, a session of each user in turn, as they come in
// from a school and not one learner after the other.
func (f *flash) history(ctx context.Context, w world) error {
	r := rand.New(rand.NewPCG(1, 2))
	ids := idsFrom(w.EndedAt.Add(-time.Hour))
	for left := w.SessionsPerUser - 1; left >= 0; left-- {
		ended := w.EndedAt.Add(-w.Pause * time.Duration(left))
		if w.Pause > 0 {
			ids = idsFrom(ended.Add(-time.Minute))
		}
		err := f.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			store := f.store.In(tx)
			for _, user := range r.Perm(w.Users) {
				s := sessionOf(r, int64(user)+1, w.AnswersEach, ended, ids)
				if _, err := store.Sessions.Submit(ctx, s.submission()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// idsFrom returns a maker of ids of version 7 that are the same each time, a
// thousand of them a millisecond.
func idsFrom(at time.Time) func() models.ID {
	var n uint64
	return func() (id models.ID) {
		ms := uint64(at.UnixMilli()) + n/1000
		binary.BigEndian.PutUint64(id[:8], ms<<16|0x7000|n%1000)
		binary.BigEndian.PutUint64(id[8:], 1<<63|n)
		n++
		return id
	}
}

// copyFile copies a closed database and syncs it, so that none of it is left
// to be written when the clock runs.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
