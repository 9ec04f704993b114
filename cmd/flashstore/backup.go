package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

func backupCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "backup TARGET",
		Short: "Copy a database to a new file while the application goes on",
		Long: `Copy a database, whatever tables it has, to the new file TARGET while the
application goes on. The copy is the database at one moment. It is checked
before it gets its name, and a file that is there is never overwritten.`,
		Example: `  flashstore backup backups/monday.db
  flashstore backup --db app.db app-$(date +%F).db`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return opts.look(func(db *gorm.DB) error {
				made, err := backUp(cmd.Context(), db, args[0], cmd.ErrOrStderr())
				if err != nil {
					return err
				}
				return opts.print(cmd.OutOrStdout(), made, func(out io.Writer) error {
					_, err := fmt.Fprintf(out, "%s: %s in %s, in %v\n",
						made.Path, size(made.Bytes), count(int64(made.Pages), "page"), short(made.Duration))
					return err
				})
			})
		},
	}
}

// backUp copies db to path and shows on out how far it has come.
func backUp(ctx context.Context, db *gorm.DB, path string, out io.Writer) (maintenance.BackupResult, error) {
	bar := newProgress(out, 1, "backup")
	defer bar.done()
	return maintenance.Backup(ctx, db, path, maintenance.OnProgress(func(p maintenance.Progress) { bar.set(p.Done, p.Total) }))
}
