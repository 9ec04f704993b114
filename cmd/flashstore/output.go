package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// print writes v as JSON where --json asks for it, and else calls text.
func (o *options) print(out io.Writer, v any, text func(io.Writer) error) error {
	if !o.json {
		return text(out)
	}
	return json.NewEncoder(out).Encode(v)
}

// list returns values so that none are [] in JSON, and not null.
func list[T any](values []T) []T {
	if values == nil {
		return []T{}
	}
	return values
}

// table writes rows in aligned columns, each line after indent.
func table(out io.Writer, indent string, fill func(row func(cells ...any))) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fill(func(cells ...any) {
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = printable(fmt.Sprint(cell))
		}
		_, _ = fmt.Fprintln(w, indent+strings.Join(texts, "\t")) // Flush says it again
	})
	return w.Flush()
}

// printable replaces what would move the terminal's cursor or the columns:
// names come from anywhere.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsPrint(r):
			return r
		case unicode.IsSpace(r):
			return ' '
		}
		return '?'
	}, text)
}

// size returns a number of bytes for people.
func size(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	value, units := float64(bytes)/(1<<10), []string{"KiB", "MiB", "GiB"}
	for value >= 1<<10 && len(units) > 1 {
		value, units = value/(1<<10), units[1:]
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// short rounds a duration to what people read.
func short(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(time.Microsecond)
}

// count returns a number with its noun: 1 page, 2 pages.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// yesNo returns a truth in English.
func yesNo(truth bool) string {
	if truth {
		return "yes"
	}
	return "no"
}

// plain is what needs no quotes in a shell.
var plain = regexp.MustCompile(`^[\w./:@%+=,-]+$`)

// self returns how this program was called: "go run" leaves no flashstore
// behind to be called again.
func self() []string {
	path, err := os.Executable()
	if err == nil && strings.Contains(path, "go-build") && !strings.HasSuffix(path, ".test") {
		return []string{"go", "run", "./cmd/flashstore"}
	}
	return []string{"flashstore"}
}

// commandLine returns a call of flashstore on this database, to be copied.
func (o *options) commandLine(args ...string) string {
	words := slices.Concat(self(), args, []string{"--db", o.name()})
	if o.prefix != "" {
		words = append(words, "--prefix", o.prefix)
	}
	for i, word := range words {
		if !plain.MatchString(word) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
