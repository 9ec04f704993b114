package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// picture is one plot: a line for each candidate over the number of clients.
type picture struct {
	file, title, unit string
	sync              Sync
	log               bool
	value             func(summary) float64
}

// plotList are all plots.
func plotList() (list []picture) {
	for _, sync := range []Sync{Full, Normal} {
		name := strings.ToLower(string(sync))
		list = append(list,
			picture{"throughput-" + name + ".svg", fmt.Sprintf("Single answers per second, %s", sync), "answers per second",
				sync, false, func(s summary) float64 { return s.PerSecond }},
			picture{"p99-" + name + ".svg", fmt.Sprintf("99th percentile of a single answer, %s", sync), "milliseconds",
				sync, true, func(s summary) float64 { return float64(s.P99) / 1e6 }})
	}
	return list
}

// colours are the candidates', readable on white and by the colour-blind.
var colours = []color.RGBA{
	{0xd5, 0x5e, 0x00, 0xff}, {0x99, 0x99, 0x99, 0xff}, {0x00, 0x72, 0xb2, 0xff},
	{0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff}, {0xe6, 0x9f, 0x00, 0xff},
}

// drawPlots draws what was measured.
func drawPlots(r *results, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range plotList() {
		if err := p.draw(r, filepath.Join(dir, p.file)); err != nil {
			return err
		}
	}
	return nil
}

func (p picture) draw(r *results, path string) error {
	canvas := plot.New()
	canvas.Title.Text = p.title
	canvas.X.Label.Text, canvas.Y.Label.Text = "clients", p.unit
	canvas.X.Scale, canvas.X.Tick.Marker = plot.LogScale{}, crowdTicks{}
	canvas.X.Min, canvas.X.Max = 0.9, 640
	canvas.Legend.Top, canvas.Legend.Left, canvas.Legend.Padding = true, true, vg.Points(2)
	canvas.Add(plotter.NewGrid())
	drawn := false
	for i, c := range contenders {
		points := p.points(r, c.Name)
		if len(points) == 0 {
			continue
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, dots.Color = colours[i], colours[i]
		line.Width, dots.Shape = vg.Points(1.5), draw.CircleGlyph{}
		if c.Name == nameFlashstore {
			line.Width = vg.Points(3)
		}
		canvas.Add(line, dots)
		canvas.Legend.Add(c.Name, line, dots)
		drawn = true
	}
	if !drawn { // an empty axis cannot be drawn
		return nil
	}
	// Room for the legend above the lines.
	if p.log {
		canvas.Y.Scale, canvas.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		canvas.Y.Min = math.Pow(10, math.Floor(math.Log10(canvas.Y.Min)))
		canvas.Y.Max = math.Pow(10, math.Ceil(math.Log10(canvas.Y.Max))+1)
	} else {
		canvas.Y.Min, canvas.Y.Max = 0, canvas.Y.Max*1.4
	}
	return canvas.Save(20*vg.Centimeter, 12*vg.Centimeter, path)
}

func (p picture) points(r *results, candidate string) (points plotter.XYs) {
	for _, n := range crowdSizes {
		if s, ok := r.of(answersName(p.sync, n), candidate); ok && (p.value(s) > 0 || !p.log) {
			points = append(points, plotter.XY{X: float64(n), Y: p.value(s)})
		}
	}
	return points
}

// crowdTicks marks the numbers of clients that were measured.
type crowdTicks struct{}

// Ticks returns them all.
func (crowdTicks) Ticks(_, _ float64) (ticks []plot.Tick) {
	for _, n := range crowdSizes {
		ticks = append(ticks, plot.Tick{Value: float64(n), Label: strconv.Itoa(n)})
	}
	return ticks
}
