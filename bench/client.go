package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/flashstore/flashstore/models"
)

// client is one of those who use the database at once. Nobody else writes for
// its users, as a learner has one device.
type client struct {
	world world
	users []int64
	turn  int // of the next user, and of the next item
	rand  *rand.Rand
}

// clientsOf returns n clients of all, those from number first on.
func clientsOf(w world, first, n, all int) []*client {
	list := make([]*client, n)
	for i := range list {
		c := &client{world: w, rand: rand.New(rand.NewPCG(uint64(first+i), 7))}
		for user := first + i; user < w.Users; user += all {
			c.users = append(c.users, int64(user)+1)
		}
		if len(c.users) == 0 { // more clients than users: they share
			c.users = []int64{int64((first+i)%w.Users) + 1}
		}
		list[i] = c
	}
	return list
}

// nextUser is the client's next user in turn.
func (c *client) nextUser() int64 {
	c.turn++
	return c.users[c.turn%len(c.users)]
}

// anyUser is some user of all.
func (c *client) anyUser() int64 { return int64(c.rand.IntN(c.world.Users)) + 1 }

// call is what a client asks of a candidate once. Its input is made before the
// clock runs.
type call func(ctx context.Context, c Candidate) error

// operation makes a client's next call. errDone means that there is nothing
// left to ask.
type operation func(c *client) (call, error)

var (
	errDone  = errors.New("nothing left to ask")
	errShort = errors.New("too few rows came back")
)

// operationsByName are all operations.
var operationsByName = map[string]operation{
	"answer":    nextAnswer,
	"session":   sessionOfLength(sessionLength),
	"batch":     sessionOfLength(batchLength),
	"purchase":  nextPurchase,
	"recent":    nextRecent,
	"board":     nextBoard,
	"rank":      nextRank,
	"dashboard": nextDashboard,
}

// sessionLength is the number of answers of the usual session.
const sessionLength = 20

// batchLength is the number of answers of the large session.
const batchLength = 10_000

// pageLength is how many rows a page of answers or of a board has.
const pageLength = 50

func nextAnswer(c *client) (call, error) {
	a := answerOf(c.rand, c.nextUser(), c.rand.IntN(len(operations)), models.NewID(), time.Now())
	return func(ctx context.Context, to Candidate) error { return to.Answer(ctx, &a) }, nil
}

func sessionOfLength(n int) operation {
	return func(c *client) (call, error) {
		s := sessionOf(c.rand, c.nextUser(), n, c.world.EndedAt, models.NewID)
		s.SeasonID = c.world.SeasonID
		return func(ctx context.Context, to Candidate) error { return to.Session(ctx, &s) }, nil
	}
}

// nextPurchase buys the first item for each of the client's users, then the
// second, and so on.
func nextPurchase(c *client) (call, error) {
	item := c.turn/len(c.users) + 1
	if item > c.world.Items {
		return nil, errDone
	}
	p := Purchase{UserID: c.users[c.turn%len(c.users)], ItemID: int64(item), ID: models.NewID(), At: time.Now().UTC()}
	c.turn++
	return func(ctx context.Context, to Candidate) error { return to.Purchase(ctx, &p) }, nil
}

func nextRecent(c *client) (call, error) {
	user := c.anyUser()
	return func(ctx context.Context, from Candidate) error {
		answers, err := from.Recent(ctx, user, pageLength)
		return enough(len(answers), min(pageLength, c.world.SessionsPerUser*c.world.AnswersEach), err)
	}, nil
}

func nextBoard(c *client) (call, error) {
	return func(ctx context.Context, from Candidate) error {
		board, err := from.Board(ctx, c.world.SeasonID, lowestLeague, pageLength)
		return enough(len(board), min(pageLength, c.world.Users), err)
	}, nil
}

func nextRank(c *client) (call, error) {
	user := c.anyUser()
	return func(ctx context.Context, from Candidate) error {
		standing, err := from.Rank(ctx, c.world.SeasonID, user)
		return enough(int(standing.Rank), 1, err)
	}, nil
}

// nextDashboard asks what flashstore alone has.
func nextDashboard(c *client) (call, error) {
	user := c.anyUser()
	return func(ctx context.Context, from Candidate) error {
		d, err := from.(*flash).Dashboard(ctx, user)
		played := !c.world.EndedAt.Before(d.Season.StartsAt) // and the bell has not rung since
		if err == nil && (played && d.Standing == nil || len(d.Weakest) != 10 || len(d.Operations) == 0) {
			return errShort
		}
		return enough(len(d.Recent), min(10, c.world.SessionsPerUser), err)
	}, nil
}

func enough(got, want int, err error) error {
	if err == nil && got < want {
		return errShort
	}
	return err
}
