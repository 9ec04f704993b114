package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/driver/postgres"

	"github.com/flashstore/flashstore/storage"
)

// countedName is the rival that counts who is ahead: what writes to a board is
// measured of flashstore alone.
var countedName = poolName(nameServerByHand, poolSizes[0])

// measureServerRanks asks for places on a board on PostgreSQL, as measureRanks
// does on SQLite.
func measureServerRanks(ctx context.Context, m *partRun, s *server) error {
	start := time.Now()
	measuring, err := newServerRuns(ctx, s, m, world{Users: m.o.sizes.participants}, (*flash).fillBoard)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(m.say, "a board of %s made in %.1f s\n", thousands(float64(m.o.sizes.participants)), time.Since(start).Seconds())
	if err != nil {
		return err
	}
	measuring.after = func(ctx context.Context, dsn string) error {
		return compareServerRanks(ctx, dsn, measuring.templates.world)
	}
	m.Users = m.o.sizes.participants
	return m.rounds(func(int) error {
		for _, w := range rankWorkloads() {
			names := []string{nameServerFlash}
			if w.Writers == 0 {
				names = append(names, countedName)
			}
			if err := m.serverRound(ctx, measuring, w, names...); err != nil {
				return err
			}
		}
		return nil
	})
}

// serverRound runs candidates at one workload.
func (m *partRun) serverRound(ctx context.Context, measuring *serverRuns, w workload, names ...string) error {
	for _, name := range names {
		c, err := contenderOf(name)
		if err != nil {
			return err
		}
		f, err := measuring.once(ctx, c, w)
		if err != nil {
			return err
		}
		if err := m.add(w.Name, name, w.Unit, f); err != nil {
			return err
		}
	}
	return nil
}

// compareServerRanks holds flashstore's ranks against counted ones.
func compareServerRanks(ctx context.Context, dsn string, w world) (err error) {
	f, err := openFlashOver(postgres.Open(dsn), storage.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	counted, err := openServerByHand(1)(dsn, Full)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, counted.Close()) }()
	return sameRanks(ctx, f, counted, w)
}

func serverRankTargets(p *part) []verdict {
	return rankLatencies(p, "Rank of one of a million participants on PostgreSQL", nameServerFlash)
}

func renderServerRanks(b *strings.Builder, p *part) {
	fmt.Fprintf(b, "The same on PostgreSQL, on a server as above, each run on a fresh copy of the database, with %s participants: one client that asks without a pause, and 16 that "+
		"submit sessions of %d answers, on the same two cores as the server. After each run 20 ranks are compared with counted ones. *By hand* counts who is ahead.\n\n",
		thousands(float64(p.Users)), sessionLength)
	renderLarge(b, p, rankWorkloads(), nameServerFlash, countedName)
}
