package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/transfer"
)

// copyFlags are the flags of copy.
type copyFlags struct {
	from, to string
	dryRun   bool
	batch    int

	fromArchive, toArchive string
}

func copyCommand(opts *options) *cobra.Command {
	var flags copyFlags
	cmd := &cobra.Command{
		Use:   "copy",
		Short: "Move a store between SQLite and PostgreSQL",
		Long: `Copy a store from one database to another: from a file to a PostgreSQL database,
back, or between two of a kind.

The target is empty, or a former copy of the same source: then what came since
is carried over, and what the source no longer has is removed. A copy that was
interrupted goes on when it is run again. A target that has been written to
since, or is another store, is refused before anything is written.

The source stays usable meanwhile, and what is copied is its state at the start.
Archived answers go along: --from-archive names the source's file and --to-archive
the target's, which is made if there is none.

At the end the rows of both are counted and compared by checksum; where they do
not agree, the tables are named and the exit status is 1.`,
		Example: `  flashstore copy --from flashmath.db --to postgres://ann@db.example.org/class
  flashstore copy --from postgres://ann@db.example.org/class --to flashmath.db
  flashstore copy --to copy.db --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return opts.copy(cmd, flags) },
	}
	cmd.Flags().StringVar(&flags.from, "from", "", "the database to copy: a file or postgres://…; by default what --db names")
	cmd.Flags().StringVar(&flags.to, "to", "", "the database to copy to: a file, made if there is none, or postgres://…")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "compare only, and say what would be written")
	cmd.Flags().IntVar(&flags.batch, "batch", 10_000, "how many rows are written in one transaction")
	cmd.Flags().StringVar(&flags.fromArchive, "from-archive", "", "the archive's file of a source on SQLite")
	cmd.Flags().StringVar(&flags.toArchive, "to-archive", "", "the archive's file of a target on SQLite, made if there is none")
	return opts.prefixFlag(cmd)
}

// sides returns the options of the two databases.
func (f copyFlags) sides(opts *options) (from, to *options, err error) {
	source, target := *opts, *opts
	if f.from != "" {
		source.db = f.from
	}
	target.db = f.to
	switch {
	case f.to == "":
		err = errors.New("say where to copy: --to FILE or --to postgres://…")
	case source.db == target.db:
		err = errors.New("--from and --to are the same database")
	case source.isPostgres() && f.fromArchive != "", target.isPostgres() && f.toArchive != "":
		err = errors.New("--from-archive and --to-archive are for SQLite: PostgreSQL keeps archived answers in a table of the same database")
	case f.batch < 1:
		err = fmt.Errorf("--batch is %d: give 1 or more", f.batch)
	}
	if err != nil {
		return nil, nil, &usageError{err}
	}
	return &source, &target, nil
}

func (o *options) copy(cmd *cobra.Command, flags copyFlags) error {
	from, to, err := flags.sides(o)
	if err != nil {
		return err
	}
	ctx, cfg := cmd.Context(), migrations.Config{TablePrefix: o.prefix}
	bar := newProgress(cmd.ErrOrStderr(), -1, "copy")
	var report transfer.Report
	err = from.look(func(source *gorm.DB) error {
		// A target is not made for a source that has nothing to copy.
		if err := migrations.Check(ctx, source, cfg); err != nil {
			return fmt.Errorf("copy %s: %w", from.name(), err)
		}
		return to.asTarget(flags.dryRun, func(target *gorm.DB) (err error) {
			return o.copyArchives(ctx, flags, target, func(fromArchive, toArchive *gorm.DB) error {
				report, err = transfer.Copy(ctx, source, target, transfer.Config{
					TablePrefix: o.prefix, BatchRows: flags.batch, DryRun: flags.dryRun,
					FromArchive: fromArchive, ToArchive: toArchive,
					Progress: func(p transfer.Progress) { bar.set(int(p.Done), int(p.Total)) },
				})
				return err
			})
		})
	})
	bar.done()
	var disagreement *transfer.DisagreementError
	if err != nil && !errors.As(err, &disagreement) {
		return err
	}
	return errors.Join(o.print(cmd.OutOrStdout(), report, func(out io.Writer) error { return copyText(out, report) }), err)
}

// asTarget opens the database that is copied to. A dry run does not make a
// file: an empty database in memory stands for one that is not there.
func (o *options) asTarget(dryRun bool, fn func(*gorm.DB) error) error {
	if !dryRun {
		return o.with("rwc", nil, fn)
	}
	if !o.isPostgres() && o.mustExist() != nil {
		return (&options{db: "nothing", durability: o.durability}).with("memory", nil, fn)
	}
	return o.look(fn)
}

func copyText(out io.Writer, r transfer.Report) error {
	err := table(out, "", func(row func(...any)) {
		row("table", "rows", "added", "changed", "removed", "")
		for _, t := range r.Tables {
			said := "agrees"
			if r.DryRun {
				said = ""
			} else if !t.Agrees() {
				said = fmt.Sprintf("DISAGREES: %s at the target", count(t.TargetRows, "row"))
			}
			row(t.Table, t.Rows, t.Added, t.Changed, t.Removed, said)
		}
	})
	verb := "written"
	if r.DryRun {
		verb = "would be written"
	}
	_, said := fmt.Fprintf(out, "%s compared, %d %s, in %s\n", count(r.Rows(), "row"), r.Written(), verb, short(r.Duration))
	return errors.Join(err, said)
}
