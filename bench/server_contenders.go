package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
	"github.com/flashstore/flashstore/writequeue"
)

// The kinds of candidates on PostgreSQL; a pool's size or a number of lanes
// stands behind a name.
const (
	nameServerFlash    = "flashstore on PostgreSQL"
	nameServerGorm     = "GORM on PostgreSQL"
	nameServerByHand   = "database/sql by hand on PostgreSQL"
	nameServerPipeline = "pgx pipeline by hand on PostgreSQL"
)

// poolSizes are tried by each rival by hand; the best one is compared with.
var poolSizes = []int{8, 16, 32, 64}

// laneCounts are tried by flashstore beside its default.
var laneCounts = []int{1, 2, 4, 8}

func poolName(kind string, size int) string { return fmt.Sprintf("%s, pool of %d", kind, size) }
func lanesName(lanes int) string            { return nameServerFlash + ", " + plural(lanes, "lane") }

// serverContenders are all candidates on PostgreSQL, in the order of the
// table. The path that they are opened with is a DSN, and PostgreSQL has no
// setting such as Sync.
func serverContenders() []contender {
	list := []contender{{Name: nameServerFlash, open: openServerFlash(0)}}
	for _, lanes := range laneCounts {
		list = append(list, contender{Name: lanesName(lanes), open: openServerFlash(lanes)})
	}
	for _, size := range poolSizes {
		list = append(list, contender{Name: poolName(nameServerByHand, size), open: openServerByHand(size)})
	}
	for _, size := range poolSizes {
		list = append(list, contender{Name: poolName(nameServerPipeline, size), open: openServerPipeline(size)})
	}
	return append(list, contender{Name: nameServerGorm, open: openServerGorm})
}

// everyContender are those on a file and those on PostgreSQL.
func everyContender() []contender { return slices.Concat(contenders, serverContenders()) }

// openServerFlash opens flashstore with a number of lanes; 0 is its default,
// and with it a Config that says nothing.
func openServerFlash(lanes int) func(dsn string, _ Sync) (Candidate, error) {
	return func(dsn string, _ Sync) (Candidate, error) {
		return openFlashOver(postgres.Open(dsn), storage.Config{Queue: writequeue.Config{Lanes: lanes}})
	}
}

// errNotAsked is what rivals say that are measured at answers alone.
var errNotAsked = errors.New("this candidate is measured at single answers alone")

// answersOnly is the rest of a Candidate.
type answersOnly struct{}

func (answersOnly) Session(context.Context, *Session) error   { return errNotAsked }
func (answersOnly) Purchase(context.Context, *Purchase) error { return errNotAsked }
func (answersOnly) Recent(context.Context, int64, int) ([]models.AnswerEvent, error) {
	return nil, errNotAsked
}
func (answersOnly) Board(context.Context, int64, int64, int) ([]storage.Standing, error) {
	return nil, errNotAsked
}
func (answersOnly) Rank(context.Context, int64, int64) (storage.Standing, error) {
	return storage.Standing{}, errNotAsked
}

// serverGorm is service code over plain GORM, with the pool of GORM's own
// documentation.
type serverGorm struct {
	answersOnly
	db *gorm.DB
}

func openServerGorm(dsn string, _ Sync) (Candidate, error) {
	db, err := gorm.Open(postgres.Open(dsn), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	pool.SetMaxIdleConns(10)
	pool.SetMaxOpenConns(90) // the server takes 100; the documentation says 100
	return &serverGorm{db: db}, nil
}

// Answer books an answer as the other rivals with GORM do, and notes the user
// for the next rollup.
func (g *serverGorm) Answer(ctx context.Context, a *Answer) error {
	return g.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := createAnswer(tx, a, models.ID{}); err != nil {
			return err
		}
		return queueUser(tx, a.UserID)
	})
}

func (g *serverGorm) Close() error {
	pool, err := g.db.DB()
	return errors.Join(err, pool.Close())
}
