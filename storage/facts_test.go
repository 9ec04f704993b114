package storage_test

import (
	"testing"

	"github.com/flashstore/flashstore/storage"
)

// N7: one spelling.
func TestNormalizeFact(t *testing.T) {
	for fact, want := range map[string]string{
		"8+7":             "8+7",
		"8 + 7":           "8+7",
		" 8 + 7 = ? ":     "8+7",
		"8 + 7 =":         "8+7",
		"8+7=?":           "8+7",
		"8\u00a0+\u20097": "8+7",
		"7+8":             "7+8", // not the same task

		"3 × 4": "3×4", "3 x 4": "3×4", "3 X 4": "3×4", "3*4": "3×4", "3 x 4 = ?": "3×4",
		"12 ÷ 4": "12÷4", "12/4": "12÷4", "12 / 4 = ?": "12÷4",
		"2 x 3 x 4": "2×3×4", "3 x -4": "3×-4", "(1+2)x(3+4)": "(1+2)×(3+4)",

		"7 + ? = 22": "7+?=22", "? + 7 = 22": "?+7=22", "? x 7 = 21": "?×7=21", "3 * ? = 21": "3×?=21",
		"22 = 7 + ?": "22=7+?", "22 = 7 x ?": "22=7×?",

		// An x that is a name stays one.
		"x + 3 = 7": "x+3=7", "2x": "2x", "2x + 1": "2x+1", "next": "next", "x*": "x*",

		"": "", " \t\n": "", "=": "", "= ?": "",
	} {
		t.Run(fact, func(t *testing.T) {
			equal(t, storage.NormalizeFact(fact), want)
			equal(t, storage.NormalizeFact(want), want)
		})
	}
}

// A spelling that was normalised once is the same ever after: it is the key
// by which Mastery.Fact finds its row again.
func TestNormalizeFact_Twice(t *testing.T) {
	for _, fact := range []string{"8+7==", "8+7=?=?", "8+7=??", "8+7==?", "==", "?=?", "= = ?", "8+7=?="} {
		t.Run(fact, func(t *testing.T) {
			once := storage.NormalizeFact(fact)
			equal(t, storage.NormalizeFact(once), once)
		})
	}
}
