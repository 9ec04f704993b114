package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/maintenance"
)

func restoreCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "restore BACKUP",
		Short: "Put a backup in the place of a database that nobody has open",
		Long: `Put the file BACKUP in the place of the database, whatever tables it has. Stop
every program that uses the database first: one that is in use is refused.

The backup is copied and checked before anything is swapped, and stays as it is.
The former database is kept beside the new one, under another name: remove it
when you are sure. A database and its archive belong together: restore both.`,
		Example: `  flashstore restore backups/monday.db
  flashstore restore --db app.db app-2026-11-08.db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			working := newProgress(cmd.ErrOrStderr(), -1, "restore")
			result, err := maintenance.Restore(cmd.Context(), args[0], opts.db)
			working.done()
			if err != nil {
				return err
			}
			return opts.print(cmd.OutOrStdout(), result, func(out io.Writer) error { return restoreText(out, result, args[0]) })
		},
	}
}

func restoreText(out io.Writer, r maintenance.RestoreResult, backup string) error {
	_, err := fmt.Fprintf(out, "%s: %s from %s, in %v\n", r.Path, size(r.Bytes), backup, short(r.Duration))
	if err == nil && r.Replaced != "" {
		_, err = fmt.Fprintf(out, "the former database is now %s\n", r.Replaced)
	}
	return err
}
