-- Answers that were not plausible: kept with the reason, and no part of the
-- log. Of a session of which nothing was booked the first one has the hash of
-- what was submitted.

CREATE TABLE {answers_set_aside} (
    user_id          INTEGER NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    session_id       BLOB    CHECK (length(session_id) = 16),
    operation        TEXT    NOT NULL CHECK (operation <> ''),
    fact             TEXT    NOT NULL CHECK (fact <> ''),
    correct          INTEGER NOT NULL CHECK (correct IN (0, 1)),
    response_time_ms INTEGER NOT NULL CHECK (response_time_ms >= 0),
    created_at       INTEGER NOT NULL,
    reason           TEXT    NOT NULL CHECK (reason <> ''),
    set_aside_at     INTEGER NOT NULL,
    payload_hash     BLOB    CHECK (session_id IS NOT NULL OR payload_hash IS NULL),
    PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX {idx_answers_set_aside_id} ON {answers_set_aside} (id);
CREATE INDEX {idx_answers_set_aside_session} ON {answers_set_aside} (session_id) WHERE payload_hash IS NOT NULL;
