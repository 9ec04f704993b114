-- Learners, what they practise, and their leagues. A hot table is one B-tree
-- that begins with the user, so that what a submission touches lies together.

CREATE TABLE {leagues} (
    id   INTEGER PRIMARY KEY,
    slug TEXT    NOT NULL,
    name TEXT    NOT NULL,
    tier INTEGER NOT NULL CHECK (tier >= 1)
) STRICT;
CREATE UNIQUE INDEX {idx_leagues_slug} ON {leagues} (slug);
CREATE UNIQUE INDEX {idx_leagues_tier} ON {leagues} (tier);

INSERT INTO {leagues} (id, slug, name, tier) VALUES
    (1, 'neon',   'Neon',   1),
    (2, 'cobalt', 'Cobalt', 2),
    (3, 'plasma', 'Plasma', 3),
    (4, 'void',   'Void',   4),
    (5, 'apex',   'Apex',   5);

CREATE TABLE {users} (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    uid            TEXT    NOT NULL CHECK (uid <> ''),
    email          TEXT    CHECK (email <> ''),
    name           TEXT    NOT NULL,
    level          INTEGER NOT NULL CHECK (level >= 1),
    total_xp       INTEGER NOT NULL CHECK (total_xp >= 0),
    coins          INTEGER NOT NULL CHECK (coins >= 0),
    league_id      INTEGER NOT NULL REFERENCES {leagues} (id),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    last_active_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX {idx_users_uid} ON {users} (uid);
CREATE UNIQUE INDEX {idx_users_email} ON {users} (email);

CREATE TABLE {seasons} (
    id         INTEGER PRIMARY KEY,
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    zone       TEXT    NOT NULL,
    settled_at INTEGER,
    CHECK (ends_at > starts_at)
) STRICT;
CREATE UNIQUE INDEX {idx_seasons_starts_at} ON {seasons} (starts_at);

CREATE TABLE {sessions} (
    user_id         INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    operation       TEXT    NOT NULL CHECK (operation <> ''),
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    total_count     INTEGER NOT NULL CHECK (total_count >= 1),
    correct_count   INTEGER NOT NULL CHECK (correct_count >= 0),
    avg_response_ms INTEGER NOT NULL CHECK (avg_response_ms >= 0),
    xp_earned       INTEGER NOT NULL CHECK (xp_earned >= 0),
    coins_earned    INTEGER NOT NULL CHECK (coins_earned >= 0),
    season_id       INTEGER NOT NULL REFERENCES {seasons} (id),
    payload_hash    BLOB    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (user_id, id),
    CHECK (ended_at >= started_at),
    CHECK (total_count >= correct_count)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX {idx_sessions_id} ON {sessions} (id);
CREATE INDEX {idx_sessions_user_date} ON {sessions} (user_id, created_at DESC);

CREATE TABLE {answer_events} (
    user_id          INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    session_id       BLOB    CHECK (length(session_id) = 16),
    operation        TEXT    NOT NULL CHECK (operation <> ''),
    fact             TEXT    NOT NULL CHECK (fact <> ''),
    correct          INTEGER NOT NULL CHECK (correct IN (0, 1)),
    response_time_ms INTEGER NOT NULL CHECK (response_time_ms >= 0),
    created_at       INTEGER NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE {mastery_stats} (
    user_id            INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    operation          TEXT    NOT NULL,
    fact               TEXT    NOT NULL,
    mastery_level      REAL    NOT NULL CHECK (mastery_level BETWEEN 0 AND 5),
    last_delta         REAL    NOT NULL,
    last_answer_id     BLOB    NOT NULL CHECK (length(last_answer_id) = 16),
    attempts           INTEGER NOT NULL CHECK (attempts >= 1),
    correct_count      INTEGER NOT NULL CHECK (correct_count >= 0),
    total_response_ms  INTEGER NOT NULL CHECK (total_response_ms >= 0),
    last_response_time INTEGER NOT NULL CHECK (last_response_time >= 0),
    updated_at         INTEGER NOT NULL,
    PRIMARY KEY (user_id, operation, fact),
    CHECK (attempts >= correct_count)
) STRICT, WITHOUT ROWID;

CREATE TABLE {mastery_rollups} (
    user_id           INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    operation         TEXT    NOT NULL,
    fact              TEXT    NOT NULL,
    total_attempts    INTEGER NOT NULL CHECK (total_attempts >= 1),
    correct_count     INTEGER NOT NULL CHECK (correct_count >= 0),
    avg_response_time REAL    NOT NULL CHECK (avg_response_time >= 0),
    mastery_level     INTEGER NOT NULL CHECK (mastery_level BETWEEN 0 AND 5),
    last_updated      INTEGER NOT NULL,
    PRIMARY KEY (user_id, operation, fact),
    CHECK (total_attempts >= correct_count)
) STRICT, WITHOUT ROWID;

CREATE TABLE {rollup_queue} (
    user_id INTEGER PRIMARY KEY REFERENCES {users} (id) ON DELETE CASCADE
) STRICT;

-- A user plays in one league a season; what arrives later joins that row.
CREATE TABLE {league_participants} (
    season_id  INTEGER NOT NULL REFERENCES {seasons} (id),
    league_id  INTEGER NOT NULL REFERENCES {leagues} (id),
    user_id    INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    weekly_xp  INTEGER NOT NULL CHECK (weekly_xp >= 0),
    reached_at INTEGER NOT NULL,
    PRIMARY KEY (season_id, league_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX {idx_league_participants_leaderboard}
    ON {league_participants} (season_id, league_id, weekly_xp DESC, reached_at, user_id);
CREATE UNIQUE INDEX {idx_league_participants_user} ON {league_participants} (user_id, season_id);

CREATE TABLE {season_results} (
    season_id INTEGER NOT NULL REFERENCES {seasons} (id),
    user_id   INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    league_id INTEGER NOT NULL REFERENCES {leagues} (id),
    rank      INTEGER NOT NULL CHECK (rank >= 1),
    weekly_xp INTEGER NOT NULL CHECK (weekly_xp >= 0),
    moved_to  INTEGER NOT NULL REFERENCES {leagues} (id),
    prize     INTEGER NOT NULL CHECK (prize >= 0),
    PRIMARY KEY (season_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX {idx_season_results_user} ON {season_results} (user_id, season_id);
