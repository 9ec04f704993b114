-- Ranks without counting, on PostgreSQL too. Were the players of a range counted
-- as places change, as SQLite's triggers do it, all bookings of a league would
-- wait for each other. So each change of a place adds rows to this table, which
-- nobody waits for: one for a place that is left, one for a place that is taken.
-- What ranges and moves say together is the board, at any moment; the store adds
-- the moves to their ranges from time to time, and cuts a board anew when a range
-- has become large.
--
-- Moves are written by triggers, whoever changes a board, once for all rows of a
-- statement. They have no index: a rank adds up half of them on the average, and
-- they are few, for the store clears them away as it adds them to their ranges,
-- of which there is room for a second version in each page.
--
-- A semicolon at the end of a line would end the statement, so in a function it
-- begins one.

CREATE TABLE {board_moves} (
    season_id  bigint NOT NULL,
    league_id  bigint NOT NULL,
    minus_xp   bigint NOT NULL,
    reached_at bigint NOT NULL,
    of_user    bigint NOT NULL,
    players    bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
ALTER TABLE {board_moves} REPLICA IDENTITY FULL;
ALTER TABLE {board_ranges} SET (fillfactor = 50);

CREATE FUNCTION {note_board_moves}() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {board_moves} (season_id, league_id, minus_xp, reached_at, of_user, players)
        SELECT season_id, league_id, -weekly_xp, reached_at, user_id, -1 FROM left_places
    ; END IF
    ; IF TG_OP <> 'DELETE' THEN
        INSERT INTO {board_moves} (season_id, league_id, minus_xp, reached_at, of_user, players)
        SELECT season_id, league_id, -weekly_xp, reached_at, user_id, 1 FROM taken_places
    ; END IF
    ; RETURN NULL
; END $$;

CREATE TRIGGER {trg_league_participants_enter} AFTER INSERT ON {league_participants}
    REFERENCING NEW TABLE AS taken_places
    FOR EACH STATEMENT EXECUTE FUNCTION {note_board_moves}();
CREATE TRIGGER {trg_league_participants_leave} AFTER DELETE ON {league_participants}
    REFERENCING OLD TABLE AS left_places
    FOR EACH STATEMENT EXECUTE FUNCTION {note_board_moves}();
CREATE TRIGGER {trg_league_participants_move} AFTER UPDATE ON {league_participants}
    REFERENCING OLD TABLE AS left_places NEW TABLE AS taken_places
    FOR EACH STATEMENT EXECUTE FUNCTION {note_board_moves}();

-- The boards that are there. The triggers have locked the table: nobody moves.
INSERT INTO {board_ranges} (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
SELECT season_id, league_id,
    CASE ahead WHEN 0 THEN -9223372036854775807 ELSE -weekly_xp END,
    CASE ahead WHEN 0 THEN 0 ELSE reached_at END, CASE ahead WHEN 0 THEN 0 ELSE user_id END,
    least(1024, players - ahead)
FROM (
    SELECT season_id, league_id, weekly_xp, reached_at, user_id,
        row_number() OVER (PARTITION BY season_id, league_id ORDER BY weekly_xp DESC, reached_at, user_id) - 1 AS ahead,
        count(*) OVER (PARTITION BY season_id, league_id) AS players
    FROM {league_participants}) AS places
WHERE ahead % 1024 = 0;
