package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
)

func statsCommand(opts *options) *cobra.Command {
	return &cobra.Command{
		Use:   "stats",
		Short: "Show the size and the settings of a database",
		Long: `Show the size and the settings of a database, whatever tables it has. It
changes nothing and is quick on a database of any size.`,
		Example: `  flashstore stats
  flashstore stats --db app.db --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return opts.look(func(db *gorm.DB) error {
				stats, err := maintenance.Stats(cmd.Context(), db)
				if err != nil {
					return err
				}
				return opts.print(cmd.OutOrStdout(), stats, func(out io.Writer) error { return statsText(out, "", stats) })
			})
		},
	}
}

func statsText(out io.Writer, indent string, s maintenance.Statistics) error {
	return table(out, indent, func(row func(...any)) {
		row("file", s.Path)
		row("size", size(s.DatabaseBytes))
		row("log", size(s.WALBytes))
		row("pages", fmt.Sprintf("%d of %s, %d of them free", s.Pages, size(s.PageSizeBytes), s.FreePages))
		row("journal", s.JournalMode)
		row("auto_vacuum", s.AutoVacuum)
		row("SQLite", s.SQLiteVersion)
	})
}
