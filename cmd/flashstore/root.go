package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/migrations"
)

// run is the whole program: it returns the exit status, 0 for success, 1 for
// a failure or a finding, 2 for a call that makes no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var misuse *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return 1
	case errors.As(err, &misuse):
		_, _ = fmt.Fprintf(stderr, "flashstore: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
		return 2
	}
	_, _ = fmt.Fprintf(stderr, "flashstore: %v\n", err)
	var foreign *migrations.SchemaError
	if errors.As(err, &foreign) {
		_, _ = fmt.Fprintln(stderr, "On the command line, TablePrefix is --prefix.")
	}
	return 1
}

// errFindings ends a command that has reported what it found.
var errFindings = errors.New("findings were reported")

// usageError is a call that makes no sense.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// options are the flags that every command has, and the prefix, which those
// have that know our tables.
type options struct {
	db         string
	durability string
	json       bool
	prefix     string

	archiveFile string // of those that read the whole log: where answers were moved to one
}

func newRoot() *cobra.Command {
	opts := &options{}
	root := &cobra.Command{
		Use:   "flashstore",
		Short: "The storage of FlashMath on SQLite: try it, fill it, look into it, keep it",
		Long: `The storage of FlashMath on SQLite: try it, fill it, look into it, keep it.

For replay, migrate, copy, archive and board, --db may also name a PostgreSQL
database: postgres://user@host/name.

The exit status is 0 for success, 1 for a failure or a finding, and 2 for a
call that makes no sense.`,
		Example: `  flashstore demo
  flashstore stats --db flashmath.db
  flashstore check --db flashmath.db --json`,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	// What has commands below it is not called without one.
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "{{if .Runnable}}", "{{if not .HasAvailableSubCommands}}", 1))
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVar(&opts.db, "db", defaultPath(), "the database file; by default $DATABASE_PATH, then ./flashmath.db")
	flags.Lookup("db").DefValue = "" // the text says it
	flags.StringVar(&opts.durability, "durability", "balanced", "what a commit is worth when the power fails: safe, balanced or fast")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	only(root, commands(opts)...)
	asUsageErrors(root)
	return root
}

// only puts commands below cmd, which takes nothing else.
func only(cmd *cobra.Command, commands ...*cobra.Command) {
	cmd.AddCommand(commands...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			err = fmt.Errorf("%w: did you mean %s?", err, strings.Join(similar, " or "))
		}
		return err
	}
}

// asUsageErrors marks what a command says of its arguments.
func asUsageErrors(command *cobra.Command) {
	if check := command.Args; check != nil {
		command.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	for _, sub := range command.Commands() {
		asUsageErrors(sub)
	}
}

// defaultPath is where the database is when --db does not say (S20).
func defaultPath() string {
	if path := os.Getenv("DATABASE_PATH"); path != "" {
		return path
	}
	return "./flashmath.db"
}

// archiveFlag adds --archive to a command that reads the whole log.
func (o *options) archiveFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&o.archiveFile, "archive", "", "the archive's file, if answers were moved to one; not on PostgreSQL")
	return cmd
}

// prefixFlag adds --prefix to a command that knows our tables.
func (o *options) prefixFlag(cmd *cobra.Command) *cobra.Command {
	cmd.PersistentFlags().StringVar(&o.prefix, "prefix", "", "what stands before FlashMath's table names, as in storage.Config.TablePrefix")
	return cmd
}
