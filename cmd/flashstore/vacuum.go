package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

// vacuumFlags are the flags of vacuum.
type vacuumFlags struct {
	incremental bool
	pages       int
}

func vacuumCommand(opts *options) *cobra.Command {
	var flags vacuumFlags
	cmd := &cobra.Command{
		Use:   "vacuum",
		Short: "Give unused space in a database back to the disk",
		Long: `Rewrite the whole database without its unused pages, whatever tables it has.
Nobody writes while it runs, and it needs twice the database's size of free
disk: it is for a quiet hour. A file that could not give back space a little at
a time can do so from then on, and it is in WAL mode.

With --incremental only a little is given back: up to --pages unused pages, in a
moment.`,
		Example: `  flashstore vacuum
  flashstore vacuum --incremental --pages 5000 --db app.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !flags.incremental && cmd.Flags().Changed("pages"):
				return &usageError{errors.New("--pages is for --incremental")}
			case flags.pages < 1:
				return &usageError{fmt.Errorf("--pages is %d: give 1 or more", flags.pages)}
			}
			return opts.bare(func(db *gorm.DB) error { return flags.run(cmd, opts, db) })
		},
	}
	cmd.Flags().BoolVar(&flags.incremental, "incremental", false, "give back only a few unused pages")
	cmd.Flags().IntVar(&flags.pages, "pages", 1000, "at most how many of them")
	return cmd
}

func (f vacuumFlags) run(cmd *cobra.Command, opts *options, db *gorm.DB) error {
	if f.incremental {
		freed, err := maintenance.IncrementalVacuum(cmd.Context(), db, f.pages)
		if err != nil {
			return err
		}
		done := givenBack{FreedPages: freed}
		return opts.print(cmd.OutOrStdout(), done, done.text)
	}
	working := newProgress(cmd.ErrOrStderr(), -1, "vacuum")
	result, err := maintenance.Vacuum(cmd.Context(), db)
	working.done()
	if err != nil {
		return err
	}
	return opts.print(cmd.OutOrStdout(), result, func(out io.Writer) error { return vacuumText(out, result) })
}

// givenBack says what an incremental vacuum did.
type givenBack struct {
	FreedPages int `json:"freed_pages"`
}

func (g givenBack) text(out io.Writer) error {
	_, err := fmt.Fprintf(out, "%s given back\n", count(int64(g.FreedPages), "page"))
	return err
}

func vacuumText(out io.Writer, r maintenance.VacuumResult) error {
	_, err := fmt.Fprintf(out, "%s before, %s after, in %v\n", size(r.BeforeBytes), size(r.AfterBytes), short(r.Duration))
	if err == nil && r.Checkpoint.Busy {
		_, err = fmt.Fprintln(out, "somebody reads an older state: the file gets shorter with the next checkpoint")
	}
	return err
}
