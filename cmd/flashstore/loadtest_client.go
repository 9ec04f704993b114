package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

const (
	sessionAnswers = 20 // of a session: its usual length
	boardPlaces    = 50
	dashboardRows  = 10
)

// client is one of those that work at once. Nothing of it is shared, so that
// the clients wait for the database and never for each other.
type client struct {
	store  *storage.Store
	mix    mix
	name   string // of its learner
	user   int64
	season int64
	league int64
	random *rand.Rand
	shop   shopper
	did    []*series // by the parts of the mix
}

// shopper is whom a client buys for. Nobody buys an item twice: a shopper who
// has all of them is replaced by another one.
type shopper struct {
	user  int64
	items []int64
	next  int
	more  int // how many came after the first
}

// newClient makes a client with its learner, who has practised once and so is
// on a board.
func newClient(ctx context.Context, store *storage.Store, t task, number int) (*client, error) {
	m, err := mixByName(t.Mix)
	if err != nil {
		return nil, err
	}
	c := &client{
		store: store, mix: m, name: fmt.Sprintf("loadtest-%s-%d", t.Run, number),
		random: rand.New(rand.NewPCG(uint64(number), 0)),
		shop:   shopper{items: t.Items},
	}
	user, err := store.Users.Create(ctx, storage.NewUser{UID: c.name, Name: fmt.Sprint("Client ", number)})
	if err != nil {
		return nil, err
	}
	c.user, c.league, c.shop.user = user.ID, user.LeagueID, user.ID
	receipt, err := store.Sessions.Submit(ctx, practiceOf(c.random, c.user, sessionAnswers))
	c.season = receipt.SeasonID
	for range m.parts {
		c.did = append(c.did, newSeries())
	}
	return c, err
}

// work does one call after the other until the time is over or ctx ends. A
// call that has begun is finished, so that what was acknowledged is what is
// stored.
func (c *client) work(ctx context.Context, start time.Time, duration time.Duration) {
	calls := context.WithoutCancel(ctx)
	for ctx.Err() == nil {
		kind := c.mix.draw(c.random)
		do, err := c.mix.parts[kind].next(c, calls)
		begin := time.Now()
		if begin.Sub(start) >= duration {
			return
		}
		if err == nil {
			err = do(calls)
		}
		end := time.Now()
		c.did[kind].add(end.Sub(begin), end.Sub(start), err)
	}
}

func (c *client) answer(context.Context) (request, error) {
	a := singleAnswer(c.random)
	return func(ctx context.Context) error {
		_, err := c.store.Answers.Append(ctx, c.user, a)
		return err
	}, nil
}

func (c *client) submit(context.Context) (request, error) {
	s := practiceOf(c.random, c.user, sessionAnswers)
	return func(ctx context.Context) error {
		_, err := c.store.Sessions.Submit(ctx, s)
		return err
	}, nil
}

func (c *client) board(context.Context) (request, error) {
	return func(ctx context.Context) error {
		if _, err := c.store.Leagues.Board(ctx, c.season, c.league, "", boardPlaces); err != nil {
			return err
		}
		_, err := c.store.Leagues.Rank(ctx, c.season, c.user)
		return err
	}, nil
}

func (c *client) dashboard(context.Context) (request, error) {
	return func(ctx context.Context) error {
		if _, err := c.store.Users.Get(ctx, c.user); err != nil {
			return err
		}
		if _, err := c.store.Sessions.Recent(ctx, c.user, dashboardRows); err != nil {
			return err
		}
		_, err := c.store.Mastery.Weakest(ctx, c.user, "", dashboardRows)
		return err
	}, nil
}

func (c *client) purchase(ctx context.Context) (request, error) {
	if c.shop.next == len(c.shop.items) {
		if err := c.nextShopper(ctx); err != nil {
			return nil, err
		}
	}
	user, item, id := c.shop.user, c.shop.items[c.shop.next], models.NewID()
	c.shop.next++
	return func(ctx context.Context) error {
		_, err := c.store.Shop.Purchase(ctx, user, item, id)
		return err
	}, nil
}

// nextShopper makes another learner, with coins and without any item.
func (c *client) nextShopper(ctx context.Context) error {
	user, err := c.store.Users.Create(ctx, storage.NewUser{UID: fmt.Sprint(c.name, "-", c.shop.more+1)})
	if err != nil {
		return fmt.Errorf("make another learner to buy: %w", err)
	}
	c.shop = shopper{user: user.ID, items: c.shop.items, more: c.shop.more + 1}
	return nil
}
