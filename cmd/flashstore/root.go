package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// run is the whole program: it returns the exit status, 0 for success, 1 for
// a failure or a finding, 2 for a call that makes no sense.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var misuse *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return 1
	case errors.As(err, &misuse):
		_, _ = fmt.Fprintf(stderr, "flashstore: %v\nRun 'flashstore --help' for usage.\n", err)
		return 2
	}
	_, _ = fmt.Fprintf(stderr, "flashstore: %v\n", err)
	return 1
}

// errFindings ends a command that has reported what it found.
var errFindings = errors.New("findings were reported")

// usageError is a call that makes no sense.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

// options are the flags that every command has.
type options struct {
	db         string
	durability string
	json       bool
}

func newRoot() *cobra.Command {
	opts := &options{}
	root := &cobra.Command{
		Use:           "flashstore",
		Short:         "The storage of FlashMath on SQLite: try it, fill it, look into it, keep it",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	flags := root.PersistentFlags()
	flags.StringVar(&opts.db, "db", defaultPath(), "the database file; by default $DATABASE_PATH, then ./flashmath.db")
	flags.StringVar(&opts.durability, "durability", "balanced", "what a commit is worth at a power failure: safe, balanced or fast")
	flags.BoolVar(&opts.json, "json", false, "print JSON")
	root.AddCommand(commands(opts)...)
	for _, command := range root.Commands() {
		asUsageErrors(command)
	}
	return root
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

// print writes v as JSON where --json asks for it, and else calls text.
func (o *options) print(out io.Writer, v any, text func(io.Writer) error) error {
	if !o.json {
		return text(out)
	}
	return json.NewEncoder(out).Encode(v)
}
