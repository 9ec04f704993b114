package hooks

import (
	"errors"
	"regexp"
	"strings"
)

// ErrTransactionControl is returned for BEGIN, COMMIT, ROLLBACK, SAVEPOINT and
// RELEASE sent as text outside a transaction: on a pool they would begin on one
// connection and end on another. It is returned for COMMIT, END and ROLLBACK as
// text inside a writing transaction, too: what follows would be stored at once,
// whatever becomes of the transaction. Nothing was run.
var ErrTransactionControl = errors.New("transaction control was sent as text: " +
	"use db.Transaction, db.Begin or hooks.Transaction, and end what was begun so with its own Commit or Rollback")

var transactionControl = map[string]bool{
	"BEGIN": true, "COMMIT": true, "END": true, "ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
}

func refuseTransactionControl(query string) error {
	if transactionControl[firstKeyword(query)] {
		return ErrTransactionControl
	}
	return nil
}

// refuseEnd returns ErrTransactionControl for a text that ends the transaction
// it runs in: COMMIT, END, and ROLLBACK unless to a savepoint, by itself or in a
// script.
func refuseEnd(query string) error {
	if !mayEnd(query) {
		return nil
	}
	query = quoted.ReplaceAllLiteralString(query, " ")
	if ends.MatchString(triggers.ReplaceAllLiteralString(query, " ")) {
		return ErrTransactionControl
	}
	return nil
}

// mayEnd tells most statements from those at once: it is asked for each.
func mayEnd(query string) bool {
	if strings.Contains(query, ";") {
		return true
	}
	if query != "" && strings.IndexByte("IUDSWiudsw", query[0]) >= 0 || strings.HasPrefix(query, "RELEASE") {
		return false // INSERT, UPDATE, DELETE, SELECT, SAVEPOINT, WITH
	}
	switch firstKeyword(query) {
	case "COMMIT", "END", "ROLLBACK":
		return true
	}
	return false
}

var (
	ends     = regexp.MustCompile(`(?i)(?:^|;)[\s\x{feff}]*(?:COMMIT\b|END\b|ROLLBACK\s*(?:\bTRANSACTION\s*)?(?:;|$))`)
	triggers = regexp.MustCompile(`(?is)\bCREATE\s+(?:TEMP\s+|TEMPORARY\s+)?TRIGGER\b.*?;\s*END\b`) // which have an END of their own
)

// firstKeyword returns the first word of query in upper case.
func firstKeyword(query string) string {
	query = trimComments(query)
	end := strings.IndexFunc(query, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
	if end >= 0 {
		query = query[:end]
	}
	return strings.ToUpper(query)
}

// trimComments cuts off what may stand before a statement: space, empty
// statements and comments.
func trimComments(query string) string {
	for {
		query = strings.TrimLeft(query, " \t\r\n\f;(\ufeff")
		switch {
		case strings.HasPrefix(query, "--"):
			_, query, _ = strings.Cut(query, "\n")
		case strings.HasPrefix(query, "/*"):
			_, query, _ = strings.Cut(query, "*/")
		default:
			return query
		}
	}
}

// asksPragma finds the pragmas whose argument in parentheses is what they are
// asked about, not a value that they set.
var asksPragma = regexp.MustCompile(`(?i)\b(table_x?info|table_list|index_x?info|index_list|foreign_key_list|foreign_key_check|integrity_check|quick_check)\s*\(`)

// setsPragma reports whether a PRAGMA does something. SQLite counts many of
// these as reading, because what they change is not in the file, and sets some
// while it prepares them: they belong to the connection that writes, and a
// reader must not even be asked.
func setsPragma(query string) bool {
	return strings.ContainsRune(query, '=') || strings.Contains(strings.ToLower(query), "optimize") ||
		strings.ContainsRune(query, '(') && !asksPragma.MatchString(query)
}

// ofLastWrite finds the functions that tell of the latest write of their own
// connection. On a reader they are 0, whatever was written.
var ofLastWrite = regexp.MustCompile(`(?i)\b(last_insert_rowid|changes|total_changes)\s*\(`)

// isOfOneConnection reports whether query sets or asks what is the writer's own
// and not in the file, which SQLite counts as reading. A database that the
// writer attaches no reader knows, so that what is done with it goes there too.
func isOfOneConnection(query string) bool {
	switch firstKeyword(query) {
	case "PRAGMA":
		return setsPragma(query)
	case "ATTACH", "DETACH":
		return true
	}
	return ofLastWrite.MatchString(query)
}

// isScript reports whether query holds more than one statement, or might: a
// semicolon, outside strings and comments, that anything but space follows.
func isScript(query string) bool {
	if !strings.Contains(query, ";") {
		return false
	}
	query = quoted.ReplaceAllLiteralString(query, " ")
	i := strings.IndexByte(query, ';')
	return i >= 0 && strings.TrimRight(query[i:], "; \t\r\n") != ""
}

// quoted finds texts, quoted names and comments.
var quoted = regexp.MustCompile("(?s)'[^']*'|\"[^\"]*\"|`[^`]*`|\\[[^]]*\\]|--[^\n]*|/\\*.*?\\*/")
