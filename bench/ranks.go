package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// rankWorkloads ask for places on one board, of users at random.
func rankWorkloads() []workload {
	alone := largeWorkload("rank-million", "alone", "rank")
	return []workload{
		alone,
		alone.beside("rank-million-paced", "beside 16 writers at one pace", largePace),
		alone.beside("rank-million-beside", "beside 16 writers", 0),
	}
}

func measureRanks(ctx context.Context, m *partRun) error {
	measuring, err := largeRuns(m, world{Users: m.o.sizes.participants}, "ranks")
	if err != nil {
		return err
	}
	measuring.templates.world.EndedAt = lately()
	start := time.Now()
	if err := measuring.makeFile(ctx, func(f *flash, w *world) error { return f.fillBoard(ctx, w) }); err != nil {
		return fmt.Errorf("make the board: %w", err)
	}
	_, err = fmt.Fprintf(m.say, "a board of %s made in %.1f s\n", thousands(float64(m.o.sizes.participants)), time.Since(start).Seconds())
	if err != nil {
		return err
	}
	measuring.after = func(ctx context.Context, path string) error {
		return compareRanks(ctx, path, measuring.templates.world)
	}
	m.Users = m.o.sizes.participants
	return m.rounds(func(int) error {
		for _, w := range rankWorkloads() {
			// By hand does not keep what flashstore may keep beside the board:
			// nothing is to be compared after it.
			if err := m.largeRound(ctx, measuring, w, nameFlashstore); err != nil {
				return err
			}
			byHand := *measuring
			byHand.after = nil
			if err := m.largeRound(ctx, &byHand, w, nameHandwritten); err != nil {
				return err
			}
		}
		return nil
	})
}

// boardUsers are written by the database itself; what a board is made of goes
// through the store, whatever that keeps beside the board.
const boardUsers = `
INSERT INTO users (uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
SELECT 'learner-' || i, 'Learner ' || i, 1, 0, 0, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS BIGINT) FROM n`

// fillBoard makes users who all play on one board.
func (f *flash) fillBoard(ctx context.Context, w *world) error {
	season, err := f.store.Leagues.Season(ctx, w.EndedAt)
	if err != nil {
		return err
	}
	w.SeasonID = season.ID
	at := w.EndedAt.UnixMilli()
	if err := f.db.WithContext(ctx).Exec(boardUsers, w.Users, lowestLeague, at, at, at).Error; err != nil {
		return err
	}
	const clients = 512 // share commits
	all, ctx := errgroup.WithContext(ctx)
	for first := range min(clients, w.Users) {
		all.Go(func() error {
			for user := first + 1; user <= w.Users; user += clients {
				xp, at := placeOnBoard(user, season, w.EndedAt)
				if _, err := f.store.Leagues.BookXP(ctx, int64(user), xp, at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// placeOnBoard spreads users over a board as a week does: many with little XP
// and few with much, up to 20,000, some dozens to a hundred with the same.
func placeOnBoard(user int, season models.Season, until time.Time) (xp int64, at time.Time) {
	const most = 20_011 // a prime
	n := int64(user) * 7919 % most
	passed := max(until.Sub(season.StartsAt).Milliseconds(), 1)
	return n * n / most, season.StartsAt.Add(time.Duration(int64(user)*104_729%passed) * time.Millisecond)
}

// errWrongRank ends the benchmark: a wrong rank has no time.
var errWrongRank = errors.New("ranks are not what counting gives")

// compareRanks holds flashstore's ranks against counted ones.
func compareRanks(ctx context.Context, path string, w world) (err error) {
	f, err := openFlash(path, storage.Config{Hooks: hooks.Config{Logger: slog.New(slog.DiscardHandler)}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	counted, err := openHandwritten(path, Normal)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counted.Close()) }()
	return sameRanks(ctx, f, counted, w)
}

// ranker is what has ranks.
type ranker interface {
	Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error)
}

// sameRanks compares twenty places.
func sameRanks(ctx context.Context, ours, counted ranker, w world) error {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		user := int64(r.IntN(w.Users)) + 1
		got, err := ours.Rank(ctx, w.SeasonID, user)
		if err != nil {
			return err
		}
		want, err := counted.Rank(ctx, w.SeasonID, user)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("user %d: %+v, counted %+v: %w", user, got, want, errWrongRank)
		}
	}
	return nil
}

func rankTargets(p *part) []verdict {
	return rankLatencies(p, "Rank of one of a million participants", nameFlashstore)
}

func rankLatencies(p *part, title, candidate string) []verdict {
	return []verdict{
		latency(p, title+": p99", "rank-million", candidate, time.Millisecond),
		latency(p, title+", beside 16 writers at one pace: p99", "rank-million-paced", candidate, 5*time.Millisecond),
		latency(p, title+", beside 16 writers: p99", "rank-million-beside", candidate, 5*time.Millisecond),
	}
}

func renderRanks(b *strings.Builder, p *part) {
	fmt.Fprintf(b, "`Leagues.Rank` of users at random on one board of %s participants, XP from 0 to 20,000 with ties, on SQLite, NORMAL: one client that asks without a pause, each run in "+
		"a process of its own on a fresh copy of the file; medians of the rounds, the longest wait of all. Writers submit sessions of %d answers, also of users at random, which moves them on the board: as "+
		"fast as 16 clients can, or, at one pace, 400 sessions a second. After each of flashstore's runs 20 ranks are compared with counted ones. *By hand* counts who is ahead, in "+
		"one statement on the same index.\n\n", thousands(float64(p.Users)), sessionLength)
	renderLarge(b, p, rankWorkloads(), nameFlashstore, nameHandwritten)
}
