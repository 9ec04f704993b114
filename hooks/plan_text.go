package hooks

import (
	"regexp"
	"slices"
	"strings"
)

// The guard reads the text of a statement to learn which table an alias
// stands for and which columns an index would need. It reads the text and not
// GORM's clauses, because Where("name = ?", …) is text in those too, and the
// text is what SQLite has planned. It understands the common forms only; what
// it makes of them is tried before it is suggested (see planTrial).

// planToken is a word, a name, a value or a sign of a statement.
type planToken struct {
	text   string // without its quotes
	upper  string // of a word that is not quoted, in upper case
	name   bool   // may be a table's or a column's name
	indent int    // how many parentheses are open
}

var planTokens = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/|` + // comments
	`'(?:[^']|'')*'|` + // texts
	"\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\\[[^]]*\\]|" + // quoted names
	`[0-9][0-9A-Za-z_.]*|[?][0-9]*|[:@$][A-Za-z0-9_]+|` + // numbers, places of values
	`[\pL_][\pL\pN_$]*|` + // words
	`==|<=|>=|<>|!=|\|\||<<|>>|->>|->|\S`)

// planKeywords are the words that end or begin something that the guard looks
// for, and so are no names.
var planKeywords = map[string]bool{}

func init() {
	for _, word := range strings.Fields(`SELECT FROM WHERE ON USING SET GROUP ORDER HAVING LIMIT OFFSET UNION EXCEPT INTERSECT
		WINDOW RETURNING JOIN LEFT RIGHT FULL INNER OUTER CROSS NATURAL AS AND OR NOT IN IS NULL BETWEEN LIKE GLOB
		EXISTS CASE WHEN THEN ELSE END CAST COLLATE BY ASC DESC VALUES INSERT INTO UPDATE DELETE INDEXED DISTINCT ALL
		TABLE INDEX CREATE DEFAULT CHECK UNIQUE PRIMARY TO ADD WITH`) {
		planKeywords[word] = true
	}
}

// endsCondition are the words that end the condition of a WHERE or an ON.
var endsCondition = map[string]bool{
	"WHERE": true, "GROUP": true, "ORDER": true, "HAVING": true, "LIMIT": true, "UNION": true, "EXCEPT": true,
	"INTERSECT": true, "WINDOW": true, "RETURNING": true, "JOIN": true, "LEFT": true, "RIGHT": true, "FULL": true,
	"INNER": true, "CROSS": true, "NATURAL": true, "SELECT": true, "SET": true,
}

func tokenize(query string) []planToken {
	var tokens []planToken
	indent := 0
	for _, text := range planTokens.FindAllString(query, -1) {
		if strings.HasPrefix(text, "--") || strings.HasPrefix(text, "/*") {
			continue
		}
		if text == ")" {
			indent--
		}
		token := planToken{text: text, indent: indent}
		switch first := text[0]; {
		case len(text) == 1 && !plainName.MatchString(text):
		case first == '"' || first == '`' || first == '[':
			token.text, token.name = strings.ReplaceAll(text[1:len(text)-1], text[:1]+text[:1], text[:1]), true
		case plainName.MatchString(text) || first >= 0x80:
			token.upper = strings.ToUpper(text)
			token.name = !planKeywords[token.upper]
		}
		tokens = append(tokens, token)
		if text == "(" {
			indent++
		}
	}
	return tokens
}

// planTest is how a condition compares a column.
type planTest int

const (
	testEqual planTest = iota // with a value
	testIn                    // with a list of values
	testNull                  // with NULL
	testJoin                  // with another column
	testRange                 // with bounds
)

// planColumn is a column as a statement names it.
type planColumn struct {
	table   string // its table's alias or name, or empty
	name    string
	test    planTest
	ordered bool   // it stands in an ORDER BY
	desc    bool   // in an ORDER BY
	collate string // in an ORDER BY
}

// planText is what the guard understands of a statement.
type planText struct {
	tokens     []planToken
	aliases    map[string]string // the table by its alias, in lower case
	conditions []planColumn
	orders     [][]planColumn // of each ORDER BY that names nothing but columns
	extremes   []planColumn   // what min() and max() are asked of
}

// readText reads query.
func readText(query string) planText {
	text := planText{tokens: tokenize(query), aliases: map[string]string{}}
	for i, token := range text.tokens {
		rest := text.tokens[i+1:]
		switch token.upper {
		case "FROM", "JOIN", "UPDATE", "INTO":
			text.readTables(rest, token.indent)
		case "WHERE", "ON":
			text.readCondition(section(rest, token.indent, endsCondition))
		case "BY":
			if i > 0 && text.tokens[i-1].upper == "ORDER" {
				text.readOrder(section(rest, token.indent, endsCondition))
			}
		case "MIN", "MAX":
			if column, n := readColumn(rest[min(1, len(rest)):]); n > 0 && rest[0].text == "(" {
				text.extremes = append(text.extremes, column)
			}
		}
	}
	return text
}

// section returns the tokens before the first of the words in end, or before
// the parenthesis that closes them all.
func section(tokens []planToken, indent int, end map[string]bool) []planToken {
	for i, token := range tokens {
		if token.indent < indent || token.indent == indent && (end[token.upper] || token.text == ";") {
			return tokens[:i]
		}
	}
	return tokens
}

// readTables reads "a", "a AS b", "main.a b" and so on, up to what does not
// look like a list of tables any more.
func (t *planText) readTables(tokens []planToken, indent int) {
	for len(tokens) > 0 {
		table, n := readColumn(tokens)
		if n == 0 {
			return
		}
		alias := table.name
		tokens = tokens[n:]
		if len(tokens) > 0 && tokens[0].upper == "AS" {
			tokens = tokens[1:]
		}
		if len(tokens) > 0 && tokens[0].name && tokens[0].indent == indent {
			alias = tokens[0].text
			tokens = tokens[1:]
		}
		t.aliases[strings.ToLower(alias)] = table.name
		if len(tokens) == 0 || tokens[0].text != "," {
			return
		}
		tokens = tokens[1:]
	}
}

