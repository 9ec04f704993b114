-- Answers that were moved out of the log, and how far those of each user are.

CREATE TABLE {answer_archive} (
    user_id          bigint  NOT NULL REFERENCES {users} (id) ON DELETE CASCADE,
    id               uuid    NOT NULL,
    session_id       uuid,
    operation        text    COLLATE "C" NOT NULL CHECK (operation <> ''),
    fact             text    COLLATE "C" NOT NULL CHECK (fact <> ''),
    correct          boolean NOT NULL,
    response_time_ms bigint  NOT NULL CHECK (response_time_ms >= 0),
    created_at       bigint  NOT NULL,
    PRIMARY KEY (user_id, id)
);

CREATE TABLE {archive_horizons} (
    user_id   bigint NOT NULL PRIMARY KEY REFERENCES {users} (id) ON DELETE CASCADE,
    before_id uuid   NOT NULL,
    answers   bigint NOT NULL CHECK (answers >= 1),
    moved_at  bigint NOT NULL
);
