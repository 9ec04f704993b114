package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/flashstore/flashstore/maintenance"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

func demoCommand(opts *options) *cobra.Command {
	return opts.prefixFlag(&cobra.Command{
		Use:   "demo",
		Short: "Make a database with a class in it and show what it holds",
		Long: `Make a database in a new temporary folder, or the one that --db names, and book
a recorded class into it: eight learners, three weeks of practice. Then open a
shop, buy something, show a league's board, the facts that a learner knows
least, the database's figures, back it up and check both files.

The files stay: the last lines say where they are and what to try on them. Run
again on the same --db, the class is booked once.`,
		Example: `  flashstore demo
  flashstore demo --db class.db
  flashstore demo --json | jq .board`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("db") {
				dir, err := os.MkdirTemp("", "flashstore-demo-")
				if err != nil {
					return err
				}
				opts.db = filepath.Join(dir, "flashmath.db")
			}
			shown, err := opts.demo(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := opts.print(cmd.OutOrStdout(), shown, shown.text); err != nil {
				return err
			}
			if !shown.ok() {
				return errFindings
			}
			return nil
		},
	})
}

// demo is what the demo shows.
type demo struct {
	Database   string                   `json:"database"`
	Replay     tally                    `json:"replay"`
	Shop       []models.ShopItem        `json:"shop"`
	Learner    models.User              `json:"learner"` // who leads the class
	Purchase   storage.PurchaseReceipt  `json:"purchase"`
	Board      board                    `json:"board"`
	Weakest    []models.MasteryStat     `json:"weakest"`
	Statistics maintenance.Statistics   `json:"statistics"`
	Backup     maintenance.BackupResult `json:"backup"`
	Checks     []checkup                `json:"checks"`
	Next       []string                 `json:"next"`
}

// ok reports whether the whole class is booked and nothing is wrong.
func (d *demo) ok() bool {
	for _, c := range d.Checks {
		if !c.OK {
			return false
		}
	}
	return d.Replay.Conflicting+d.Replay.Rejected == 0
}

func (o *options) demo(ctx context.Context, out io.Writer) (*demo, error) {
	d := &demo{Database: o.db}
	if err := d.play(ctx, o, out); err != nil {
		return nil, err
	}
	for _, path := range []string{o.db, d.Backup.Path} {
		file := *o
		file.db = path
		found, err := file.check(ctx, true)
		if err != nil {
			return nil, err
		}
		d.Checks = append(d.Checks, found)
	}
	d.Next = o.next(d)
	return d, nil
}

// play does what needs the database open.
func (d *demo) play(ctx context.Context, o *options, out io.Writer) (err error) {
	db, err := o.create(recordedRules())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	bar := newProgress(out, int64(len(classRecording)), "class")
	d.Replay, err = replay(ctx, db, bytes.NewReader(classRecording), bar.report(out), bar.add)
	bar.done()
	if err != nil {
		return err
	}
	if err := d.shop(ctx, db); err != nil {
		return err
	}
	if err := d.look(ctx, db); err != nil {
		return err
	}
	if d.Statistics, err = maintenance.Stats(ctx, db.db); err != nil {
		return err
	}
	d.Backup, err = backUp(ctx, db.db, backupName(o.db), out)
	return err
}

// shop fills the shop and lets the best learner buy something and wear it.
func (d *demo) shop(ctx context.Context, db *database) (err error) {
	for _, item := range catalogue {
		item.Active = true
		if item, err = db.Shop.Put(ctx, item); err != nil {
			return err
		}
		d.Shop = append(d.Shop, item)
	}
	if d.Learner, err = db.Users.ByUID(ctx, classBest); err != nil {
		return err
	}
	wish, err := db.Shop.Item(ctx, classWish)
	if err != nil {
		return err
	}
	id, err := models.ParseID(classPurchase)
	if err != nil {
		return err
	}
	if d.Purchase, err = db.Shop.Purchase(ctx, d.Learner.ID, wish.ID, id); err != nil {
		return err
	}
	return db.Shop.Equip(ctx, d.Learner.ID, wish.ID)
}

// look reads the learner as they are now, the board and the weakest facts.
func (d *demo) look(ctx context.Context, db *database) (err error) {
	if d.Learner, err = db.Users.Get(ctx, d.Learner.ID); err != nil {
		return err
	}
	flags := boardFlags{league: "neon", limit: 10}
	if d.Board, err = flags.board(ctx, db.Store, &classDay); err != nil {
		return err
	}
	d.Weakest, err = db.Mastery.Weakest(ctx, d.Learner.ID, "", 5)
	return err
}

// backupName returns a name beside the database that nothing has yet.
func backupName(db string) string {
	ext := filepath.Ext(db)
	return strings.TrimSuffix(db, ext) + "-" + time.Now().UTC().Format("20060102T150405.000") + ext
}

// next returns what to try on the demo's database.
func (o *options) next(d *demo) []string {
	return []string{
		o.commandLine("board", "--season", strconv.FormatInt(d.Board.Season.ID, 10)),
		o.commandLine("stats"),
		o.commandLine("check"),
		o.commandLine("migrate", "status"),
		o.commandLine("demo"),
	}
}
