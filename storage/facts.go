package storage

import (
	"strings"
	"unicode"
)

// NormalizeFact returns the one spelling of a fact (N7): no space, nothing
// after the task (`8 + 7 = ?` is `8+7`), `×` for `x` and `*`, `÷` for `/` where
// they stand between two terms. A form with the unknown elsewhere is a fact of
// its own (`7 + ? = 22` is `7+?=22`). An empty result means that there was no
// fact.
func NormalizeFact(fact string) string {
	fact = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, fact)
	for strings.HasSuffix(fact, "=") || strings.HasSuffix(fact, "=?") {
		fact = strings.TrimSuffix(strings.TrimSuffix(fact, "?"), "=")
	}
	return respellOperators(fact)
}

// operators are the signs with more than one spelling.
var operators = map[rune]rune{'x': '×', 'X': '×', '*': '×', '×': '×', '/': '÷', '÷': '÷'}

// respellOperators replaces operators that stand between two terms, so that
// an x that is a name stays one.
func respellOperators(fact string) string {
	runes := []rune(fact)
	for i := 1; i < len(runes)-1; i++ {
		sign, ok := operators[runes[i]]
		if ok && endsTerm(runes[i-1]) && beginsTerm(runes[i+1]) {
			runes[i] = sign
		}
	}
	return string(runes)
}

func endsTerm(r rune) bool   { return unicode.IsDigit(r) || r == '?' || r == ')' }
func beginsTerm(r rune) bool { return unicode.IsDigit(r) || r == '?' || r == '(' || r == '-' }

// normalizeOperation returns the lower-case word that names an operation, and
// whether it is one.
func normalizeOperation(operation string) (string, bool) {
	operation = strings.ToLower(strings.TrimSpace(operation))
	isWord := operation != "" && strings.IndexFunc(operation, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
	return operation, isWord
}
