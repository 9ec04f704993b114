package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
)

func migrateCommand(opts *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Bring FlashMath's tables up to date, or take them back",
		Long: `Bring FlashMath's tables up to date, or take them back. A program that uses the
storage package does "migrate up" by itself when it starts.

A database with a table that has one of FlashMath's names and is not FlashMath's is
refused, and nothing is changed; --prefix gives FlashMath's tables other names.`,
		Example: `  flashstore migrate up
  flashstore migrate status --db app.db --prefix flash_`,
		RunE: func(*cobra.Command, []string) error {
			return &usageError{errors.New("say which: migrate up, migrate down or migrate status")}
		},
	}
	only(cmd, migrateUpCommand(opts), migrateDownCommand(opts), migrateStatusCommand(opts))
	return opts.prefixFlag(cmd)
}

func migrateUpCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Apply what is pending: all of it or nothing",
		Long: `Apply what is pending: all of it or nothing. The database file is made if there
is none. Any number of processes may do it at once.`,
		Example: `  flashstore migrate up
  flashstore migrate up --db app.db --prefix flash_`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return opts.migrate(cmd, "rwc", migrations.Up, "applied")
		},
	}
}

func migrateDownCommand(opts *options) *cobra.Command {
	var steps int
	var all bool
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Roll back the last migration, with every row of its tables",
		Long: `Roll back the last migration, with every row of its tables: take a backup
first. With --steps it is the last few, with --all the whole history. All of it
is rolled back, or nothing.`,
		Example: `  flashstore migrate down
  flashstore migrate down --steps 2
  flashstore migrate down --all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case all && cmd.Flags().Changed("steps"):
				return &usageError{errors.New("give --steps or --all, not both")}
			case steps < 1:
				return &usageError{fmt.Errorf("--steps is %d: give 1 or more, or --all", steps)}
			case all:
				steps = 0
			}
			if err := opts.mustExist(); err != nil {
				return err
			}
			down := func(ctx context.Context, db *gorm.DB, cfg migrations.Config) (migrations.Result, error) {
				return migrations.Down(ctx, db, cfg, steps)
			}
			return opts.migrate(cmd, "rw", down, "rolled back")
		},
	}
	cmd.Flags().IntVar(&steps, "steps", 1, "how many migrations to roll back")
	cmd.Flags().BoolVar(&all, "all", false, "roll back all migrations")
	return cmd
}

func migrateStatusCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which migrations are applied and which are pending",
		Example: `  flashstore migrate status
  flashstore migrate status --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return opts.look(func(db *gorm.DB) error {
				states, err := opts.states(cmd.Context(), db)
				if err != nil {
					return err
				}
				return opts.print(cmd.OutOrStdout(), states, func(out io.Writer) error { return statesText(out, states) })
			})
		},
	}
}

// change is migrations.Up or one like it.
type change func(context.Context, *gorm.DB, migrations.Config) (migrations.Result, error)

// migrate opens the database in a mode of SQLite's, makes the change and says
// that it was done.
func (o *options) migrate(cmd *cobra.Command, mode string, do change, done string) error {
	// A database that is refused stays as it is, its journal mode included.
	look := func(db *gorm.DB) error {
		_, err := o.states(cmd.Context(), db)
		return err
	}
	return o.with(mode, look, func(db *gorm.DB) error {
		result, err := do(cmd.Context(), db, migrations.Config{TablePrefix: o.prefix})
		if err != nil {
			return err
		}
		result.Steps = list(result.Steps)
		return o.print(cmd.OutOrStdout(), result, func(out io.Writer) error { return resultText(out, result, done) })
	})
}

func resultText(out io.Writer, result migrations.Result, done string) error {
	if len(result.Steps) == 0 {
		_, err := fmt.Fprintln(out, "nothing to do")
		return err
	}
	err := table(out, "", func(row func(...any)) {
		for _, step := range result.Steps {
			row(step.Version, done, short(step.Duration))
		}
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s %s in %v\n", count(int64(len(result.Steps)), "migration"), done, short(result.Duration))
	return err
}

func statesText(out io.Writer, states []migrations.State) error {
	return table(out, "", func(row func(...any)) {
		for _, s := range states {
			if s.AppliedAt == nil {
				row(s.Version, "pending")
			} else {
				row(s.Version, "applied "+s.AppliedAt.Format(time.DateTime)+" UTC")
			}
		}
	})
}
