package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// boardFlags are the flags of board.
type boardFlags struct {
	season string
	league string
	after  string
	limit  int
}

func boardCommand(opts *options) *cobra.Command {
	var flags boardFlags
	cmd := &cobra.Command{
		Use:   "board",
		Short: "Show a league's board",
		Long: `Show a league's board in one season: more XP first, then who reached it first.

Without --season it is this week's board, or, while nobody has played this week,
the latest of the past year with anybody on it. A page ends with the call for the
next one; with --json, "next" is its cursor, and "" on the last page.`,
		Example: `  flashstore board
  flashstore board --season 20261108 --league cobalt --limit 10
  flashstore board --json | jq -r '.standings[] | [.rank, .name, .weekly_xp] | @tsv'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, err := flags.moment()
			if err != nil {
				return &usageError{err}
			}
			return opts.view(func(store *storage.Store) error {
				shown, err := flags.board(cmd.Context(), store, at)
				if errors.Is(err, storage.ErrInvalid) || errors.Is(err, storage.ErrCursor) {
					return &usageError{err}
				}
				if err != nil {
					return err
				}
				return opts.print(cmd.OutOrStdout(), shown, func(out io.Writer) error { return shown.text(out, opts, flags.limit) })
			})
		},
	}
	cmd.Flags().StringVar(&flags.season, "season", "", "the season, by its first day or any other: YYYYMMDD")
	cmd.Flags().StringVar(&flags.league, "league", "neon", "the league: neon, cobalt, plasma, void or apex")
	cmd.Flags().IntVar(&flags.limit, "limit", 50, "how many places to show, at most 1000")
	cmd.Flags().StringVar(&flags.after, "after", "", "the cursor that the page before ended with")
	return opts.prefixFlag(cmd)
}

// board is a page of a league's board.
type board struct {
	Season models.Season `json:"season"`
	League models.League `json:"league"`
	storage.BoardPage
}

// moment returns a moment of the season that was asked for, or nil.
func (f boardFlags) moment() (*time.Time, error) {
	if f.season == "" {
		return nil, nil
	}
	day, err := time.Parse("20060102", f.season)
	if err != nil {
		return nil, fmt.Errorf("--season is %q: give a day as YYYYMMDD", f.season)
	}
	noon := day.Add(12 * time.Hour)
	return &noon, nil
}

func (f boardFlags) board(ctx context.Context, store *storage.Store, at *time.Time) (shown board, err error) {
	if shown.League, err = leagueBySlug(ctx, store, f.league); err != nil {
		return shown, err
	}
	if at != nil {
		shown.Season, err = store.Leagues.Season(ctx, *at)
	} else {
		shown.Season, err = latestSeason(ctx, store, shown.League.ID)
	}
	if err != nil {
		return shown, err
	}
	shown.BoardPage, err = store.Leagues.Board(ctx, shown.Season.ID, shown.League.ID, storage.Cursor(f.after), f.limit)
	shown.Standings = list(shown.Standings)
	return shown, err
}

func leagueBySlug(ctx context.Context, store *storage.Store, slug string) (models.League, error) {
	leagues, err := store.Leagues.All(ctx)
	if err != nil {
		return models.League{}, err
	}
	slugs := make([]string, len(leagues))
	for i, league := range leagues {
		if league.Slug == slug {
			return league, nil
		}
		slugs[i] = league.Slug
	}
	return models.League{}, &usageError{fmt.Errorf("there is no league %q: give one of %s", slug, strings.Join(slugs, ", "))}
}

// weeksBack is how far latestSeason looks.
const weeksBack = 53

// latestSeason returns the latest season up to now with anybody on the
// league's board, or the present one if there is none.
func latestSeason(ctx context.Context, store *storage.Store, leagueID int64) (models.Season, error) {
	now, err := store.Leagues.Season(ctx, time.Now())
	if err != nil {
		return now, err
	}
	for season, week := now, 0; week < weeksBack; week++ {
		page, err := store.Leagues.Board(ctx, season.ID, leagueID, "", 1)
		if err != nil || len(page.Standings) > 0 {
			return season, err
		}
		if season, err = store.Leagues.Season(ctx, season.StartsAt.Add(-time.Hour)); err != nil {
			return season, err
		}
	}
	return now, nil
}

func (b board) text(out io.Writer, opts *options, limit int) error {
	if _, err := fmt.Fprintln(out, b.title()); err != nil {
		return err
	}
	if len(b.Standings) == 0 {
		_, err := fmt.Fprintln(out, "nobody is here: name another week with --season YYYYMMDD, or another league with --league")
		return err
	}
	if err := standingsText(out, "", b.Season, b.Standings); err != nil || b.Next == "" {
		return err
	}
	_, err := fmt.Fprintln(out, "more: "+opts.commandLine("board",
		"--season", strconv.FormatInt(b.Season.ID, 10), "--league", b.League.Slug,
		"--limit", strconv.Itoa(limit), "--after", string(b.Next)))
	return err
}

func (b board) title() string {
	return fmt.Sprintf("%s league, season %d: the week from %s",
		b.League.Name, b.Season.ID, local(b.Season, b.Season.StartsAt).Format("Monday, 2 January 2006"))
}

func standingsText(out io.Writer, indent string, season models.Season, standings []storage.Standing) error {
	return table(out, indent, func(row func(...any)) {
		row("RANK", "NAME", "UID", "XP", "REACHED")
		for _, s := range standings {
			row(s.Rank, s.Name, s.UID, s.WeeklyXP, local(season, s.ReachedAt).Format("Mon 2 Jan 15:04:05"))
		}
	})
}

// local returns a moment in the season's zone, or as it is where that zone is
// not known here.
func local(season models.Season, at time.Time) time.Time {
	zone, err := time.LoadLocation(season.Zone)
	if err != nil {
		return at
	}
	return at.In(zone)
}
