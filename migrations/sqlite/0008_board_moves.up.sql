-- Changes of places that the ranges of a board do not count yet. Here triggers
-- count each change at once, and this table stays empty: PostgreSQL fills it,
-- where that would make bookings wait for each other. The queries are the same.

CREATE TABLE {board_moves} (
    season_id  INTEGER NOT NULL,
    league_id  INTEGER NOT NULL,
    minus_xp   INTEGER NOT NULL,
    reached_at INTEGER NOT NULL,
    of_user    INTEGER NOT NULL,
    players    INTEGER NOT NULL
) STRICT;
