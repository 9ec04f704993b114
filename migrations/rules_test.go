package migrations_test

import (
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/mattn/go-sqlite3"
)

// rule is a kind of rule, and how the engines say that one was broken.
type rule struct {
	code   sqlite3.ErrNoExtended // mattn's driver has no name for the one of STRICT tables
	states []string
}

var (
	brokenCheck      = rule{275, []string{"23514"}}
	brokenForeignKey = rule{787, []string{"23503"}}
	brokenNotNull    = rule{1299, []string{"23502"}}
	brokenPrimaryKey = rule{1555, []string{"23505"}}
	brokenUnique     = rule{2067, []string{"23505"}}
	brokenType       = rule{3091, []string{"22P02", "42804"}}
)

// Each statement differs in one thing from the rows that are there, so that no
// other rule can be the one that stops it. Those of brokenOnSQLite are of types
// that PostgreSQL has not, or that it converts; and the id of a session, which
// is unique for each user alone there.
func TestRules(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			addCustomers(t, at, "", 1, 2)
			// A second item that nobody has, and a user who has nothing.
			run(t, at, "", `
				INSERT INTO shop_items SELECT 2, 'boots', name, description, 'feet', rarity, price, asset_value, active FROM shop_items;
				INSERT INTO users SELECT 3, 'uid-3', NULL, name, 1, 0, 0, 1, 0, 0, 0, 1 FROM users WHERE id = 1;`)
			db := openSQL(t, at)
			want := contentsOf(t, at)
			for _, test := range slices.Concat(broken, pick(at, brokenOnSQLite, brokenOnPostgres)) {
				t.Run(test.name, func(t *testing.T) { mustBreak(t, db, literals(at, test.statement), test.want) })
			}
			if diff := cmp.Diff(want, contentsOf(t, at)); diff != "" {
				t.Errorf("contents (-before +after)\n%s", diff)
			}
		})
	}
}

// breach is a statement and the rule that it breaks.
type breach struct {
	name      string
	statement string
	want      rule
}

