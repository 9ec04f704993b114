-- The words of names, where a program with FTS5 has made them (package storage,
-- search_fts5.go). One without FTS5 can only DROP the virtual tables' own
-- tables, which are plain ones, and takes the virtual tables off the schema by
-- hand; so does one with FTS5, so that there is one way.

DROP TRIGGER IF EXISTS {trg_search_users_insert};
DROP TRIGGER IF EXISTS {trg_search_users_update};
DROP TRIGGER IF EXISTS {trg_search_users_delete};
DROP TRIGGER IF EXISTS {trg_search_items_insert};
DROP TRIGGER IF EXISTS {trg_search_items_update};
DROP TRIGGER IF EXISTS {trg_search_items_delete};
DROP TABLE IF EXISTS {search_queue};

PRAGMA writable_schema = ON;
DELETE FROM sqlite_schema
WHERE type = 'table' AND name IN ('{search_users}', '{search_items}') AND sql LIKE 'CREATE VIRTUAL TABLE % USING fts5(%';
PRAGMA writable_schema = RESET;

DROP TABLE IF EXISTS {search_users_data};
DROP TABLE IF EXISTS {search_users_idx};
DROP TABLE IF EXISTS {search_users_content};
DROP TABLE IF EXISTS {search_users_docsize};
DROP TABLE IF EXISTS {search_users_config};
DROP TABLE IF EXISTS {search_items_data};
DROP TABLE IF EXISTS {search_items_idx};
DROP TABLE IF EXISTS {search_items_content};
DROP TABLE IF EXISTS {search_items_docsize};
DROP TABLE IF EXISTS {search_items_config};

DROP INDEX {idx_users_name};
DROP INDEX {idx_shop_items_name};
