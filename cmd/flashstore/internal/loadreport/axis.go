package loadreport

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
)

// axis is one axis of a chart.
type axis struct {
	label string
	log   bool        // else it begins at 0
	ticks plot.Ticker // nil: round numbers, to the first beyond the lines
	least float64     // how far it goes at the least
}

// smallest is what a logarithmic axis begins at where there is nothing, or 0.
const smallest = 0.001

// drawable returns a value that the axis has a place for.
func (a axis) drawable(value float64) float64 {
	if a.log {
		return max(value, smallest)
	}
	return value
}

// set makes an axis of plot's for what the lines have.
func (a axis) set(to *plot.Axis, lines []Line, of func(Point) float64) {
	low, high := math.Inf(1), a.least
	for _, line := range lines {
		for _, at := range line.Points {
			low, high = min(low, a.drawable(of(at))), max(high, a.drawable(of(at)))
		}
	}
	to.Label.Text, to.Label.Padding = a.label, vg.Points(4)
	to.Padding = 0
	if a.log {
		a.setLog(to, low, high)
		return
	}
	if high == 0 {
		high = 1 // an axis from 0 to 0 is none
	}
	to.Min, to.Max = 0, high
	if to.Tick.Marker = a.ticks; a.ticks == nil {
		to.Tick.Marker = rounds{}
		to.Max = roundUp(high)
	}
}

// setLog makes a logarithmic axis, from one round number to another.
func (a axis) setLog(to *plot.Axis, low, high float64) {
	if math.IsInf(low, 1) {
		low = smallest
	}
	steps := oneTwoFive{}
	to.Scale, to.Tick.Marker = plot.LogScale{}, steps
	to.Min, to.Max = steps.below(low), steps.above(max(high, low))
}

// PercentileX returns the place of a share of calls, 0 up to but not 1, on
// the percentile axis: 0 for none, 1 for 90%, 2 for 99%, 3 for 99.9%.
func PercentileX(share float64) float64 { return -math.Log10(1 - share) }

// percentiles are the ticks of the percentile axis.
type percentiles struct{}

func (percentiles) Ticks(_, most float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 0, Label: "0%"}, {Value: PercentileX(0.5), Label: "50%"}}
	for nines := 1; float64(nines) <= most+1e-9; nines++ {
		percent := strconv.FormatFloat(100-math.Pow10(2-nines), 'f', max(nines-2, 0), 64)
		ticks = append(ticks, plot.Tick{Value: float64(nines), Label: percent + "%"})
	}
	return ticks
}

// rounds are ticks at round numbers from 0.
type rounds struct{}

// step returns a round number of which four to eight make most.
func step(most float64) float64 {
	unit := math.Pow10(int(math.Floor(math.Log10(most / 4))))
	for _, n := range []float64{1, 2, 5, 10} {
		if most/(n*unit) <= 8 {
			return n * unit
		}
	}
	return 10 * unit
}

// roundUp returns the next tick at or above most.
func roundUp(most float64) float64 { return math.Ceil(most/step(most)-1e-9) * step(most) }

func (rounds) Ticks(_, most float64) (ticks []plot.Tick) {
	by := step(most)
	for i := 0; float64(i)*by <= most*(1+1e-9); i++ {
		ticks = append(ticks, plot.Tick{Value: float64(i) * by, Label: number(float64(i) * by)})
	}
	return ticks
}

// oneTwoFive are ticks at 1, 2 and 5 times the powers of ten; where there are
// many, only the powers have a label.
type oneTwoFive struct{}

func (oneTwoFive) each(low, high float64, fn func(value float64, power bool)) {
	for exponent := int(math.Floor(math.Log10(low))); math.Pow10(exponent) <= high*(1+1e-9); exponent++ {
		for _, n := range []float64{1, 2, 5} {
			if value := n * math.Pow10(exponent); value >= low*(1-1e-9) && value <= high*(1+1e-9) {
				fn(value, n == 1)
			}
		}
	}
}

func (t oneTwoFive) below(low float64) (below float64) {
	t.each(low/11, low, func(value float64, _ bool) { below = value })
	return below
}

// above returns a tick above high: one at it would be the axis' end twice.
func (t oneTwoFive) above(high float64) (above float64) {
	t.each(high*1.01, high*11, func(value float64, _ bool) {
		if above == 0 {
			above = value
		}
	})
	return above
}

func (t oneTwoFive) Ticks(low, high float64) (ticks []plot.Tick) {
	few := high/low < 2e3
	t.each(low, high, func(value float64, power bool) {
		tick := plot.Tick{Value: value}
		if power || few {
			tick.Label = number(value)
		}
		ticks = append(ticks, tick)
	})
	return ticks
}

// number returns a round number with its thousands apart.
func number(value float64) string {
	text := strconv.FormatFloat(value, 'g', 6, 64)
	if value < 10_000 || value >= 1e15 {
		return text
	}
	text = strconv.FormatInt(int64(math.Round(value)), 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = fmt.Sprint(text[:i], ",", text[i:])
	}
	return text
}
