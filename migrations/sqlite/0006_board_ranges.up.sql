-- The rank of a place without counting all that is ahead of it: a board is cut
-- into ranges of neighbouring places, each with the number of players who stand
-- in it. A rank is the players of the ranges ahead and the places ahead in its
-- own range.
--
-- A range begins at a place and ends where the next one begins. The first begins
-- ahead of every place. XP is negated, so that the key ascends in the order of
-- the board and one step into it finds the range of a place. A board without
-- players has no range, one of up to 2,048 has one. What a board refers to is held
-- by its players.
--
-- Triggers keep the ranges, whoever writes. They hold nothing back: where a
-- range counts wrongly, XP is booked all the same. A semicolon at the end of a
-- line would end the statement, so in a trigger it begins one.

CREATE TABLE {board_ranges} (
    season_id       INTEGER NOT NULL,
    league_id       INTEGER NOT NULL,
    from_minus_xp   INTEGER NOT NULL,
    from_reached_at INTEGER NOT NULL,
    from_user       INTEGER NOT NULL,
    players         INTEGER NOT NULL,
    PRIMARY KEY (season_id, league_id, from_minus_xp, from_reached_at, from_user)
) STRICT, WITHOUT ROWID;

INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
SELECT season_id, league_id,
    iif(ahead = 0, -9223372036854775807, -weekly_xp), iif(ahead = 0, 0, reached_at), iif(ahead = 0, 0, user_id),
    min(1024, players - ahead)
FROM (
    SELECT season_id, league_id, weekly_xp, reached_at, user_id,
        row_number() OVER (PARTITION BY season_id, league_id ORDER BY weekly_xp DESC, reached_at, user_id) - 1 AS ahead,
        count(*) OVER (PARTITION BY season_id, league_id) AS players
    FROM {league_participants})
WHERE ahead % 1024 = 0;

CREATE TRIGGER {trg_league_participants_enter} AFTER INSERT ON {league_participants}
BEGIN
    INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
    SELECT new.season_id, new.league_id, -9223372036854775807, 0, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM {board_ranges} WHERE season_id = new.season_id AND league_id = new.league_id)

    ; UPDATE {board_ranges} SET players = players + 1
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user) <= (-new.weekly_xp, new.reached_at, new.user_id)
            ORDER BY from_minus_xp DESC, from_reached_at DESC, from_user DESC LIMIT 1)
; END;

-- Who leaves the place that a range begins at leaves no trace there: the range
-- begins right behind it.
CREATE TRIGGER {trg_league_participants_leave} AFTER DELETE ON {league_participants}
BEGIN
    UPDATE {board_ranges} SET players = players - 1
    WHERE season_id = old.season_id AND league_id = old.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = old.season_id AND league_id = old.league_id
                AND (from_minus_xp, from_reached_at, from_user) <= (-old.weekly_xp, old.reached_at, old.user_id)
            ORDER BY from_minus_xp DESC, from_reached_at DESC, from_user DESC LIMIT 1)

    ; UPDATE OR IGNORE {board_ranges} SET from_user = from_user + 1
    WHERE season_id = old.season_id AND league_id = old.league_id
        AND from_minus_xp = -old.weekly_xp AND from_reached_at = old.reached_at AND from_user = old.user_id
; END;

-- Most moves stay in their range and write nothing: none begins on their way.
CREATE TRIGGER {trg_league_participants_move} AFTER UPDATE ON {league_participants}
WHEN (old.weekly_xp, old.reached_at, old.user_id, old.league_id, old.season_id)
        <> (new.weekly_xp, new.reached_at, new.user_id, new.league_id, new.season_id)
    AND ((old.season_id, old.league_id) <> (new.season_id, new.league_id)
        OR EXISTS (
            SELECT 1 FROM {board_ranges} WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user) > (-new.weekly_xp, new.reached_at, new.user_id)
                AND (from_minus_xp, from_reached_at, from_user) <= (-old.weekly_xp, old.reached_at, old.user_id))
        OR EXISTS (
            SELECT 1 FROM {board_ranges} WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user) >= (-old.weekly_xp, old.reached_at, old.user_id)
                AND (from_minus_xp, from_reached_at, from_user) <= (-new.weekly_xp, new.reached_at, new.user_id)))
BEGIN
    UPDATE {board_ranges} SET players = players - 1
    WHERE season_id = old.season_id AND league_id = old.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = old.season_id AND league_id = old.league_id
                AND (from_minus_xp, from_reached_at, from_user) <= (-old.weekly_xp, old.reached_at, old.user_id)
            ORDER BY from_minus_xp DESC, from_reached_at DESC, from_user DESC LIMIT 1)

    ; UPDATE OR IGNORE {board_ranges} SET from_user = from_user + 1
    WHERE season_id = old.season_id AND league_id = old.league_id
        AND from_minus_xp = -old.weekly_xp AND from_reached_at = old.reached_at AND from_user = old.user_id

    ; INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
    SELECT new.season_id, new.league_id, -9223372036854775807, 0, 0, 0
    WHERE NOT EXISTS (SELECT 1 FROM {board_ranges} WHERE season_id = new.season_id AND league_id = new.league_id)

    ; UPDATE {board_ranges} SET players = players + 1
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user) <= (-new.weekly_xp, new.reached_at, new.user_id)
            ORDER BY from_minus_xp DESC, from_reached_at DESC, from_user DESC LIMIT 1)
