-- What clients change of a user is counted, so that one who has read can say
-- of which state.
ALTER TABLE {users} ADD COLUMN version bigint NOT NULL DEFAULT 1 CHECK (version >= 1);
