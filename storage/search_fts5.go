package storage

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
)

// The words of names are kept in an FTS5 index on SQLite. Programs with and
// without FTS5 use the same file: only those with it can touch the virtual
// tables, and so no migration makes them and no trigger writes to them. Plain
// triggers note in a plain table what was changed, by anybody, and a store with
// FTS5 takes it from there before it searches. All of it comes with the first
// store that has FTS5, and goes with the rollback of the migration 0005_search,
// which names every part.
//
// The tables keep the names once more, because FTS5 can take words out of an
// index only if it still has them; secure-delete takes them out for good.

// indexPart is one object of the index, as sqlite_schema has it.
type indexPart struct{ kind, name, sql string }

// The triggers look at the columns that are searched only: what sessions change
// of users fires none.
var indexParts = []indexPart{
	{"table", "search_queue", `CREATE TABLE {search_queue} (
    kind INTEGER NOT NULL CHECK (kind IN (1, 2)),
    id   INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID`},
	{"table", "search_users", `CREATE VIRTUAL TABLE {search_users} USING fts5(name, tokenize = 'unicode61 remove_diacritics 2')`},
	{"table", "search_items", `CREATE VIRTUAL TABLE {search_items} USING fts5(name, description, tokenize = 'unicode61 remove_diacritics 2')`},
	{"trigger", "trg_search_users_insert", `CREATE TRIGGER {trg_search_users_insert} AFTER INSERT ON {users}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (1, NEW.id) ON CONFLICT DO NOTHING; END`},
	{"trigger", "trg_search_users_update", `CREATE TRIGGER {trg_search_users_update} AFTER UPDATE OF id, name ON {users}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (1, OLD.id), (1, NEW.id) ON CONFLICT DO NOTHING; END`},
	{"trigger", "trg_search_users_delete", `CREATE TRIGGER {trg_search_users_delete} AFTER DELETE ON {users}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (1, OLD.id) ON CONFLICT DO NOTHING; END`},
	{"trigger", "trg_search_items_insert", `CREATE TRIGGER {trg_search_items_insert} AFTER INSERT ON {shop_items}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (2, NEW.id) ON CONFLICT DO NOTHING; END`},
	{"trigger", "trg_search_items_update", `CREATE TRIGGER {trg_search_items_update} AFTER UPDATE OF id, name, description ON {shop_items}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (2, OLD.id), (2, NEW.id) ON CONFLICT DO NOTHING; END`},
	{"trigger", "trg_search_items_delete", `CREATE TRIGGER {trg_search_items_delete} AFTER DELETE ON {shop_items}
BEGIN INSERT INTO {search_queue} (kind, id) VALUES (2, OLD.id) ON CONFLICT DO NOTHING; END`},
}

// fill sets how the tables are kept, and queues all that is there already.
var fill = []string{
	`INSERT INTO {search_users} ({search_users}, rank) VALUES ('secure-delete', 1)`,
	`INSERT INTO {search_items} ({search_items}, rank) VALUES ('secure-delete', 1)`,
	`INSERT INTO {search_items} ({search_items}, rank) VALUES ('rank', 'bm25(10.0, 1.0)')`,
	`INSERT INTO {search_queue} (kind, id) SELECT 1, id FROM {users} UNION ALL SELECT 2, id FROM {shop_items}`,
}

// openWords finds out how words are found here. With FTS5 it makes the index
// where it may.
func (e *engine) openWords(ctx context.Context) error {
	switch {
	case e.withoutWords:
		return nil
	case e.locksRows:
		e.knowWords(&wordsPostgres)
		return nil
	}
	var known bool
	err := e.db.WithContext(ctx).Raw("SELECT count(*) FROM pragma_module_list WHERE name = 'fts5'").Scan(&known).Error
	if err != nil || !known {
		return err
	}
	missing, err := e.missingParts(e.db.WithContext(ctx))
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if e.cfg.Migrate != MigrateApply {
			return nil
		}
		if err = hooks.Transaction(ctx, e.db, e.makeWords); hooks.ReadOnly(err) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("make the index of the words of names: %w", err)
	}
	e.knowWords(&wordsFTS5)
	return e.indexWords(ctx)
}

