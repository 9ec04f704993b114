// Package loadreport writes the report of a load test into a folder: three
// plots, each as SVG and as PNG, and a page that shows them and needs no
// network. It knows nothing of what was measured.
package loadreport

import (
	"errors"
	"fmt"
	"image/color"
	"os"
	"path/filepath"
)

// Report is what a report shows.
type Report struct {
	Title   string
	Setting string     // below the title
	Columns []string   // of the table
	Rows    [][]string // the first cell names the row, the others are numbers
	Machine []Fact     // what it was measured on
	Seconds float64    // how far the axes of time go

	Latency    []Line // X: see PercentileX; Y: milliseconds
	Throughput []Line // X: seconds; Y: calls a second
	Log        []Line // X: seconds; Y: MiB
}

// Fact is a name with what there is to say of it.
type Fact struct{ Name, Value string }

// Line is one line of a plot.
type Line struct {
	Name   string
	Points []Point
}

// Point is a point of a line.
type Point struct{ X, Y float64 }

// PageName is the page's file.
const PageName = "index.html"

// Write writes the report into a folder that is there: the page, and the
// plots latency, throughput and wal as .svg and .png. Files of those names are
// replaced.
func Write(dir string, r Report) error {
	files := map[string][]byte{}
	var figures []figure
	for _, c := range r.charts() {
		bare, err1 := c.svg(nil)
		svg, err2 := c.svg(color.White)
		png, err3 := c.png(color.White)
		if err := errors.Join(err1, err2, err3); err != nil {
			return fmt.Errorf("draw %s: %w", c.name, err)
		}
		files[c.name+".svg"], files[c.name+".png"] = svg, png
		figures = append(figures, figure{SVG: inline(bare), Caption: c.caption})
	}
	page, err := r.page(figures)
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	files[PageName] = page
	var errs []error
	for name, content := range files {
		errs = append(errs, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	return errors.Join(errs...)
}
