-- Names are found by how they begin, in any case of the letters A to Z: the
-- first 200 characters, which is as long as a search may be. What else a program
-- with FTS5 keeps for their words, it makes itself: others could not.

CREATE INDEX {idx_users_name} ON {users} (lower(substr(name, 1, 200)), id);
CREATE INDEX {idx_shop_items_name} ON {shop_items} (lower(substr(name, 1, 200)), id);