// missingParts returns the parts of the index that are not there. What has
// their names and is something else is refused.
func (e *engine) missingParts(tx *gorm.DB) (missing []indexPart, err error) {
	var names []string
	for _, p := range indexParts {
		names = append(names, e.cfg.TablePrefix+p.name)
	}
	var rows []struct{ Type, Name, SQL string }
	if err := tx.Raw("SELECT type, name, coalesce(sql, '') AS sql FROM sqlite_schema WHERE name IN ?", names).Scan(&rows).Error; err != nil {
		return nil, err
	}
	there := map[string]indexPart{}
	for _, row := range rows {
		there[row.Name] = indexPart{row.Type, row.Name, row.SQL}
	}
	for i, p := range indexParts {
		want := indexPart{p.kind, names[i], withPrefix(p.sql, e.cfg.TablePrefix)}
		switch found, ok := there[want.name]; {
		case !ok:
			missing = append(missing, p)
		case found != want:
			return nil, &migrations.SchemaError{Table: want.name, Reason: "exists already and was not made by flashstore (it is " + found.sql + ")"}
		}
	}
	return missing, nil
}

// makeWords rebuilds the index, unless another process has just done so. A
// single missing part, such as a trigger that was dropped with its table, has
// let changes pass, and so all of it is made again.
func (e *engine) makeWords(tx *gorm.DB) error {
	missing, err := e.missingParts(tx)
	if err != nil || len(missing) == 0 {
		return err
	}
	var statements []string
	for _, p := range indexParts {
		if !slices.Contains(missing, p) {
			statements = append(statements, "DROP "+p.kind+" {"+p.name+"}")
		}
	}
	for _, p := range indexParts {
		statements = append(statements, p.sql)
	}
	for _, sql := range append(statements, fill...) {
		if err := tx.Exec(withPrefix(sql, e.cfg.TablePrefix)).Error; err != nil {
			return err
		}
	}
	return nil
}

// wordBatch is how many names one transaction indexes: other writers get their
// turn in between.
const wordBatch = 500

// indexWords brings the index up to what was changed before. Where nothing can
// be written, the queries leave out what waits.
func (e *engine) indexWords(ctx context.Context) error {
	if e.words == nil || !e.words.queued {
		return nil
	}
	waiting := false
	err := e.snapshot(ctx, func(u *unit) error { return u.raw(anyWaiting).Scan(&waiting).Error })
	for err == nil && waiting {
		err = e.write(ctx, func(u *unit) (err error) {
			waiting, err = u.indexSome()
			return err
		})
	}
	if hooks.ReadOnly(err) {
		return nil
	}
	return err
}

// wordTables says what of which table is indexed where, by its kind in
// search_queue.
var wordTables = []struct {
	kind           int
	index, indexed string
	columns        string
}{
	{1, "search_users", "users", "name"},
	{2, "search_items", "shop_items", "name, description"},
}

// indexSome indexes some of what waits and reports whether there may be more.
func (u *unit) indexSome() (more bool, err error) {
	for _, t := range wordTables {
		var ids []int64
		if err := u.raw(someWaiting, t.kind, wordBatch).Scan(&ids).Error; err != nil {
			return false, err
		}
		if len(ids) == 0 {
			continue
		}
		for _, sql := range []string{
			"DELETE FROM {" + t.index + "} WHERE rowid IN ?",
			"INSERT INTO {" + t.index + "} (rowid, " + t.columns + ") SELECT id, " + t.columns + " FROM {" + t.indexed + "} WHERE id IN ?",
			fmt.Sprintf("DELETE FROM {search_queue} WHERE kind = %d AND id IN ?", t.kind),
		} {
			if err := u.tx.Exec(withPrefix(sql, u.cfg.TablePrefix), ids).Error; err != nil {
				return false, err
			}
		}
		more = more || len(ids) == wordBatch
	}
	return more, nil
}

// forgetWords takes the words of a user who is gone out of the index at once,
// where this program can.
func (u *unit) forgetWords(userID int64) error {
	if u.words == nil || !u.words.queued {
		return nil
	}
	for _, sql := range []string{
		"DELETE FROM {search_users} WHERE rowid = CAST(? AS BIGINT)",
		"DELETE FROM {search_queue} WHERE kind = 1 AND id = CAST(? AS BIGINT)",
	} {
		if err := u.tx.Exec(withPrefix(sql, u.cfg.TablePrefix), userID).Error; err != nil {
			return err
		}
	}
	return nil
}

// The queue is there where the index is.
var (
	anyWaiting = &query{sql: `SELECT EXISTS (SELECT 1 FROM {search_queue} WHERE kind > 0)`,
		plan: []string{"SCAN CONSTANT ROW", "SCALAR SUBQUERY 1", "SEARCH search_queue USING PRIMARY KEY (kind>?)"}}
	someWaiting = &query{sql: `
SELECT id FROM {search_queue} WHERE kind = CAST(? AS BIGINT) ORDER BY id LIMIT CAST(? AS BIGINT)`,
		plan: []string{"SEARCH search_queue USING PRIMARY KEY (kind=?)"}}
	queueQueries = []*query{anyWaiting, someWaiting}
)
