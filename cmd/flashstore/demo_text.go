package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// text prints the demo in sections, each below its title.
func (d *demo) text(out io.Writer) error {
	sections := []struct {
		title string
		body  func(io.Writer) error
	}{
		{d.Board.title(), d.boardText},
		{"Shop: " + d.purchaseText(), d.shopText},
		{"What " + d.Learner.Name + " knows least", d.weakestText},
		{"Database", func(out io.Writer) error { return statsText(out, "  ", d.Statistics) }},
		{"Files", d.filesText},
		{"Try next", d.nextText},
	}
	if _, err := fmt.Fprintf(out, "Practice: %v\n", d.Replay); err != nil {
		return err
	}
	for _, section := range sections {
		if _, err := fmt.Fprintf(out, "\n%s\n", section.title); err != nil {
			return err
		}
		if err := section.body(out); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) boardText(out io.Writer) error {
	return standingsText(out, "  ", d.Board.Season, d.Board.Standings)
}

func (d *demo) purchaseText() string {
	p := d.Purchase
	when := "buys"
	if p.Repeated {
		when = "bought"
	}
	return fmt.Sprintf("%s %s the %s for %s, wears it, and has %s",
		d.Learner.Name, when, p.Item.Name, count(p.PricePaid, "coin"), count(d.Learner.Coins, "coin"))
}

func (d *demo) shopText(out io.Writer) error {
	return table(out, "  ", func(row func(...any)) {
		row("SLOT", "ITEM", "RARITY", "COINS")
		for _, item := range d.Shop {
			row(item.Slot, item.Name, item.Rarity, item.Price)
		}
	})
}

func (d *demo) weakestText(out io.Writer) error {
	return table(out, "  ", func(row func(...any)) {
		row("FACT", "LEVEL", "RIGHT", "AVERAGE")
		for _, s := range d.Weakest {
			average := time.Duration(s.TotalResponseMS/s.Attempts) * time.Millisecond
			row(s.Fact, s.MasteryLevel.String()+" of 5", fmt.Sprintf("%d of %d", s.CorrectCount, s.Attempts), average.Round(100*time.Millisecond))
		}
	})
}

func (d *demo) filesText(out io.Writer) error {
	return table(out, "  ", func(row func(...any)) {
		for i, c := range d.Checks {
			row([]string{"database", "backup"}[i], c.Database, c.verdict())
		}
	})
}

// verdict says a check in a word or two.
func (c checkup) verdict() string {
	switch {
	case !c.OK:
		return "damaged: run flashstore check on it"
	case c.Ledger.Checked:
		return "sound, ledger proved"
	}
	return "sound"
}

func (d *demo) nextText(out io.Writer) error {
	_, err := fmt.Fprintln(out, "  "+strings.Join(d.Next, "\n  "))
	return err
}
