package storage

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxWanted is the most characters of a text that is searched for: those of a
// name that have an index.
const maxWanted = 200

// wanted is what is searched for: a prefix as each column has it, and words.
type wanted struct {
	asIs  textRange // uids and slugs
	email textRange
	name  textRange
	words []string
	limit int
}

func parseWanted(text string, limit int) (w wanted, err error) {
	if w.limit, err = pageSize("limit", limit); err != nil {
		return w, err
	}
	prefix := strings.TrimLeftFunc(text, unicode.IsSpace)
	if n := utf8.RuneCountInString(prefix); n > maxWanted {
		return w, invalid("text", "has %d characters: give at most %d", n, maxWanted)
	}
	if w.asIs, err = rangeOf(prefix); err != nil {
		return w, err
	}
	if w.email, err = rangeOf(normalizeEmail(prefix)); err != nil {
		return w, err
	}
	w.name, err = rangeOf(lowerASCII(prefix))
	w.words = wordsOf(prefix)
	return w, err
}

// by returns the way that finds a range with q.
func (w wanted) by(q *query, r textRange) way { return way{q, []any{r.from, r.to}} }

// lowerASCII is the lower of the queries.
func lowerASCII(text string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text)
}

// wordsOf returns the words of a text, as FTS5's unicode61 parts them. They have
// nothing that is a sign to FTS5 or PostgreSQL.
func wordsOf(text string) (words []string) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !startsWord(r) && !unicode.IsMark(r) }) {
		if strings.ContainsFunc(word, startsWord) {
			words = append(words, word)
		}
	}
	return words
}

func startsWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Co, r)
}

// textRange is all text from one to just before another, by its bytes.
type textRange struct{ from, to string }

// rangeOf returns the range of the text that begins with prefix. UTF-8 sorts by
// its bytes as by its characters, so that the end is the prefix with its last
// character replaced by the next one, which is text again.
func rangeOf(prefix string) (textRange, error) {
	if prefix == "" {
		return textRange{}, invalid("text", "is empty")
	}
	if err := checkText("text", prefix); err != nil {
		return textRange{}, err
	}
	for begin := prefix; begin != ""; {
		last, size := utf8.DecodeLastRuneInString(begin)
		begin = begin[:len(begin)-size]
		if last < utf8.MaxRune {
			return textRange{prefix, begin + string(nextRune(last))}, nil
		}
	}
	return textRange{}, invalid("text", "is %q, and no text sorts after it", prefix)
}

// nextRune returns the character after r, skipping the surrogates, which UTF-8
// does not have.
func nextRune(r rune) rune {
	if r == 0xD7FF {
		return 0xE000
	}
	return r + 1
}
