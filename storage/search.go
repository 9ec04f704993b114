package storage

import (
	"context"

	"github.com/flashstore/flashstore/models"
)

// Search returns up to limit users that match text, each once, in this order
// (S43):
//
//  1. whose uid begins with it, in the order of their uids;
//  2. whose e-mail begins with it, in any case, in the order of their e-mails;
//  3. whose name begins with it, in any case of the letters A to Z, in the
//     order of their names so, then of their ids;
//  4. where the words of names are known, whose name has all words of text, the
//     last of which may be the beginning of one, in any case and whatever their
//     diacritics: "zoe" finds "Dr. Zoë". What is neither a letter nor a digit
//     parts words and counts for nothing.
//
// The first three are the same everywhere. The words are known on PostgreSQL,
// where users found by them come in the order of their ids, and on SQLite with
// FTS5, which mattn/go-sqlite3 has with the build tag sqlite_fts5: there the
// best match by FTS5's bm25 comes first, then the lowest id; of more than 10,000
// matches those of the lowest ids are ranked. PostgreSQL knows the words of the
// first 10,000 characters; it takes diacritics off where the database is in
// UTF-8, and case is what its locale says.
//
// With FTS5 the store makes the index of the words when it is opened with
// MigrateApply. If the index is missing, or the file cannot be written to,
// there is no part 4. Programs without FTS5 may use the same file: what anybody
// changes is noted, and indexed by the next Search of a store with FTS5, which
// then writes, a few hundred names a transaction.
//
// A limit of 0 means 50; the most is 1000. A text that is empty, has more than
// 200 characters, or is not UTF-8 without NUL is an *InvalidError.
func (s *Users) Search(ctx context.Context, text string, limit int) (users []models.User, err error) {
	w, err := parseWanted(text, limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.search(ctx, func(u *unit) error {
		ways := []way{w.by(usersByUID, w.asIs), w.by(usersByEmail, w.email), w.by(usersByName, w.name)}
		users, err = goThrough(u, w.limit, u.withWords(ways, w, userWords), func(user models.User) int64 { return user.ID })
		return err
	})
	return users, err
}

// Search returns up to limit items that match text, for sale or not, each once,
// in this order (S43): those whose slug begins with it, in the order of their
// slugs; those whose name does, and then, where words are known, those that
// have all words of text in their name and description together. In all else it
// is like Users.Search, except that a word of the name counts ten times as much
// as one of the description, and that PostgreSQL, too, puts the best match
// first, by ts_rank.
func (s *Shop) Search(ctx context.Context, text string, limit int) (items []models.ShopItem, err error) {
	w, err := parseWanted(text, limit)
	if err != nil {
		return nil, err
	}
	err = s.engine.search(ctx, func(u *unit) error {
		ways := []way{w.by(itemsBySlug, w.asIs), w.by(itemsByName, w.name)}
		items, err = goThrough(u, w.limit, u.withWords(ways, w, itemWords), func(item models.ShopItem) int64 { return item.ID })
		return err
	})
	return items, err
}

// A prefix is searched as a range, for which both engines use a plain index.
// lower is that of ASCII on both: PostgreSQL's columns are of the collation "C".
// With the affinity of a CAST SQLite would not use an index of an expression.
var (
	usersByUID = declare(`
SELECT * FROM {users} WHERE uid >= CAST(? AS TEXT) AND uid < CAST(? AS TEXT)
ORDER BY uid LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INDEX idx_users_uid (uid>? AND uid<?)")
	usersByEmail = declare(`
SELECT * FROM {users} WHERE email >= CAST(? AS TEXT) AND email < CAST(? AS TEXT)
ORDER BY email LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INDEX idx_users_email (email>? AND email<?)")
	usersByName = declare(`
SELECT * FROM {users}
WHERE lower(substr(name, 1, 200)) >= ? AND lower(substr(name, 1, 200)) < ?
ORDER BY lower(substr(name, 1, 200)), id LIMIT CAST(? AS BIGINT)`,
		"SEARCH users USING INDEX idx_users_name (<expr>>? AND <expr><?)")
	itemsBySlug = declare(`
SELECT * FROM {shop_items} WHERE slug >= CAST(? AS TEXT) AND slug < CAST(? AS TEXT)
ORDER BY slug LIMIT CAST(? AS BIGINT)`,
		"SEARCH shop_items USING INDEX idx_shop_items_slug (slug>? AND slug<?)")
	itemsByName = declare(`
SELECT * FROM {shop_items}
WHERE lower(substr(name, 1, 200)) >= ? AND lower(substr(name, 1, 200)) < ?
ORDER BY lower(substr(name, 1, 200)), id LIMIT CAST(? AS BIGINT)`,
		"SEARCH shop_items USING INDEX idx_shop_items_name (<expr>>? AND <expr><?)")
)

// search runs fn over one moment of the database at which what was changed
// before has its words in the index.
func (e *engine) search(ctx context.Context, fn func(*unit) error) error {
	if err := e.indexWords(ctx); err != nil {
		return err
	}
	return e.snapshot(ctx, fn)
}

// way is one way to find rows.
type way struct {
	query *query
	args  []any
}

// goThrough takes one way after the other until there are limit rows, and leaves
// out what an earlier one has found.
func goThrough[T any](u *unit, limit int, ways []way, id func(T) int64) (found []T, err error) {
	known := map[int64]bool{}
	for _, way := range ways {
		// Those who were found already may be among the first of these.
		var rows []T
		if err := u.raw(way.query, append(way.args, limit)...).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, row := range rows {
			if !known[id(row)] && len(found) < limit {
				known[id(row)] = true
				found = append(found, row)
			}
		}
		if len(found) == limit {
			break
		}
	}
	return found, nil
}
