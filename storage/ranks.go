package storage

// A board is cut into ranges of neighbouring places (board_ranges), each with
// the number of players in it. A rank is the sum of the ranges ahead and what is
// ahead in the place's own range: among a million players that is about a
// thousand numbers and at most a few thousand places.
//
// On SQLite triggers count each change of a place at once, see the migration. On
// PostgreSQL bookings would wait for each other at such a number: there triggers
// note changes in board_moves, which are added to a rank until a fold adds them
// to their ranges.

// placeOfUser counts what is ahead in the user's own range in three parts,
// because those of equal XP may be most of a board: those with the XP that the
// range begins with, if that is more; those with more XP than the user; those
// with as much.
//
// With a plus before it, a column of another row is a plain value to SQLite: a
// bare one would keep it from taking more than one column of a comparison to
// the index.
var (
	placeOfUser = declare(`
SELECT p.user_id, p.league_id, p.weekly_xp, p.reached_at, users.uid, users.name,
  1 + (SELECT CAST(coalesce(sum(ahead.players), 0) AS BIGINT) FROM {board_ranges} AS ahead
       WHERE ahead.season_id = p.season_id AND ahead.league_id = p.league_id
         AND (ahead.from_minus_xp, ahead.from_reached_at, ahead.from_user)
           < (own.from_minus_xp, +own.from_reached_at, +own.from_user))
    + (SELECT count(*) FROM {league_participants} AS most
       WHERE most.season_id = p.season_id AND most.league_id = p.league_id
         AND -own.from_minus_xp > p.weekly_xp AND most.weekly_xp = -own.from_minus_xp
         AND (most.reached_at, most.user_id) >= (own.from_reached_at, +own.from_user))
    + (SELECT count(*) FROM {league_participants} AS more
       WHERE more.season_id = p.season_id AND more.league_id = p.league_id
         AND more.weekly_xp > p.weekly_xp AND more.weekly_xp < coalesce(-own.from_minus_xp, 9223372036854775807))
    + (SELECT count(*) FROM {league_participants} AS equal
       WHERE equal.season_id = p.season_id AND equal.league_id = p.league_id
         AND equal.weekly_xp = p.weekly_xp
         AND (equal.reached_at, equal.user_id) < (p.reached_at, +p.user_id)
         AND (equal.reached_at, equal.user_id) >= (
           CASE WHEN -own.from_minus_xp = p.weekly_xp THEN own.from_reached_at ELSE -9223372036854775807 END,
           CASE WHEN -own.from_minus_xp = p.weekly_xp THEN own.from_user ELSE 0 END)) AS place
FROM {league_participants} AS p
JOIN {users} AS users ON users.id = p.user_id
LEFT JOIN {board_ranges} AS own ON own.season_id = p.season_id AND own.league_id = p.league_id
  AND (own.from_minus_xp, own.from_reached_at, own.from_user) = (
    SELECT r.from_minus_xp, r.from_reached_at, r.from_user FROM {board_ranges} AS r
    WHERE r.season_id = p.season_id AND r.league_id = p.league_id
      AND (r.from_minus_xp, r.from_reached_at, r.from_user) <= (-p.weekly_xp, +p.reached_at, +p.user_id)
    ORDER BY r.from_minus_xp DESC, r.from_reached_at DESC, r.from_user DESC LIMIT 1)
WHERE p.user_id = CAST(? AS BIGINT) AND p.season_id = CAST(? AS BIGINT)`,
		"SEARCH users USING INTEGER PRIMARY KEY (rowid=?)",
		"SEARCH p USING INDEX idx_league_participants_user (user_id=? AND season_id=?)",
		"SEARCH own USING PRIMARY KEY (season_id=? AND league_id=? AND from_minus_xp=? AND from_reached_at=? AND from_user=?) LEFT-JOIN",
		"CORRELATED SCALAR SUBQUERY 5",
		"SEARCH r USING PRIMARY KEY (season_id=? AND league_id=? AND (from_minus_xp,from_reached_at,from_user)<(?,?,?))",
		"CORRELATED SCALAR SUBQUERY 1",
		"SEARCH ahead USING PRIMARY KEY (season_id=? AND league_id=? AND (from_minus_xp,from_reached_at,from_user)<(?,?,?))",
		"CORRELATED SCALAR SUBQUERY 2",
		"SEARCH most USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp=? AND (reached_at,user_id)>(?,?))",
		"CORRELATED SCALAR SUBQUERY 3",
		"SEARCH more USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp>? AND weekly_xp<?)",
		"CORRELATED SCALAR SUBQUERY 4",
		"SEARCH equal USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=? AND weekly_xp=? AND (reached_at,user_id)>(?,?) AND (reached_at,user_id)<(?,?))").
		onPostgres(placeOfUserWithMoves)
	playersOfBoard = declare(`
SELECT coalesce(
  (SELECT CAST(sum(players) AS BIGINT) FROM {board_ranges}
   WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)),
  (SELECT count(*) FROM {league_participants}
   WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)))`,
		"SCAN CONSTANT ROW",
		"SCALAR SUBQUERY 1",
		"SEARCH board_ranges USING PRIMARY KEY (season_id=? AND league_id=?)",
		"SCALAR SUBQUERY 2",
		"SEARCH league_participants USING COVERING INDEX idx_league_participants_leaderboard (season_id=? AND league_id=?)").
		onPostgres(`
SELECT CAST(coalesce(sum(players), 0) AS BIGINT) FROM (
  SELECT players FROM {board_ranges} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)
  UNION ALL
  SELECT players FROM {board_moves} WHERE season_id = CAST(? AS BIGINT) AND league_id = CAST(? AS BIGINT)) AS counted`)
)

