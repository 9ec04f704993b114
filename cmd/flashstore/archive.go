package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/storage"
)

// archiveFlags are the flags of archive.
type archiveFlags struct {
	archive, before string
	batch           int
}

func archiveCommand(opts *options) *cobra.Command {
	var flags archiveFlags
	cmd := &cobra.Command{
		Use:   "archive",
		Short: "Move old answers out of the log into an archive",
		Long: `Move answers that are older than a date out of the log: into a file beside the
database, or on PostgreSQL into a table beside the log. They stay a part of the
log for whatever is computed, exported and erased.

Answers are copied, read back, compared row for row and only then deleted, a few
thousand at once: others write meanwhile, and a call that was interrupted goes
on when it is run again. The file is made if there is none. From then on
whoever opens the database needs it, as storage.Config.Archive, and must back up
both. 'flashstore vacuum' makes the database itself smaller.`,
		Example: `  flashstore archive --db flashmath.db --archive answers.db --before 2026-01-01
  flashstore archive --db postgres://ann@db.example.org/class --before 2026-01-01`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return opts.archive(cmd, flags) },
	}
	cmd.Flags().StringVar(&flags.archive, "archive", "", "the archive's file, made if there is none; not on PostgreSQL")
	cmd.Flags().StringVar(&flags.before, "before", "", "the date, 2026-01-31 for its midnight in UTC, or a time as in RFC 3339; a day ago or more")
	cmd.Flags().IntVar(&flags.batch, "batch", 5000, "how many answers are moved at once")
	return opts.prefixFlag(cmd)
}

// time returns --before.
func (f archiveFlags) time() (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, f.before); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("--before is %q: give a date such as 2026-01-31, or a time as in RFC 3339", f.before)
}

func (f archiveFlags) check(opts *options) (before time.Time, err error) {
	before, err = f.time()
	switch {
	case err != nil:
	case opts.isPostgres() && f.archive != "":
		err = errors.New("--archive is for SQLite: PostgreSQL keeps archived answers in a table of the same database")
	case !opts.isPostgres() && f.archive == "":
		err = errors.New("say where to: --archive FILE")
	case f.batch < 1:
		err = fmt.Errorf("--batch is %d: give 1 or more", f.batch)
	}
	if err != nil {
		return before, &usageError{err}
	}
	return before, nil
}

func (o *options) archive(cmd *cobra.Command, flags archiveFlags) error {
	before, err := flags.check(o)
	if err != nil {
		return err
	}
	bar := newProgress(cmd.ErrOrStderr(), -1, "archive")
	var result storage.ArchiveResult
	err = o.withArchive(flags.archive, flags.batch, func(s *storage.Store) (err error) {
		told := int64(0)
		result, err = s.Answers.Archive(cmd.Context(), before, storage.OnArchived(func(r storage.ArchiveResult) {
			bar.add(int(r.Answers - told))
			told = r.Answers
		}))
		return err
	})
	bar.done()
	var refused *storage.InvalidError
	switch {
	case errors.As(err, &refused):
		return &usageError{err}
	case err != nil && result.Answers > 0:
		return fmt.Errorf("stopped after %s (run it again to go on): %w", count(result.Answers, "answer"), err)
	case err != nil:
		return err
	}
	return o.print(cmd.OutOrStdout(), result, func(out io.Writer) error { return archiveText(out, result) })
}

// withArchive runs fn with the store on a database that is up to date, and its
// archive. One that is not ours is refused as it is.
func (o *options) withArchive(path string, batch int, fn func(*storage.Store) error) (err error) {
	if err := o.mustExist(); err != nil {
		return err
	}
	db, cfg, err := o.connect("rw")
	if err != nil {
		return err
	}
	store := storage.New(storage.Config{
		Hooks: cfg, Migrate: storage.MigrateCheck, TablePrefix: o.prefix, Archive: path, ArchiveBatch: batch,
	})
	if err := db.Use(store); err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", o.name(), err), closePool(db))
	}
	defer func() { err = errors.Join(err, (&database{Store: store, db: db}).Close()) }()
	return fn(store)
}

func archiveText(out io.Writer, r storage.ArchiveResult) error {
	_, err := fmt.Fprintf(out, "%s of %s from before %s moved to the archive, in %v\n",
		count(r.Answers, "answer"), count(r.Users, "user"), r.Before.Format(time.RFC3339), short(r.Duration))
	if err == nil && r.Removed > 0 {
		_, err = fmt.Fprintf(out, "%s of users who are erased removed from it\n", count(r.Removed, "answer"))
	}
	return err
}
