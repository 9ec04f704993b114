package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// plural is a number of things in words.
func plural(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// thousands is a number, grouped, with decimals only where it is small.
func thousands(value float64) string {
	if value < 10 && value != math.Trunc(value) {
		return strconv.FormatFloat(value, 'f', 1, 64)
	}
	text := strconv.FormatInt(int64(math.Round(value)), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// nanos is a time with three digits.
func nanos(ns int64) string {
	switch d := time.Duration(ns); {
	case d >= time.Second:
		return fmt.Sprintf("%.3g s", d.Seconds())
	case d >= 999500*time.Nanosecond:
		return digits(d.Seconds()*1e3) + " ms"
	default:
		return digits(d.Seconds()*1e6) + " µs"
	}
}

// digits is a number from 1 to 999 with three digits at the most.
func digits(value float64) string {
	if value >= 100 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strconv.FormatFloat(value, 'g', 3, 64)
}

// megabytes is a number of kB in MB.
func megabytes(kb int64) string { return fmt.Sprintf("%.0f", float64(kb)*1024/1e6) }

// table is one of Markdown's: the first column is text, the others numbers.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	b.WriteString("|---|" + strings.Repeat("--:|", len(t.head)-1) + "\n")
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}