// readColumn reads "a", "t.a" or "main.t.a" and returns how many tokens it
// took, 0 if there is something else.
func readColumn(tokens []planToken) (column planColumn, n int) {
	if len(tokens) == 0 || !tokens[0].name {
		return column, 0
	}
	column.name, n = tokens[0].text, 1
	for len(tokens) > n+1 && tokens[n].text == "." && (tokens[n+1].name || tokens[n+1].upper != "") {
		column.table, column.name = column.name, tokens[n+1].text
		n += 2
	}
	if len(tokens) > n && tokens[n].text == "(" {
		return planColumn{}, 0 // a function
	}
	return column, n
}

// readCondition reads the terms that are joined by AND. One index cannot
// serve both sides of an OR: those are left out.
func (t *planText) readCondition(tokens []planToken) {
	tokens = stripParentheses(tokens)
	if len(tokens) == 0 {
		return
	}
	indent := tokens[0].indent
	var terms [][]planToken
	start, between := 0, false
	for i, token := range tokens {
		switch {
		case token.indent != indent:
		case token.upper == "OR":
			return
		case token.upper == "BETWEEN":
			between = true
		case token.upper == "AND" && between:
			between = false
		case token.upper == "AND":
			terms = append(terms, tokens[start:i])
			start = i + 1
		}
	}
	if terms = append(terms, tokens[start:]); len(terms) == 1 {
		t.readTerm(tokens)
		return
	}
	for _, term := range terms {
		t.readCondition(term)
	}
}

// stripParentheses takes off those around all of the tokens.
func stripParentheses(tokens []planToken) []planToken {
	for len(tokens) > 2 && tokens[0].text == "(" {
		indent := tokens[0].indent
		closing := slices.IndexFunc(tokens, func(token planToken) bool { return token.text == ")" && token.indent == indent })
		if closing != len(tokens)-1 {
			break
		}
		tokens = tokens[1:closing]
	}
	return tokens
}

// readTerm reads one comparison.
func (t *planText) readTerm(tokens []planToken) {
	column, n := readColumn(tokens)
	if n == 0 {
		t.readTurned(tokens)
		return
	}
	if n == len(tokens) {
		return
	}
	operator, rest := tokens[n], tokens[n+1:]
	sign := operator.text
	if operator.upper != "" {
		sign = operator.upper
	}
	test, ok := planTests[sign]
	if !ok || len(rest) == 0 {
		return
	}
	if operator.upper == "IS" {
		if rest[0].upper == "NOT" {
			return
		}
		if rest[0].upper == "NULL" {
			test = testNull
		}
	}
	other, m := readColumn(rest)
	if m == len(rest) && m > 0 && test == testEqual {
		test, other.test = testJoin, testJoin
		t.conditions = append(t.conditions, other)
	}
	column.test = test
	t.conditions = append(t.conditions, column)
}

// readTurned reads a comparison whose column stands on the right.
func (t *planText) readTurned(tokens []planToken) {
	if len(tokens) < 3 || planKeywords[tokens[0].upper] || tokens[0].text == "(" {
		return
	}
	test, ok := planTests[tokens[1].text]
	column, n := readColumn(tokens[2:])
	if ok && n == len(tokens)-2 {
		column.test = test
		t.conditions = append(t.conditions, column)
	}
}

// planTests are the comparisons that an index can serve, by sign or word.
var planTests = map[string]planTest{
	"=": testEqual, "==": testEqual, "IS": testEqual, "IN": testIn,
	"<": testRange, "<=": testRange, ">": testRange, ">=": testRange, "BETWEEN": testRange,
}

// readOrder reads the columns of an ORDER BY; an expression among them makes
// it one that no index of columns can serve.
func (t *planText) readOrder(tokens []planToken) {
	var order []planColumn
	for len(tokens) > 0 {
		column, n := readColumn(tokens)
		if n == 0 {
			return
		}
		column.ordered, tokens = true, tokens[n:]
		if len(tokens) > 1 && tokens[0].upper == "COLLATE" {
			column.collate, tokens = tokens[1].text, tokens[2:]
		}
		if len(tokens) > 0 && (tokens[0].upper == "ASC" || tokens[0].upper == "DESC") {
			column.desc, tokens = tokens[0].upper == "DESC", tokens[1:]
		}
		order = append(order, column)
		if len(tokens) > 0 {
			if tokens[0].text != "," {
				return
			}
			tokens = tokens[1:]
		}
	}
	t.orders = append(t.orders, order)
}

// table returns the table that name, an alias perhaps, stands for.
func (t *planText) table(name string) string {
	if table, ok := t.aliases[strings.ToLower(name)]; ok {
		return table
	}
	if _, unqualified, found := strings.Cut(name, "."); found {
		return unqualified
	}
	return name
}

// cutShort reports whether a LIMIT ends the reading of the one table after as
// many rows as are asked for: nothing is left out, gathered or skipped.
func (t *planText) cutShort() bool {
	limited := false
	for _, token := range t.tokens {
		switch token.upper {
		case "WHERE", "JOIN", "ON", "GROUP", "DISTINCT", "OFFSET", "UNION", "EXCEPT", "INTERSECT", "HAVING":
			return false
		case "LIMIT":
			limited = true
		}
		if token.text == "(" {
			return false
		}
	}
	return limited
}
