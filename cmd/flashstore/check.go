package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
	"gorm.io/gorm"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/storage"
)

func checkCommand(opts *options) *cobra.Command {
	whole := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Look for damage in a database and prove what it stores",
		Long: `Read the whole database and look for damaged pages, indexes and constraints and
for rows that refer to rows that do not exist. Where FlashMath's tables are
there, prove too that each learner's coins are the sum of their ledger, and say
how many answers were set aside because they were not plausible. With --store,
prove that their XP is the sum of their sessions and their mastery a fold of their
answers by FlashMath's own rules, that boards count their players, and that what is
worn is owned.

What is found is printed, and the exit status is then 1. Advice on settings is not
a finding, nor are answers that were set aside. Nothing is changed: a database with
pending migrations is checked without the ledger.`,
		Example: `  flashstore check
  flashstore check --db backups/monday.db
  flashstore check --store --archive old.db
  flashstore check --json | jq .ledger`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			working := newProgress(cmd.ErrOrStderr(), -1, "check")
			found, err := opts.check(cmd.Context(), whole)
			working.done()
			if err != nil {
				return err
			}
			if err := opts.print(cmd.OutOrStdout(), found, found.text); err != nil {
				return err
			}
			if !found.OK {
				return errFindings
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&whole, "store", false, "prove all that is stored, by FlashMath's own rules")
	return opts.archiveFlag(opts.prefixFlag(cmd))
}

// checkup is what a check found.
type checkup struct {
	Database string `json:"database"`
	OK       bool   `json:"ok"`
	maintenance.Report
	Ledger ledger `json:"ledger"`
	// Store is what the store's doctor counts. null: it was not asked, or the
	// ledger is not checked.
	Store *storage.Health `json:"store"`
	// SetAside are the answers that were not booked, by reasons. null: not
	// counted, as the ledger is not checked.
	SetAside map[string]int64 `json:"set_aside"`
}

// ledger is what became of the proof of all balances.
type ledger struct {
	Checked bool            `json:"checked"`
	Why     string          `json:"why,omitempty"` // it was not
	Breaks  []storage.Break `json:"breaks"`
}

// damaged is why a ledger is not checked.
const damaged = "the file is damaged"

// isDamage reports whether SQLite could not read the file.
func isDamage(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.Code == sqlite3.ErrCorrupt || se.Code == sqlite3.ErrNotADB)
}

// check looks for damage and proves the ledger.
func (o *options) check(ctx context.Context, whole bool) (checkup, error) {
	found := checkup{Database: o.db}
	err := o.look(func(db *gorm.DB) (err error) {
		if found.Report, err = maintenance.Check(ctx, db); err != nil {
			return err
		}
		if len(found.Integrity) > 0 {
			found.Ledger.Why = damaged
			return nil
		}
		return o.prove(ctx, db, whole, &found)
	})
	if isDamage(err) { // so bad that it cannot be opened
		found.Integrity, found.Ledger.Why, err = []string{err.Error()}, damaged, nil
	}
	found.OK = found.Report.OK() && len(found.Ledger.Breaks) == 0 && (found.Store == nil || found.Store.OK())
	found.Integrity, found.ForeignKeys, found.Findings = list(found.Integrity), list(found.ForeignKeys), list(found.Findings)
	found.Ledger.Breaks = list(found.Ledger.Breaks)
	return found, err
}

// prove proves all balances, counts what was set aside, and asks the store's
// doctor where that is wanted, where FlashMath's tables are there and up to date.
func (o *options) prove(ctx context.Context, db *gorm.DB, whole bool, found *checkup) error {
	states, err := o.states(ctx, db)
	var foreign *migrations.SchemaError
	switch {
	case errors.As(err, &foreign):
		found.Ledger.Why = foreign.Error()
		return nil
	case err != nil:
		return err
	case !slices.ContainsFunc(states, func(s migrations.State) bool { return s.AppliedAt != nil }):
		found.Ledger.Why = "FlashMath's tables are not here"
		return nil
	case slices.ContainsFunc(states, func(s migrations.State) bool { return s.AppliedAt == nil }):
		found.Ledger.Why = migrations.ErrPending.Error()
		return nil
	}
	store, err := o.storeOn(db)
	if err != nil {
		return err
	}
	found.Ledger.Checked = true
	if found.Ledger.Breaks, err = store.Coins.ReconcileAll(ctx); err != nil {
		return err
	}
	if found.SetAside, err = store.Answers.CountSetAside(ctx); err != nil || !whole {
		return err
	}
	health, err := store.Doctor(ctx)
	found.Store = &health
	return err
}

func (c checkup) text(out io.Writer) error {
	broken := "ok"
	if len(c.Integrity) > 0 {
		broken = "none found"
	}
	return table(out, "", func(row func(...any)) {
		row("database", c.Database)
		rows(row, "integrity", "ok", singleLines(c.Integrity))
		rows(row, "foreign keys", broken, c.ForeignKeys)
		if c.Ledger.Checked {
			rows(row, "ledger", "ok", c.Ledger.Breaks)
		} else {
			row("ledger", "not checked: "+c.Ledger.Why)
		}
		if c.Store != nil {
			row("store", c.Store)
		}
		if len(c.SetAside) > 0 {
			row("set aside", c.setAside())
		}
		rows(row, "advice", "none", c.Findings)
	})
}

// setAside says how many answers were set aside, and why.
func (c checkup) setAside() string {
	var all int64
	var reasons []string
	for _, reason := range slices.Sorted(maps.Keys(c.SetAside)) {
		all += c.SetAside[reason]
		reasons = append(reasons, fmt.Sprintf("%d %s", c.SetAside[reason], reason))
	}
	return fmt.Sprintf("%s: %s", count(all, "answer"), strings.Join(reasons, ", "))
}

// rowsMost is how many values of one kind people are shown.
const rowsMost = 20

// rows writes values below each other, or none where there are none.
func rows[T any](row func(...any), what, none string, values []T) {
	if len(values) == 0 {
		row(what, none)
	}
	for _, value := range values[:min(len(values), rowsMost)] {
		row(what, value)
		what = ""
	}
	if more := len(values) - rowsMost; more > 0 {
		row("", fmt.Sprintf("and %d more: --json shows all", more))
	}
}

// singleLines cuts texts of several lines.
func singleLines(texts []string) (lines []string) {
	for _, text := range texts {
		lines = append(lines, strings.Split(text, "\n")...)
	}
	return lines
}
