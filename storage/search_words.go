package storage

import "strings"

// wordSearch is how the words of names are found, where they are known. What
// differs between the engines stands here, one under the other.
type wordSearch struct {
	users, items *query                      // take the words, as match has them, and a limit
	match        func(words []string) string // all of them, the last one as a prefix
	queued       bool                        // changes wait in search_queue to be indexed
}

// A match whose row waits in the queue is stale and does not count. Both
// queries read the matches first, whatever the planner knows of them.
var wordsFTS5 = wordSearch{
	users: (&query{sql: `
SELECT u.* FROM (SELECT rowid AS id, rank FROM {search_users} WHERE {search_users} MATCH CAST(? AS TEXT) LIMIT 10000) AS w
CROSS JOIN {users} AS u ON u.id = w.id
WHERE NOT EXISTS (SELECT 1 FROM {search_queue} AS q WHERE q.kind = 1 AND q.id = u.id)
ORDER BY w.rank, u.id LIMIT CAST(? AS BIGINT)`,
		plan: []string{
			"CO-ROUTINE w",
			"SCAN search_users VIRTUAL TABLE INDEX 0:M1",
			"SCAN w",
			"SEARCH u USING INTEGER PRIMARY KEY (rowid=?)",
			"CORRELATED SCALAR SUBQUERY 2",
			"SEARCH q USING PRIMARY KEY (kind=? AND id=?)",
			"USE TEMP B-TREE FOR ORDER BY",
		}}).because("the best matches are not known before all are: 10,000 at the most"),
	items: (&query{sql: `
SELECT i.* FROM (SELECT rowid AS id, rank FROM {search_items} WHERE {search_items} MATCH CAST(? AS TEXT) LIMIT 10000) AS w
CROSS JOIN {shop_items} AS i ON i.id = w.id
WHERE NOT EXISTS (SELECT 1 FROM {search_queue} AS q WHERE q.kind = 2 AND q.id = i.id)
ORDER BY w.rank, i.id LIMIT CAST(? AS BIGINT)`,
		plan: []string{
			"CO-ROUTINE w",
			"SCAN search_items VIRTUAL TABLE INDEX 0:M2",
			"SCAN w",
			"SEARCH i USING INTEGER PRIMARY KEY (rowid=?)",
			"CORRELATED SCALAR SUBQUERY 2",
			"SEARCH q USING PRIMARY KEY (kind=? AND id=?)",
			"USE TEMP B-TREE FOR ORDER BY",
		}}).because("the best matches are not known before all are: 10,000 at the most"),
	match:  func(words []string) string { return `"` + strings.Join(words, `" AND "`) + `" *` },
	queued: true,
}

// The words are folded as those of the index are, and joined after that. The
// matches are read by the index alone: in the order of the ids, with a limit,
// the planner would go through all users for the first ones.
var wordsPostgres = wordSearch{
	users: &query{sql: `
WITH found AS MATERIALIZED (
    SELECT * FROM {users}
    WHERE to_tsvector('simple', {search_fold}(name))
        @@ to_tsquery('simple', replace({search_fold}(CAST(? AS TEXT)), ' ', ' & ') || ':*'))
SELECT * FROM found ORDER BY id LIMIT CAST(? AS BIGINT)`},
	items: &query{sql: `
WITH wanted AS (
    SELECT to_tsquery('simple', replace({search_fold}(CAST(? AS TEXT)), ' ', ' & ') || ':*') AS words)
SELECT i.* FROM wanted CROSS JOIN {shop_items} AS i
WHERE setweight(to_tsvector('simple', {search_fold}(i.name)), 'A')
    || setweight(to_tsvector('simple', {search_fold}(i.description)), 'D') @@ wanted.words
ORDER BY ts_rank(setweight(to_tsvector('simple', {search_fold}(i.name)), 'A')
    || setweight(to_tsvector('simple', {search_fold}(i.description)), 'D'), wanted.words, 1) DESC, i.id
LIMIT CAST(? AS BIGINT)`},
	match: func(words []string) string { return strings.Join(words, " ") },
}

// wordKind is what has words.
type wordKind int

const (
	userWords wordKind = iota
	itemWords
)

// withWords adds the way by words, where they are known and text has any.
func (u *unit) withWords(ways []way, w wanted, kind wordKind) []way {
	if u.words == nil || len(w.words) == 0 {
		return ways
	}
	return append(ways, way{[]*query{u.words.users, u.words.items}[kind], []any{u.words.match(w.words)}})
}

// knowWords has the words searched so from here on.
func (e *engine) knowWords(how *wordSearch) {
	e.words = how
	for _, q := range append([]*query{how.users, how.items}, queueQueries...) {
		e.texts[q] = q.text(e.cfg.TablePrefix)
	}
}