var broken = []breach{
	{"coins below 0", "UPDATE users SET coins = -1", brokenCheck},
	{"XP below 0", "UPDATE users SET total_xp = -1", brokenCheck},
	{"level 0", "UPDATE users SET level = 0", brokenCheck},
	{"version 0", "UPDATE users SET version = 0", brokenCheck},
	{"empty uid", "UPDATE users SET uid = ''", brokenCheck},
	{"uid twice", "UPDATE users SET uid = 'uid-1'", brokenUnique},
	{"empty e-mail", "UPDATE users SET email = ''", brokenCheck},
	{"e-mail twice", "UPDATE users SET email = 'ada@example.org'", brokenUnique},
	{"no name", "UPDATE users SET name = NULL", brokenNotNull},
	{"unknown league", "UPDATE users SET league_id = 6", brokenForeignKey},
	{"text for coins", "UPDATE users SET coins = 'many'", brokenType},
	{"text for a time", "UPDATE users SET created_at = '2026-03-01 10:00:00'", brokenType},

	{"league of tier 0", "UPDATE leagues SET tier = 0 WHERE id = 1", brokenCheck},
	{"league slug twice", "UPDATE leagues SET slug = 'neon'", brokenUnique},
	{"league tier twice", "UPDATE leagues SET tier = 1", brokenUnique},
	{"season that ends as it starts", "UPDATE seasons SET ends_at = starts_at", brokenCheck},

	{"ended before started", "UPDATE sessions SET ended_at = started_at - 1", brokenCheck},
	{"more right than all", "UPDATE sessions SET correct_count = total_count + 1", brokenCheck},
	{"no answers", "UPDATE sessions SET total_count = 0, correct_count = 0", brokenCheck},
	{"right ones below 0", "UPDATE sessions SET correct_count = -1", brokenCheck},
	{"negative session XP", "UPDATE sessions SET xp_earned = -1", brokenCheck},
	{"negative session coins", "UPDATE sessions SET coins_earned = -1", brokenCheck},
	{"session of nobody", "UPDATE sessions SET user_id = 99 WHERE user_id = 1", brokenForeignKey},
	{"session of no season", "UPDATE sessions SET season_id = 99", brokenForeignKey},
	{"session of no operation", "UPDATE sessions SET operation = ''", brokenCheck},

	{"answered before asked", "UPDATE answer_events SET response_time_ms = -1", brokenCheck},
	{"answer to nothing", "UPDATE answer_events SET fact = ''", brokenCheck},

	{"mastery 5.5", "UPDATE mastery_stats SET mastery_level = 5.5", brokenCheck},
	{"mastery below 0", "UPDATE mastery_stats SET mastery_level = -0.1", brokenCheck},
	{"text for mastery", "UPDATE mastery_stats SET mastery_level = 'high'", brokenType},
	{"mastery of no attempt", "UPDATE mastery_stats SET attempts = 0, correct_count = 0", brokenCheck},
	{"mastery with more right than all", "UPDATE mastery_stats SET correct_count = attempts + 1", brokenCheck},
	{"rollup of level 6", "UPDATE mastery_rollups SET mastery_level = 6", brokenCheck},
	{"rollup with more right than all", "UPDATE mastery_rollups SET correct_count = total_attempts + 1", brokenCheck},
	{"horizon of nothing", "UPDATE archive_horizons SET answers = 0", brokenCheck},
	{"horizon of nobody", "INSERT INTO archive_horizons VALUES (99, #00000000000000000000000000000009#, 1, 0)", brokenForeignKey},
	{"rollup of nobody", "INSERT INTO rollup_queue (user_id) VALUES (99)", brokenForeignKey},

	{"weekly XP below 0", "UPDATE league_participants SET weekly_xp = -1", brokenCheck},
	{"two leagues in a season", "INSERT INTO league_participants VALUES (20260301, 2, 1, 0, 0)", brokenUnique},
	{"participant of no league", "UPDATE league_participants SET league_id = 6", brokenForeignKey},
	{"rank 0", "UPDATE season_results SET rank = 0", brokenCheck},
	{"moved to no league", "UPDATE season_results SET moved_to = 6", brokenForeignKey},
	{"prize below 0", "UPDATE season_results SET prize = -1", brokenCheck},

	{"set aside of nobody", "UPDATE answers_set_aside SET user_id = 99 WHERE user_id = 1", brokenForeignKey},
	{"set aside twice", "INSERT INTO answers_set_aside SELECT * FROM answers_set_aside", brokenPrimaryKey},
	{"set aside for no reason", "UPDATE answers_set_aside SET reason = ''", brokenCheck},
	{"set aside, of no operation", "UPDATE answers_set_aside SET operation = ''", brokenCheck},
	{"set aside, of no fact", "UPDATE answers_set_aside SET fact = ''", brokenCheck},
	{"set aside, answered before asked", "UPDATE answers_set_aside SET response_time_ms = -1", brokenCheck},
	{"hash of no session", "UPDATE answers_set_aside SET session_id = NULL", brokenCheck},

	{"price below 0", "UPDATE shop_items SET price = -1", brokenCheck},
	{"slug twice", "INSERT INTO shop_items SELECT id + 2, slug, name, description, slot, rarity, price, asset_value, active FROM shop_items", brokenUnique},
	{"paid below 0", "UPDATE inventory SET price_paid = -1", brokenCheck},
	{"bought twice", "INSERT INTO inventory VALUES (1, 1, 20, #00000000000000000000000000000009#, 0)", brokenPrimaryKey},
	{"two items for one purchase", "INSERT INTO inventory SELECT user_id, item_id + 1, price_paid, purchase_id, 0 FROM inventory", brokenUnique},
	{"owned and not of the shop", "INSERT INTO inventory VALUES (1, 99, 20, #00000000000000000000000000000009#, 0)", brokenForeignKey},
	{"worn and not owned", "INSERT INTO loadouts VALUES (1, 'feet', 2)", brokenForeignKey},
	{"worn and another's", "INSERT INTO loadouts VALUES (3, 'head', 1)", brokenForeignKey},
	{"two in a slot", "INSERT INTO loadouts VALUES (1, 'head', 1)", brokenPrimaryKey},

	{"balance below 0", "UPDATE coin_ledger SET balance_after = -1", brokenCheck},
	{"entry 0", "UPDATE coin_ledger SET seq = 0", brokenCheck},
	{"entry twice", "INSERT INTO coin_ledger SELECT user_id, seq + 1, entry_id, 0, 0, 'again', '', 0 FROM coin_ledger", brokenUnique},
	{"entry number twice", "INSERT INTO coin_ledger SELECT user_id, seq, #00000000000000000000000000000009#, 0, 0, 'again', '', 0 FROM coin_ledger", brokenPrimaryKey},
	{"entry for no reason", "UPDATE coin_ledger SET reason = ''", brokenCheck},
}

