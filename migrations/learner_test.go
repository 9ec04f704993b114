package migrations_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// learner is a user, :id, with a row in every table that has one. Bytes are
// given as #hexadecimal digits#.
const learner = `
INSERT INTO {users} (id, uid, name, level, total_xp, coins, league_id, created_at, updated_at, last_active_at)
	VALUES (:id, 'uid-' || :id, 'Ada', 1, 10, 105, 1, 1000, 1000, 2000);
INSERT INTO {seasons} (id, starts_at, ends_at, zone) VALUES (20260301, 0, 604800000, 'UTC') ON CONFLICT DO NOTHING;
INSERT INTO {sessions} (user_id, id, operation, started_at, ended_at, total_count, correct_count, avg_response_ms,
		xp_earned, coins_earned, season_id, payload_hash, created_at)
	VALUES (:id, :session, 'addition', 1000, 2000, 10, 9, 1500, 10, 5, 20260301, #00#, 1000);
INSERT INTO {answer_events} (user_id, id, session_id, operation, fact, correct, response_time_ms, created_at)
	VALUES (:id, #00000000000000000000000000000001#, :session, 'addition', '2+3', true, 1500, 1500);
INSERT INTO {mastery_stats} (user_id, operation, fact, mastery_level, last_delta, last_answer_id, attempts,
		correct_count, total_response_ms, last_response_time, updated_at)
	VALUES (:id, 'addition', '2+3', 0.2, 0.2, #00000000000000000000000000000001#, 1, 1, 1500, 1500, 1500);
INSERT INTO {mastery_rollups} (user_id, operation, fact, total_attempts, correct_count, avg_response_time, mastery_level, last_updated)
	VALUES (:id, 'addition', '2+3', 1, 1, 1500, 5, 2000);
INSERT INTO {rollup_queue} (user_id) VALUES (:id);
INSERT INTO {league_participants} (season_id, league_id, user_id, weekly_xp, reached_at) VALUES (20260301, 1, :id, 10, 2000);
INSERT INTO {season_results} (season_id, user_id, league_id, rank, weekly_xp, moved_to, prize)
	VALUES (20260301, :id, 1, 1, 10, 2, 50);`

// customer adds to learner what the second migration has.
const customer = `
INSERT INTO {shop_items} (id, slug, name, description, slot, rarity, price, asset_value, active)
	VALUES (1, 'hat', 'Hat', 'A hat', 'head', 'common', 20, 'hat.svg', true) ON CONFLICT DO NOTHING;
INSERT INTO {inventory} (user_id, item_id, price_paid, purchase_id, acquired_at)
	VALUES (:id, 1, 20, #00000000000000000000000000000001#, 2000);
INSERT INTO {loadouts} (user_id, slot, item_id) VALUES (:id, 'head', 1);
INSERT INTO {coin_ledger} (user_id, seq, entry_id, delta, balance_after, reason, reference, created_at)
	VALUES (:id, 1, #00000000000000000000000000000001#, 105, 105, 'welcome', '', 1000);`

// archivist adds what the third migration has.
const archivist = `
INSERT INTO {archive_horizons} (user_id, before_id, answers, moved_at) VALUES (:id, #00000000000000000000000000000009#, 1, 2000);`

// What the third migration has on one of the engines alone.
const (
	archiveFile = `
INSERT INTO {archive_files} (id, made_at) VALUES (#00000000000000000000000000000001#, 2000) ON CONFLICT DO NOTHING;`
	archivedAnswer = `
INSERT INTO {answer_archive} (user_id, id, session_id, operation, fact, correct, response_time_ms, created_at)
	VALUES (:id, #00000000000000000000000000000002#, :session, 'addition', '2+3', true, 1500, 1500);`
)

// doubted adds to customer what the fourth migration has.
const doubted = `
INSERT INTO {answers_set_aside} (user_id, id, session_id, operation, fact, correct, response_time_ms, created_at,
		reason, set_aside_at, payload_hash)
	VALUES (:id, #00000000000000000000000000000002#, :session, 'addition', '2+3', true, 15, 1500, 'too_fast', 2000, #00#);`

// addCustomers adds users with a row in every table.
func addCustomers(tb testing.TB, at, prefix string, ids ...int64) {
	tb.Helper()
	for _, id := range ids {
		values := strings.NewReplacer(":id", fmt.Sprint(id), ":session", fmt.Sprintf("#%032x#", id))
		run(tb, at, prefix, literals(at, values.Replace(learner+customer+archivist+pick(at, archiveFile, archivedAnswer)+doubted)))
	}
}

var hexadecimal = regexp.MustCompile(`#([0-9a-f]*)#`)

// literals writes a script's bytes as the engine has them. PostgreSQL takes
// text for what the column is: 16 bytes are a uuid, all others a bytea.
func literals(at, script string) string {
	return hexadecimal.ReplaceAllStringFunc(script, func(quoted string) string {
		digits := strings.Trim(quoted, "#")
		switch {
		case !isPostgres(at):
			return "x'" + digits + "'"
		case len(digits) == 32:
			return "'" + digits + "'"
		default:
			return `'\x` + digits + "'"
		}
	})
}
