package main

// statement is one of the statements that the rivals without GORM use. They
// are numbered, so that a prepared one is found without hashing its text.
type statement int

const (
	begin statement = iota
	commit
	rollback
	insertAnswer
	upsertMastery
	insertSession
	upsertParticipant
	userTotals
	rewardUser
	lastLedger
	insertLedger
	queueRollup
	itemForSale
	payUser
	insertInventory
	recentAnswers
	topOfBoard
	rankOfUser
	statementCount
)

// texts are their SQL. The single rank is one statement, and so one moment of
// the database, with the same rule for ties as flashstore's.
var texts = [statementCount]string{
	begin:    `BEGIN IMMEDIATE`,
	commit:   `COMMIT`,
	rollback: `ROLLBACK`,

	insertAnswer: `
INSERT INTO answer_events
    (user_id, id, session_id, operation, fact, correct, response_time_ms, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,

	upsertMastery: `
INSERT INTO mastery_stats
    (user_id, operation, fact, mastery_level, last_delta, last_answer_id, attempts,
     correct_count, total_response_ms, last_response_time, updated_at)
VALUES (?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?)
ON CONFLICT (user_id, operation, fact) DO UPDATE SET
    mastery_level      = min(5, max(0, mastery_level + excluded.last_delta)),
    last_delta         = excluded.last_delta,
    last_answer_id     = excluded.last_answer_id,
    attempts           = attempts + 1,
    correct_count      = correct_count + excluded.correct_count,
    total_response_ms  = total_response_ms + excluded.total_response_ms,
    last_response_time = excluded.last_response_time,
    updated_at         = excluded.updated_at`,

	insertSession: `
INSERT INTO sessions
    (user_id, id, operation, started_at, ended_at, total_count, correct_count,
     avg_response_ms, xp_earned, coins_earned, season_id, payload_hash, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,

	upsertParticipant: `
INSERT INTO league_participants (season_id, league_id, user_id, weekly_xp, reached_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id, season_id) DO UPDATE SET
    weekly_xp  = weekly_xp + excluded.weekly_xp,
    reached_at = max(reached_at, excluded.reached_at)`,

	userTotals: `SELECT total_xp, coins, league_id FROM users WHERE id = ?`,

	rewardUser: `
UPDATE users SET total_xp = ?, level = ?, coins = ?,
    last_active_at = max(last_active_at, ?), updated_at = ?
WHERE id = ?`,

	lastLedger: `SELECT coalesce(max(seq), 0) FROM coin_ledger WHERE user_id = ?`,

	insertLedger: `
INSERT INTO coin_ledger
    (user_id, seq, entry_id, delta, balance_after, reason, reference, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,

	queueRollup: `INSERT INTO rollup_queue (user_id) VALUES (?) ON CONFLICT DO NOTHING`,

	itemForSale: `SELECT slug, price FROM shop_items WHERE id = ? AND active = 1`,

	payUser: `UPDATE users SET coins = ?, updated_at = ? WHERE id = ?`,

	insertInventory: `
INSERT INTO inventory (user_id, item_id, price_paid, purchase_id, acquired_at)
VALUES (?, ?, ?, ?, ?)`,

	recentAnswers: `
SELECT user_id, id, session_id, operation, fact, correct, response_time_ms, created_at
FROM answer_events WHERE user_id = ? ORDER BY id DESC LIMIT ?`,

	topOfBoard: `
SELECT p.user_id, u.uid, u.name, p.league_id, p.weekly_xp, p.reached_at
FROM league_participants AS p JOIN users AS u ON u.id = p.user_id
WHERE p.season_id = ? AND p.league_id = ?
ORDER BY p.weekly_xp DESC, p.reached_at, p.user_id LIMIT ?`,

	rankOfUser: `
SELECT p.user_id, u.uid, u.name, p.league_id, p.weekly_xp, p.reached_at,
    1 + (SELECT count(*) FROM league_participants AS more
         WHERE more.season_id = p.season_id AND more.league_id = p.league_id
           AND more.weekly_xp > p.weekly_xp)
      + (SELECT count(*) FROM league_participants AS equal
         WHERE equal.season_id = p.season_id AND equal.league_id = p.league_id
           AND equal.weekly_xp = p.weekly_xp
           AND (equal.reached_at, equal.user_id) < (p.reached_at, p.user_id)) AS place
FROM league_participants AS p JOIN users AS u ON u.id = p.user_id
WHERE p.user_id = ? AND p.season_id = ?`,
}
