package loadreport

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot"
)

// sample is a report with as many lines as plots may have.
func sample(lines int) Report {
	r := Report{
		Title: "Load <test>", Setting: "here & now", Columns: []string{"mix", "p50"},
		Rows: [][]string{{"answers", "1.5"}}, Machine: []Fact{{"SQLite", "3"}}, Seconds: 2,
	}
	for i := range lines {
		line := Line{Name: fmt.Sprintf("line %d", i)}
		for x := range 20 {
			line.Points = append(line.Points, Point{X: float64(x) / 10, Y: float64(i * x)})
		}
		r.Latency, r.Throughput, r.Log = append(r.Latency, line), append(r.Throughput, line), append(r.Log, line)
	}
	return r
}

func TestWrite(t *testing.T) {
	empty := sample(1)
	empty.Latency[0].Points, empty.Throughput[0].Points, empty.Log[0].Points = nil, nil, []Point{{}}
	for name, r := range map[string]Report{
		"no line": sample(0), "many lines": sample(20), "lines of nothing": empty,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := Write(dir, r); err != nil {
				t.Fatal(err)
			}
			for _, plot := range []string{"latency", "throughput", "wal"} {
				mustBeXML(t, mustRead(t, dir, plot+".svg"))
				image, err := png.Decode(bytes.NewReader(mustRead(t, dir, plot+".png")))
				if err != nil {
					t.Fatal(err)
				}
				if size := image.Bounds().Size(); size.X < 1000 || size.Y < 500 {
					t.Errorf("%s is %v", plot, size)
				}
			}
			page := string(mustRead(t, dir, PageName))
			for _, word := range []string{"Load &lt;test&gt;", "here &amp; now", "<td>answers</td>", "<dt>SQLite</dt><dd>3</dd>"} {
				if !strings.Contains(page, word) {
					t.Errorf("the page lacks %q", word)
				}
			}
			if strings.Contains(page, "http") || strings.Contains(page, "xmlns") || strings.Contains(page, "#000000") {
				t.Error("the page needs the network, or has black that cannot be read on black")
			}
		})
	}
}

func TestWriteFails(t *testing.T) {
	if err := Write(filepath.Join(t.TempDir(), "none"), sample(1)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it says %v", err)
	}
}

func mustRead(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func mustBeXML(t *testing.T, content []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(content)); ; {
		switch _, err := d.Token(); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			t.Fatal(err)
		}
	}
}

// labels returns the texts of ticks, those without one left out.
func labels(ticks []plot.Tick) (texts []string) {
	for _, tick := range ticks {
		if tick.Label != "" {
			texts = append(texts, tick.Label)
		}
	}
	return texts
}

func TestTicks(t *testing.T) {
	for name, c := range map[string]struct {
		ticks []plot.Tick
		want  []string
	}{
		"percentiles":  {percentiles{}.Ticks(0, 5.3), []string{"0%", "50%", "90%", "99%", "99.9%", "99.99%", "99.999%"}},
		"few calls":    {percentiles{}.Ticks(0, 1), []string{"0%", "50%", "90%"}},
		"seconds":      {rounds{}.Ticks(0, 2.003), []string{"0", "0.5", "1", "1.5", "2"}},
		"a long test":  {rounds{}.Ticks(0, 3600), []string{"0", "500", "1000", "1500", "2000", "2500", "3000", "3500"}},
		"many calls":   {rounds{}.Ticks(0, 60_000), []string{"0", "10,000", "20,000", "30,000", "40,000", "50,000", "60,000"}},
		"milliseconds": {oneTwoFive{}.Ticks(0.5, 20), []string{"0.5", "1", "2", "5", "10", "20"}},
		"many decades": {oneTwoFive{}.Ticks(0.01, 1000), []string{"0.01", "0.1", "1", "10", "100", "1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, labels(c.ticks)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// The ends of a logarithmic axis are ticks around what is shown.
func TestLogEnds(t *testing.T) {
	for _, value := range []float64{0.001, 0.0123, 0.1, 0.99, 1, 1.5, 4.99, 5, 60_000} {
		low, high := oneTwoFive{}.below(value), oneTwoFive{}.above(value)
		if low <= 0 || low > value*1.01 || high <= value || high/low > 11 {
			t.Errorf("around %v it goes from %v to %v", value, low, high)
		}
		ticks := oneTwoFive{}.Ticks(low, high)
		if !slices.ContainsFunc(ticks, func(t plot.Tick) bool { return math.Abs(t.Value-low) < low*1e-6 }) {
			t.Errorf("%v is no tick", low)
		}
	}
}
