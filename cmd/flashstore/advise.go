package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/models"
)

func adviseCommand(opts *options) *cobra.Command {
	return opts.prefixFlag(&cobra.Command{
		Use:   "advise",
		Short: "Say from a database's own figures whether SQLite still serves",
		Long: `Say from a database's own figures whether SQLite still serves: its size, how
fast answers were written, the processes that have the file open, the
write-ahead log and the file system.

Nothing is changed. The log of answers is read as a whole, where there is one.
The exit status is 1 where the advice is to leave SQLite; 'flashstore copy' is
the way to PostgreSQL.`,
		Example: `  flashstore advise
  flashstore advise --db flashmath.db --json | jq -r .verdict`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			working := newProgress(cmd.ErrOrStderr(), -1, "advise")
			advices, err := opts.advise(cmd.Context())
			working.done()
			if err != nil {
				return err
			}
			if err := opts.print(cmd.OutOrStdout(), advices, func(out io.Writer) error { return adviceText(out, advices) }); err != nil {
				return err
			}
			if advices.Verdict == maintenance.Leave {
				return errFindings
			}
			return nil
		},
	})
}

func (o *options) advise(ctx context.Context) (advices maintenance.Advices, err error) {
	err = o.look(func(db *gorm.DB) error {
		log, err := o.answerLog(ctx, db)
		if err != nil {
			return err
		}
		advices, err = maintenance.Advise(ctx, db, log)
		return err
	})
	return advices, err
}

// answerLog names the log of answers, if the database has one.
func (o *options) answerLog(ctx context.Context, db *gorm.DB) (maintenance.WriteLog, error) {
	states, err := o.states(ctx, db)
	var foreign *migrations.SchemaError
	switch {
	case errors.As(err, &foreign):
		return maintenance.WriteLog{}, nil
	case err != nil:
		return maintenance.WriteLog{}, err
	case !slices.ContainsFunc(states, func(s migrations.State) bool { return s.AppliedAt != nil }):
		return maintenance.WriteLog{}, nil
	}
	return maintenance.WriteLog{Table: o.prefix + models.AnswerEvent{}.TableName(), Column: "created_at"}, nil
}

// verdicts are what people read.
var verdicts = map[maintenance.Verdict]string{
	maintenance.Serves: "SQLite serves.",
	maintenance.Watch:  "SQLite serves; there is something to do or to keep an eye on.",
	maintenance.Leave:  "SQLite is not the right place any more: 'flashstore copy' moves the store to PostgreSQL.",
}

func adviceText(out io.Writer, a maintenance.Advices) error {
	err := table(out, "", func(row func(...any)) {
		for _, advice := range a.List {
			row(advice.Figure, advice.Verdict, advice.What)
			if advice.Do != "" {
				row("", "", "→ "+advice.Do)
			}
		}
		if !a.Figures.Writes.Known {
			row("writes", "", "not known: FlashMath's tables are not here")
		}
	})
	_, said := fmt.Fprintln(out, verdicts[a.Verdict])
	return errors.Join(err, said)
}
