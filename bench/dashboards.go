package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/flashstore/flashstore/storage"
)

// learnerDashboard is of one learner who has given a million answers.
var learnerDashboard = largeWorkload("dashboard-learner", "one learner with all of the answers", "dashboard")

// schoolDashboards are of learners at random, of a thousand who have given a
// million answers together.
func schoolDashboards() []workload {
	alone := largeWorkload("dashboard-school", "any learner of a school", "dashboard")
	return []workload{
		alone,
		alone.beside("dashboard-school-paced", "the same, beside 16 writers at one pace", largePace),
		alone.beside("dashboard-school-beside", "the same, beside 16 writers", 0),
	}
}

func dashboardWorkloads() []workload {
	return append([]workload{learnerDashboard}, schoolDashboards()...)
}

func measureDashboards(ctx context.Context, m *partRun) error {
	sizes := m.o.sizes
	learner, err := largeRuns(m, sizes.learner, "learner")
	if err != nil {
		return err
	}
	school, err := largeRuns(m, sizes.school, "school")
	if err != nil {
		return err
	}
	for _, r := range []*runs{learner, school} {
		r.templates.world.EndedAt = lately()
		if err := r.makeFile(ctx, func(f *flash, w *world) error { return f.populate(ctx, w) }); err != nil {
			return fmt.Errorf("make the file: %w", err)
		}
	}
	if err := learner.makeFile(ctx, func(f *flash, w *world) error { return f.rivals(ctx, sizes.rivals, w.EndedAt) }); err != nil {
		return fmt.Errorf("make the rivals: %w", err)
	}
	m.Users, m.Answers = sizes.school.Users, sizes.school.answers()
	return m.rounds(func(int) error {
		if err := m.largeRound(ctx, learner, learnerDashboard, nameFlashstore); err != nil {
			return err
		}
		for _, w := range schoolDashboards() {
			if err := m.largeRound(ctx, school, w, nameFlashstore); err != nil {
				return err
			}
		}
		return nil
	})
}

// rivals gives others a place in the season, half of them ahead of anybody.
func (f *flash) rivals(ctx context.Context, n int, at time.Time) error {
	for i := range n {
		rival, err := f.store.Users.Create(ctx, storage.NewUser{})
		if err != nil {
			return err
		}
		if _, err := f.store.Leagues.BookXP(ctx, rival.ID, int64(i%2*1_000_000), at); err != nil {
			return err
		}
	}
	return nil
}

func dashboardTargets(p *part) []verdict {
	const most = 2 * time.Millisecond
	return []verdict{
		latency(p, "Dashboard of a learner with a million answers: p99", learnerDashboard.Name, nameFlashstore, most),
		latency(p, "Dashboard of any of 1,000 learners with a million answers: p99", "dashboard-school", nameFlashstore, most),
	}
}

func renderDashboards(b *strings.Builder, p *part) {
	fmt.Fprintf(b, "`Users.Dashboard` on SQLite, NORMAL, one client that asks without a pause, each run in a process of its own on a fresh copy of the file; "+
		"medians of the rounds, the longest wait of all. The *one learner* has given %s answers alone in a thousand sessions over three years, among a hundred rivals; the *school* "+
		"is %s learners who have given %s answers together, one session every 26 hours each. Writers submit sessions of %d answers: as fast as 16 clients can, or, at "+
		"one pace, 400 sessions a second.\n\n", thousands(float64(p.Answers)), thousands(float64(p.Users)), thousands(float64(p.Answers)), sessionLength)
	renderLarge(b, p, dashboardWorkloads(), nameFlashstore)
}
