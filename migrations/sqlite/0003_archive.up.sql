-- Answers that were moved out of the log are in a file of their own. Here
-- stands which file that is, and how far the answers of each user are in it.

CREATE TABLE {archive_files} (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE {archive_horizons} (
    user_id   INTEGER PRIMARY KEY REFERENCES {users} (id) ON DELETE CASCADE,
    before_id BLOB    NOT NULL CHECK (length(before_id) = 16),
    answers   INTEGER NOT NULL CHECK (answers >= 1),
    moved_at  INTEGER NOT NULL
) STRICT;