; END;

-- A range of more than 2,048 keeps its first 1,024. Those with the XP that it
-- begins with are found by themselves: they may be most of a board.
CREATE TRIGGER {trg_board_ranges_split} AFTER UPDATE OF players ON {board_ranges} WHEN new.players > 2048
BEGIN
    INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
    SELECT new.season_id, new.league_id, -weekly_xp, reached_at, user_id, new.players - 1024
    FROM (
        SELECT weekly_xp, reached_at, user_id FROM {league_participants}
        WHERE season_id = new.season_id AND league_id = new.league_id
            AND weekly_xp = -new.from_minus_xp AND (reached_at, user_id) >= (new.from_reached_at, new.from_user)
        UNION ALL
        SELECT weekly_xp, reached_at, user_id FROM {league_participants}
        WHERE season_id = new.season_id AND league_id = new.league_id AND weekly_xp < -new.from_minus_xp
        ORDER BY weekly_xp DESC, reached_at, user_id LIMIT 1 OFFSET 1024)
    WHERE true
    ON CONFLICT DO NOTHING

    ; UPDATE {board_ranges} SET players = 1024
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND from_minus_xp = new.from_minus_xp AND from_reached_at = new.from_reached_at AND from_user = new.from_user
        AND changes() = 1
; END;

-- A range that has become small, looked at each time that it has lost another 64,
-- joins the one ahead of it or takes in the one behind, where both together are
-- no more than half of a full one. One that is empty goes in any case.
CREATE TRIGGER {trg_board_ranges_merge} AFTER UPDATE OF players ON {board_ranges}
WHEN new.players < old.players AND new.players < 512 AND new.players % 64 = 0
BEGIN
    DELETE FROM {board_ranges}
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND from_minus_xp = new.from_minus_xp AND from_reached_at = new.from_reached_at AND from_user = new.from_user
        AND from_minus_xp > -9223372036854775807
        AND (new.players = 0 OR 1024 >= new.players + (
            SELECT ahead.players FROM {board_ranges} AS ahead
            WHERE ahead.season_id = new.season_id AND ahead.league_id = new.league_id
                AND (ahead.from_minus_xp, ahead.from_reached_at, ahead.from_user)
                    < (new.from_minus_xp, new.from_reached_at, new.from_user)
            ORDER BY ahead.from_minus_xp DESC, ahead.from_reached_at DESC, ahead.from_user DESC LIMIT 1))

    ; UPDATE {board_ranges} SET players = players + new.players
    WHERE changes() = 1 AND season_id = new.season_id AND league_id = new.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user)
                    < (new.from_minus_xp, new.from_reached_at, new.from_user)
            ORDER BY from_minus_xp DESC, from_reached_at DESC, from_user DESC LIMIT 1)

    ; UPDATE {board_ranges} SET players = players + (
        SELECT behind.players FROM {board_ranges} AS behind
        WHERE behind.season_id = new.season_id AND behind.league_id = new.league_id
            AND (behind.from_minus_xp, behind.from_reached_at, behind.from_user)
                > (new.from_minus_xp, new.from_reached_at, new.from_user)
        ORDER BY behind.from_minus_xp, behind.from_reached_at, behind.from_user LIMIT 1)
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND from_minus_xp = new.from_minus_xp AND from_reached_at = new.from_reached_at AND from_user = new.from_user
        AND (SELECT new.players = 0 OR new.players + behind.players <= 1024 FROM {board_ranges} AS behind
            WHERE behind.season_id = new.season_id AND behind.league_id = new.league_id
                AND (behind.from_minus_xp, behind.from_reached_at, behind.from_user)
                    > (new.from_minus_xp, new.from_reached_at, new.from_user)
            ORDER BY behind.from_minus_xp, behind.from_reached_at, behind.from_user LIMIT 1)

    ; DELETE FROM {board_ranges}
    WHERE changes() = 1 AND season_id = new.season_id AND league_id = new.league_id
        AND (from_minus_xp, from_reached_at, from_user) = (
            SELECT from_minus_xp, from_reached_at, from_user FROM {board_ranges}
            WHERE season_id = new.season_id AND league_id = new.league_id
                AND (from_minus_xp, from_reached_at, from_user)
                    > (new.from_minus_xp, new.from_reached_at, new.from_user)
            ORDER BY from_minus_xp, from_reached_at, from_user LIMIT 1)

    ; DELETE FROM {board_ranges}
    WHERE season_id = new.season_id AND league_id = new.league_id
        AND from_minus_xp = new.from_minus_xp AND from_reached_at = new.from_reached_at AND from_user = new.from_user
        AND players = 0
; END;
