package storage

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestRangeOfProperty: a text is in the range of a prefix exactly if it begins
// with it, at the edges of what UTF-8 can hold as well.
func TestRangeOfProperty(t *testing.T) {
	edges := rapid.SampledFrom([]rune{1, 'a', 'b', 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFE, 0x10FFFF})
	text := rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(edges, 0, 4).Draw(t, "runes")) })
	rapid.Check(t, func(t *rapid.T) {
		prefix, some := text.Draw(t, "prefix"), text.Draw(t, "text")
		if rapid.Bool().Draw(t, "begins") {
			some = prefix + some
		}
		within, err := rangeOf(prefix)
		if err != nil {
			if strings.Trim(prefix, "\U0010FFFF") != "" {
				t.Fatal(err)
			}
			return
		}
		if got := some >= within.from && some < within.to; got != strings.HasPrefix(some, prefix) {
			t.Fatalf("%q in %q: %t", some, within, got)
		}
	})
}