var brokenOnSQLite = []breach{
	{"session id of another user's", "UPDATE sessions SET id = #00000000000000000000000000000000#", brokenUnique},
	{"half a coin", "UPDATE users SET coins = 0.5", brokenType},
	{"blob for a name", "UPDATE users SET name = x'00'", brokenType},
	{"session id of 15 bytes", "UPDATE sessions SET id = zeroblob(15)", brokenCheck},
	{"session id of 17 bytes", "UPDATE sessions SET id = zeroblob(17)", brokenCheck},
	{"session id as text", "UPDATE sessions SET id = '0123456789abcdef'", brokenType},
	{"answer id of 15 bytes", "UPDATE answer_events SET id = zeroblob(15)", brokenCheck},
	{"answer's session id of 15 bytes", "UPDATE answer_events SET session_id = zeroblob(15)", brokenCheck},
	{"half right", "UPDATE answer_events SET correct = 2", brokenCheck},
	{"horizon of 15 bytes", "UPDATE archive_horizons SET before_id = zeroblob(15)", brokenCheck},
	{"archive's id of 15 bytes", "UPDATE archive_files SET id = zeroblob(15)", brokenCheck},
	{"set aside, half right", "UPDATE answers_set_aside SET correct = 2", brokenCheck},
	{"set aside, id of 15 bytes", "UPDATE answers_set_aside SET id = zeroblob(15)", brokenCheck},
	{"set aside, session id of 15 bytes", "UPDATE answers_set_aside SET session_id = zeroblob(15)", brokenCheck},
	{"last answer's id of 15 bytes", "UPDATE mastery_stats SET last_answer_id = zeroblob(15)", brokenCheck},
	{"rollup of level 5.5", "UPDATE mastery_rollups SET mastery_level = 5.5", brokenType},
	{"half for sale", "UPDATE shop_items SET active = 2", brokenCheck},
	{"purchase id of 15 bytes", "UPDATE inventory SET purchase_id = zeroblob(15)", brokenCheck},
	{"entry id of 15 bytes", "UPDATE coin_ledger SET entry_id = zeroblob(15)", brokenCheck},
}

var brokenOnPostgres = []breach{
	{"archived before asked", "UPDATE answer_archive SET response_time_ms = -1", brokenCheck},
	{"archived answer to nothing", "UPDATE answer_archive SET fact = ''", brokenCheck},
	{"archived answer of nobody", "UPDATE answer_archive SET user_id = 99 WHERE user_id = 1", brokenForeignKey},
	{"session id of 15 bytes", "UPDATE sessions SET id = '000000000000000000000000000000'", brokenType},
	{"session id of 17 bytes", "UPDATE sessions SET id = '0000000000000000000000000000000000'", brokenType},
	{"half right", "UPDATE answer_events SET correct = 2", brokenType},
	{"half for sale", "UPDATE shop_items SET active = 2", brokenType},
}

// mustBreak fails unless the statement breaks a rule of that kind. What it
// would have done is taken back.
func mustBreak(t *testing.T, db *sql.DB, statement string, want rule) {
	t.Helper()
	tx, err := db.Begin()
	must(t, err)
	defer func() { must(t, tx.Rollback()) }()
	_, err = tx.Exec(statement)
	var lite sqlite3.Error
	if errors.As(err, &lite) && lite.ExtendedCode == want.code {
		return
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && slices.Contains(want.states, pg.Code) {
		return
	}
	t.Errorf("%s: got error %v, want SQLite's code %d or PostgreSQL's state %v", statement, err, want.code, want.states)
}

// Every table of ours refuses values of another type; those whose key begins
// with something else than a number of their own are clustered by it.
func TestStrictAndClustered(t *testing.T) {
	want := map[string]bool{ // whether it is WITHOUT ROWID
		"answer_events": true, "answers_set_aside": true, "archive_files": true, "archive_horizons": false, "board_moves": false, "board_ranges": true, "coin_ledger": true, "inventory": true, "league_participants": true, "leagues": false,
		"loadouts": true, "mastery_rollups": true, "mastery_stats": true, "rollup_queue": false, "schema_migrations": false,
		"season_results": true, "seasons": false, "sessions": true, "shop_items": false, "users": false,
	}
	got := map[string]bool{}
	for _, row := range query(t, newMigrated(t, none), `
		SELECT name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%'`) {
		got[row[0]] = row[1] == "1"
		if row[2] != "1" {
			t.Errorf("%s is not STRICT", row[0])
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tables and whether they have no rowid (-want +got)\n%s", diff)
	}
}

func TestTwoUsersWithoutEmail(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			addCustomers(t, at, "", 1, 2)
			if got := query(t, at, "SELECT count(*) FROM users WHERE email IS NULL"); got[0][0] != "2" {
				t.Errorf("%s users without e-mail are stored, want 2", got[0][0])
			}
		})
	}
}

// The number of a user who is gone is never given to another.
func TestUserIDsAreNotUsedAgain(t *testing.T) {
	for _, stack := range engines {
		t.Run(stack.name, func(t *testing.T) {
			at := stack.migrated(t, none)
			insert := `
				INSERT INTO users (uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
					VALUES ('next', '', 1, 0, 0, 1, 0, 0, 0);`
			run(t, at, "", insert+"DELETE FROM users;"+insert)
			if got := query(t, at, "SELECT id FROM users"); got[0][0] != "2" {
				t.Errorf("the next user has the id %s, want 2", got[0][0])
			}
		})
	}
}
