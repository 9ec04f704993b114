package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

const (
	shopItems       = 500  // that one learner can buy, at a coin each
	classmates      = 200  // on a board: some pages of it
	preloadSession  = 1000 // answers of a preloaded session
	preloadLearners = 1000 // at most
)

// loadRules are the game's own, except that learners can buy all that there is:
// what they start with stands in their ledger.
func loadRules() storage.Rules {
	rules := storage.DefaultRules()
	rules.StartCoins = shopItems
	return rules
}

// withStore runs fn with the store on the load test's file, and closes it.
func (o *options) withStore(fn func(*database) error) (err error) {
	db, err := o.create(loadRules())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return fn(db)
}

// prepare makes what the clients find: items, classmates and the answers of
// --preload.
func (r *loadRun) prepare(ctx context.Context, out io.Writer) error {
	return r.opts.withStore(func(db *database) error {
		if r.mix.has("purchase") {
			var err error
			if r.items, err = db.putItems(ctx, true); err != nil {
				return err
			}
		}
		if r.mix.has("board") {
			if err := db.fillBoard(ctx); err != nil {
				return err
			}
		}
		bar := newProgress(out, r.flags.preload, "preload")
		defer bar.done()
		return db.preload(ctx, r.flags.preload, bar.add)
	})
}

// finish takes the items off sale and reads what the run left.
func (r *loadRun) finish(ctx context.Context) error {
	err := r.opts.withStore(func(db *database) error {
		if r.mix.has("purchase") {
			if _, err := db.putItems(ctx, false); err != nil {
				return err
			}
		}
		return db.db.WithContext(ctx).Table(r.opts.prefix + models.AnswerEvent{}.TableName()).Count(&r.answers).Error
	})
	if err != nil {
		return err
	}
	info, err := os.Stat(r.opts.db)
	if err != nil {
		return err
	}
	r.dbBytes = info.Size()
	return nil
}

// atOnce runs fn in one transaction: a commit for each row would take long
// where every one of them waits for the disk.
func (d *database) atOnce(ctx context.Context, fn func(*storage.Store) error) error {
	return hooks.Transaction(ctx, d.db, func(tx *gorm.DB) error { return fn(d.In(tx)) })
}

// putItems puts the items on sale, or takes them off, and returns their ids.
// They are the same in every run.
func (d *database) putItems(ctx context.Context, active bool) (ids []int64, err error) {
	err = d.atOnce(ctx, func(store *storage.Store) error {
		ids = nil // it may run again
		for i := range shopItems {
			item, err := store.Shop.Put(ctx, models.ShopItem{
				Slug: fmt.Sprintf("loadtest-%03d", i), Name: fmt.Sprint("Item ", i), Slot: "loadtest", Price: 1, Active: active,
			})
			if err != nil {
				return err
			}
			ids = append(ids, item.ID)
		}
		return nil
	})
	return ids, err
}

// fillBoard makes classmates, so that a board is longer than a page. They are
// the same in every run.
func (d *database) fillBoard(ctx context.Context) error {
	return d.atOnce(ctx, func(store *storage.Store) error {
		for i := range classmates {
			user, err := store.Users.Ensure(ctx, storage.NewUser{UID: fmt.Sprintf("loadtest-classmate-%03d", i), Name: fmt.Sprint("Classmate ", i)})
			if err != nil {
				return err
			}
			if _, err := store.Leagues.BookXP(ctx, user.ID, int64(10*i), time.Now()); err != nil {
				return err
			}
		}
		return nil
	})
}

// preload stores that many answers in big sessions, learner by learner, and
// says how many are done.
func (d *database) preload(ctx context.Context, answers int64, done func(int)) error {
	run, random := models.NewID(), rand.New(rand.NewPCG(0, 0))
	var learners []int64
	for session := 0; answers > 0; session++ {
		if len(learners) < preloadLearners {
			user, err := d.Users.Create(ctx, storage.NewUser{UID: fmt.Sprintf("loadtest-%s-preload-%d", run, session), Name: fmt.Sprint("Learner ", session)})
			if err != nil {
				return err
			}
			learners = append(learners, user.ID)
		}
		size := int(min(answers, preloadSession))
		if _, err := d.Sessions.Submit(ctx, practiceOf(random, learners[session%len(learners)], size)); err != nil {
			return fmt.Errorf("preload: %w", err)
		}
		answers -= int64(size)
		done(size)
	}
	return nil
}
