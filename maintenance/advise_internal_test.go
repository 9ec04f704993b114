package maintenance

import (
	"testing"

	"github.com/flashstore/flashstore/hooks"
)

// Each figure has a bound from which it is to be watched, and one from which
// another database is better.
func TestAdviceByFigure(t *testing.T) {
	calm := func() Figures {
		return Figures{Statistics: Statistics{Path: "/a.db", JournalMode: "wal", DatabaseBytes: 1 << 30}, Writes: Rates{Known: true}}
	}
	for name, test := range map[string]struct {
		change func(*Figures)
		figure string
		want   Verdict
	}{
		"calm":                {func(*Figures) {}, "", Serves},
		"nearly 5 GB":         {func(f *Figures) { f.DatabaseBytes = 5<<30 - 1 }, "size", Serves},
		"5 GB":                {func(f *Figures) { f.DatabaseBytes = 5 << 30 }, "size", Watch},
		"10 GB":               {func(f *Figures) { f.DatabaseBytes = 10 << 30 }, "size", Leave},
		"no log":              {func(f *Figures) { f.JournalMode = "delete" }, "log", Watch},
		"in memory":           {func(f *Figures) { f.Path, f.JournalMode = "", "memory" }, "log", Serves},
		"a long log":          {func(f *Figures) { f.WALBytes = 256 << 20 }, "log", Watch},
		"one other":           {func(f *Figures) { f.OtherProcesses = 1 }, "processes", Serves},
		"two others":          {func(f *Figures) { f.OtherProcesses = 2 }, "processes", Watch},
		"others unknown":      {func(f *Figures) { f.OtherProcesses = -1 }, "processes", Serves},
		"2,500 a second":      {func(f *Figures) { f.Writes.BusiestHour = 2_500 * 3600 }, "writes", Watch},
		"less than that":      {func(f *Figures) { f.Writes.BusiestHour = 2_500*3600 - 1 }, "writes", Serves},
		"10,000 a second":     {func(f *Figures) { f.Writes.BusiestHour = 10_000 * 3600 }, "writes", Leave},
		"a moment of it":      {func(f *Figures) { f.Writes.BusiestMinute = 10_000 * 60 }, "writes", Serves},
		"nothing known of it": {func(f *Figures) { f.Writes.Known, f.Writes.BusiestHour = false, 1<<40 }, "", Serves},
	} {
		t.Run(name, func(t *testing.T) {
			f := calm()
			test.change(&f)
			for _, a := range f.judge() {
				want := Serves
				if a.Figure == test.figure {
					want = test.want
				}
				if a.Verdict != want || (a.Do == "") != (want == Serves) || a.What == "" {
					t.Errorf("%+v, want %s", a, want)
				}
			}
		})
	}
}

func TestAdviceByPlace(t *testing.T) {
	for _, test := range []struct {
		finding Finding
		want    []Verdict
	}{
		{Finding{Kind: hooks.FindingFileSystem, Severe: true}, []Verdict{Leave}},
		{Finding{Kind: hooks.FindingFileSystem}, []Verdict{Watch}},
		{Finding{Kind: hooks.FindingFreeSpace}, []Verdict{Watch}},
		{Finding{Kind: hooks.FindingReadable}, nil},
	} {
		got := judgePlace([]Finding{test.finding})
		if len(got) != len(test.want) || len(got) > 0 && got[0].Verdict != test.want[0] {
			t.Errorf("%v: %+v, want %v", test.finding, got, test.want)
		}
	}
}
