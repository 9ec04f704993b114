-- Answers that were not plausible: kept with the reason, and no part of the
-- log. Of a session of which nothing was booked the first one has the hash of
-- what was submitted.

CREATE TABLE {answers_set_aside} (
    user_id          bigint  NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    id               uuid    NOT NULL,
    session_id       uuid,
    operation        text    COLLATE "C" NOT NULL CHECK (operation <> ''),
    fact             text    COLLATE "C" NOT NULL CHECK (fact <> ''),
    correct          boolean NOT NULL,
    response_time_ms bigint  NOT NULL CHECK (response_time_ms >= 0),
    created_at       bigint  NOT NULL,
    reason           text    COLLATE "C" NOT NULL CHECK (reason <> ''),
    set_aside_at     bigint  NOT NULL,
    payload_hash     bytea   CHECK (session_id IS NOT NULL OR payload_hash IS NULL),
    PRIMARY KEY (user_id, id)
);
CREATE INDEX {idx_answers_set_aside_id} ON {answers_set_aside} (id);
CREATE INDEX {idx_answers_set_aside_session} ON {answers_set_aside} (session_id) WHERE payload_hash IS NOT NULL;
