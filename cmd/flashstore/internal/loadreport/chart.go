package loadreport

import (
	"bytes"
	"image/color"
	"io"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is one plot.
type chart struct {
	name, title, caption string
	x, y                 axis
	lines                []Line
}

func (r Report) charts() []chart {
	return []chart{
		{
			"latency", "Latency by percentile",
			"This share of all calls took no longer. Each step to the right of 90% is ten times rarer.",
			axis{label: "percentile of calls", ticks: percentiles{}, least: 1},
			axis{label: "milliseconds", log: true},
			r.Latency,
		},
		{
			"throughput", "Throughput over time",
			"Calls that succeeded, by the moment at which they ended.",
			axis{label: "seconds since the start", ticks: rounds{}, least: r.Seconds}, axis{label: "calls per second"},
			r.Throughput,
		},
		{
			"wal", "Write-ahead log over time",
			"The size of the log's file. A checkpoint lets the next writer start the log over and leaves the file as long as it is.",
			axis{label: "seconds since the start", ticks: rounds{}, least: r.Seconds}, axis{label: "MiB"},
			r.Log,
		},
	}
}

const (
	width, height = 20 * vg.Centimeter, 10 * vg.Centimeter
	legendWidth   = 3.7 * vg.Centimeter // beside the plot: on it, it would hide a line
	dotsPerInch   = 160
)

// colours can be told apart by the colour-blind too, on a light ground as on a
// dark one. https://jfly.uni-koeln.de/color/
var colours = []color.Color{
	color.RGBA{0x00, 0x8a, 0xd1, 0xff}, // blue
	color.RGBA{0xe6, 0x9f, 0x00, 0xff}, // orange
	color.RGBA{0x00, 0x9e, 0x73, 0xff}, // green
	color.RGBA{0xd5, 0x5e, 0x00, 0xff}, // red
	color.RGBA{0xcc, 0x79, 0xa7, 0xff}, // purple
	color.RGBA{0x80, 0x80, 0x80, 0xff}, // grey
}

// dashes tell lines apart once the colours begin again.
var dashes = [][]vg.Length{nil, {vg.Points(6), vg.Points(3)}, {vg.Points(2), vg.Points(2)}}

// draw draws the chart on a canvas, its legend at the right if it needs one.
// A ground of nil is none.
func (c chart) draw(canvas draw.Canvas, ground color.Color) error {
	if ground != nil {
		canvas.SetColor(ground)
		canvas.Fill(canvas.Path())
	}
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text, p.Title.Padding = c.title, vg.Points(8)
	c.x.set(&p.X, c.lines, func(at Point) float64 { return at.X })
	c.y.set(&p.Y, c.lines, func(at Point) float64 { return at.Y })
	sans(&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font,
		&p.X.Tick.Label.Font, &p.Y.Tick.Label.Font)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.NRGBA{0x80, 0x80, 0x80, 0x50}, color.NRGBA{0x80, 0x80, 0x80, 0x50}
	p.Add(grid)
	legend := plot.NewLegend()
	legend.Top, legend.Left, legend.Padding = true, true, vg.Points(3)
	legend.TextStyle.Font.Size = vg.Points(10)
	sans(&legend.TextStyle.Font)
	for i, line := range c.lines {
		drawn, err := c.line(i, line)
		if err != nil {
			return err
		}
		p.Add(drawn)
		legend.Add(line.Name, drawn)
	}
	canvas = draw.Crop(canvas, vg.Points(8), -vg.Points(12), vg.Points(8), -vg.Points(8))
	if len(c.lines) > 1 {
		legend.Draw(draw.Crop(canvas, canvas.Size().X-legendWidth+vg.Points(8), 0, 0, -vg.Points(24)))
		canvas = draw.Crop(canvas, 0, -legendWidth, 0, 0)
	}
	p.Draw(canvas)
	return nil
}

func (c chart) line(number int, line Line) (*plotter.Line, error) {
	points := make(plotter.XYs, len(line.Points))
	for i, at := range line.Points {
		points[i] = plotter.XY{X: at.X, Y: c.y.drawable(at.Y)}
	}
	if len(points) == 0 { // a line without points is none to plotter
		points = plotter.XYs{{X: 0, Y: c.y.drawable(0)}}
	}
	drawn, err := plotter.NewLine(points)
	if err != nil {
		return nil, err
	}
	drawn.Color = colours[number%len(colours)]
	drawn.Dashes = dashes[number/len(colours)%len(dashes)]
	drawn.Width = vg.Points(1.6)
	return drawn, nil
}

// sans makes fonts ones without serifs.
func sans(fonts ...*font.Font) {
	for _, f := range fonts {
		f.Variant = "Sans"
	}
}

// svg returns the chart on a ground, or with none of its own.
func (c chart) svg(ground color.Color) ([]byte, error) {
	canvas := vgsvg.New(width, height)
	if err := c.draw(draw.New(canvas), ground); err != nil {
		return nil, err
	}
	svg, err := written(canvas)
	// Where that font is missing, one that looks like it is taken.
	return []byte(strings.ReplaceAll(string(svg), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), err
}

// png returns the chart on a ground.
func (c chart) png(ground color.Color) ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dotsPerInch))
	if err := c.draw(draw.New(canvas), ground); err != nil {
		return nil, err
	}
	return written(vgimg.PngCanvas{Canvas: canvas})
}

func written(from io.WriterTo) ([]byte, error) {
	var content bytes.Buffer
	_, err := from.WriteTo(&content)
	return content.Bytes(), err
}