// placeOfUserWithMoves is placeOfUser on PostgreSQL, with the moves of the
// ranges ahead. The own range is found in a LATERAL, which SQLite does not have:
// as a join on its key, PostgreSQL would expect so many rows that it compiles
// the query each time, for a hundred times as long as it takes.
const placeOfUserWithMoves = `
SELECT p.user_id, p.league_id, p.weekly_xp, p.reached_at, users.uid, users.name,
  1 + (SELECT CAST(coalesce(sum(ahead.players), 0) AS BIGINT) FROM {board_ranges} AS ahead
       WHERE ahead.season_id = p.season_id AND ahead.league_id = p.league_id
         AND (ahead.from_minus_xp, ahead.from_reached_at, ahead.from_user)
           < (own.from_minus_xp, own.from_reached_at, own.from_user))
    + (SELECT CAST(coalesce(sum(moves.players), 0) AS BIGINT) FROM {board_moves} AS moves
       WHERE moves.season_id = p.season_id AND moves.league_id = p.league_id
         AND (moves.minus_xp, moves.reached_at, moves.of_user)
           < (own.from_minus_xp, own.from_reached_at, own.from_user))
    + (SELECT count(*) FROM {league_participants} AS most
       WHERE most.season_id = p.season_id AND most.league_id = p.league_id
         AND -own.from_minus_xp > p.weekly_xp AND most.weekly_xp = -own.from_minus_xp
         AND (most.reached_at, most.user_id) >= (own.from_reached_at, own.from_user))
    + (SELECT count(*) FROM {league_participants} AS more
       WHERE more.season_id = p.season_id AND more.league_id = p.league_id
         AND more.weekly_xp > p.weekly_xp AND more.weekly_xp < coalesce(-own.from_minus_xp, 9223372036854775807))
    + (SELECT count(*) FROM {league_participants} AS equal
       WHERE equal.season_id = p.season_id AND equal.league_id = p.league_id
         AND equal.weekly_xp = p.weekly_xp
         AND (equal.reached_at, equal.user_id) < (p.reached_at, p.user_id)
         AND (equal.reached_at, equal.user_id) >= (
           CASE WHEN -own.from_minus_xp = p.weekly_xp THEN own.from_reached_at ELSE -9223372036854775807 END,
           CASE WHEN -own.from_minus_xp = p.weekly_xp THEN own.from_user ELSE 0 END)) AS place
FROM {league_participants} AS p
JOIN {users} AS users ON users.id = p.user_id
LEFT JOIN LATERAL (
  SELECT r.from_minus_xp, r.from_reached_at, r.from_user FROM {board_ranges} AS r
  WHERE r.season_id = p.season_id AND r.league_id = p.league_id
    AND (r.from_minus_xp, r.from_reached_at, r.from_user) <= (-p.weekly_xp, p.reached_at, p.user_id)
  ORDER BY r.from_minus_xp DESC, r.from_reached_at DESC, r.from_user DESC LIMIT 1) AS own ON true
WHERE p.user_id = CAST(? AS BIGINT) AND p.season_id = CAST(? AS BIGINT)`
