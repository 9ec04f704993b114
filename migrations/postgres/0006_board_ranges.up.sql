-- The ranges of a board, from which SQLite works out a rank. Here they stay
-- empty, and a rank is counted by the index: a row that all bookings of a league
-- change would make them wait for each other. A place without a range is in one
-- that is the whole board, so that the queries are the same.

CREATE TABLE {board_ranges} (
    season_id       bigint NOT NULL,
    league_id       bigint NOT NULL,
    from_minus_xp   bigint NOT NULL,
    from_reached_at bigint NOT NULL,
    from_user       bigint NOT NULL,
    players         bigint NOT NULL,
    PRIMARY KEY (season_id, league_id, from_minus_xp, from_reached_at, from_user)
);
