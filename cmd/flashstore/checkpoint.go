package main

import (
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

func checkpointCommand(opts *options) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Move the write-ahead log into the database",
		Long: `Move the write-ahead log into the database, whatever tables it has, while the
application goes on:

  passive   moves what it can and waits for nobody
  full      waits for writers and readers, and moves all of it
  restart   as full, and the next writer starts the log over
  truncate  as restart, and cuts the log's file to nothing

It waits at most a quarter of a second for others. The exit status is 1 when a
part of the log is left.`,
		Example: `  flashstore checkpoint
  flashstore checkpoint --mode passive --db app.db`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			mode, err := maintenance.ParseMode(name)
			if err != nil {
				return &usageError{err}
			}
			return opts.look(func(db *gorm.DB) error { return checkpoint(cmd, opts, db, mode) })
		},
	}
	cmd.Flags().StringVar(&name, "mode", maintenance.Truncate.String(), "how far to go: passive, full, restart or truncate")
	return cmd
}

// checkpointed says what a checkpoint did.
type checkpointed struct {
	Mode     string `json:"mode"`
	Complete bool   `json:"complete"`
	maintenance.CheckpointResult
}

func checkpoint(cmd *cobra.Command, opts *options, db *gorm.DB, mode maintenance.Mode) error {
	result, err := maintenance.Checkpoint(cmd.Context(), db, mode)
	if err != nil {
		return err
	}
	done := checkpointed{Mode: mode.String(), Complete: result.Complete(), CheckpointResult: result}
	if err := opts.print(cmd.OutOrStdout(), done, done.text); err != nil {
		return err
	}
	if !done.Complete {
		return errFindings
	}
	return nil
}

func (c checkpointed) text(out io.Writer) error {
	return table(out, "", func(row func(...any)) {
		row("mode", c.Mode)
		row("complete", yesNo(c.Complete))
		row("busy", yesNo(c.Busy))
		if c.Log < 0 {
			row("log", "another checkpoint is under way")
			return
		}
		row("log", count(int64(c.Log), "frame"))
		row("moved", count(int64(c.Moved), "frame"))
	})
}
