package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/storage"
)

func replayCommand(opts *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Book recorded practice: JSON Lines, - for standard input",
		Long: `Book recorded practice from FILE, or from standard input for "-".

Each line is a JSON object with a user (created when first seen), a session and
its answers, booked as one submission. A line that was booked before counts as
repeated; the same ids with other content as conflicting; a line that breaks a
rule as rejected. Those two are reported on standard error, nothing of them is
stored, and the exit status is 1. An interrupted replay can be run again.`,
		Example: `  flashstore replay class.jsonl
  zcat class.jsonl.gz | flashstore replay --db class.db -
  flashstore replay --db 'postgres://ann@db.example.org/class' class.jsonl`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in, size, err := openInput(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, in.Close()) }()
			db, err := opts.create(recordedRules())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.Close()) }()
			return replayTo(cmd, opts, db, in, size)
		},
	}
	return opts.archiveFlag(opts.prefixFlag(cmd))
}

func replayTo(cmd *cobra.Command, opts *options, db *database, in io.Reader, size int64) error {
	bar := newProgress(cmd.ErrOrStderr(), size, "replay")
	tally, err := replay(cmd.Context(), db, in, bar.report(cmd.ErrOrStderr()), bar.add)
	bar.done()
	if err != nil {
		return fmt.Errorf("replay stopped after %d lines (run it again to go on): %w", tally.Lines, err)
	}
	if err := opts.print(cmd.OutOrStdout(), tally, tally.text); err != nil {
		return err
	}
	if tally.Conflicting+tally.Rejected > 0 {
		return errFindings
	}
	return nil
}

// recordedRules are the rules for practice that was recorded elsewhere: the
// clocks of its devices are not this machine's.
func recordedRules() storage.Rules {
	rules := storage.DefaultRules()
	rules.ClockSkew = -1
	return rules
}

// openInput opens a file, or standard input of unknown size for "-".
func openInput(cmd *cobra.Command, name string) (io.ReadCloser, int64, error) {
	if name == "-" {
		return io.NopCloser(cmd.InOrStdin()), -1, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// tally counts what became of the lines.
type tally struct {
	Lines       int `json:"lines"`
	Booked      int `json:"booked"`
	Repeated    int `json:"repeated"`
	Conflicting int `json:"conflicting"`
	Rejected    int `json:"rejected"`
}

func (t tally) String() string {
	return fmt.Sprintf("%s: %d booked, %d repeated, %d conflicting, %d rejected",
		count(int64(t.Lines), "line"), t.Booked, t.Repeated, t.Conflicting, t.Rejected)
}

func (t tally) text(out io.Writer) error {
	_, err := fmt.Fprintln(out, t)
	return err
}

// replay books every line of in. It reports the lines that were not booked,
// and stops at an error that is not a line's own.
func replay(ctx context.Context, db *database, in io.Reader, report func(line int, what string, err error), read func(bytes int)) (tally, error) {
	var t tally
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		text, readErr := lines.ReadBytes('\n')
		if readErr != nil && !errors.Is(readErr, io.EOF) {
			return t, readErr
		}
		read(len(text))
		if text = bytes.TrimSpace(text); len(text) > 0 {
			repeated, err := db.book(ctx, text)
			if what := t.count(repeated, err); what != "" {
				report(number, what, err)
			} else if err != nil {
				return t, fmt.Errorf("line %d: %w", number, err)
			}
		}
		if readErr != nil {
			return t, nil
		}
	}
}

// count adds a line to the tally and names what kept it from being booked, if
// that was its own fault.
func (t *tally) count(repeated bool, err error) (fault string) {
	switch {
	case err == nil && repeated:
		t.Repeated++
	case err == nil:
		t.Booked++
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrTaken):
		t.Conflicting++
		fault = "conflicting"
	case errors.Is(err, storage.ErrInvalid), errors.Is(err, errMalformed):
		t.Rejected++
		fault = "rejected"
	default:
		return ""
	}
	t.Lines++
	return fault
}

// book books one line, user and session together or nothing.
func (d *database) book(ctx context.Context, line []byte) (repeated bool, err error) {
	user, in, err := parseRecording(line)
	if err != nil {
		return false, err
	}
	err = hooks.Transaction(ctx, d.db, func(tx *gorm.DB) error {
		store := d.In(tx)
		known, err := store.Users.Ensure(ctx, user)
		if err != nil {
			return err
		}
		in.UserID = known.ID
		receipt, err := store.Sessions.Submit(ctx, in)
		repeated = receipt.Repeated
		return err
	})
	return repeated, err
}
