-- Names are found by how they begin, in any case of the letters A to Z: the
-- first 200 characters, which is as long as a search may be; and by their words.

CREATE INDEX {idx_users_name} ON {users} (lower(substr(name, 1, 200)), id);
CREATE INDEX {idx_shop_items_name} ON {shop_items} (lower(substr(name, 1, 200)), id);

-- What is searched for and what is found are folded alike: without diacritics,
-- which PostgreSQL takes off in UTF-8 only, and with blanks for the signs of
-- ASCII, so that no parser takes ada.lovelace for a host. No text makes more
-- words than a tsvector holds. The encoding of a database never changes.
CREATE FUNCTION {search_fold}(value text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT btrim(regexp_replace(
        CASE WHEN getdatabaseencoding() = 'UTF8'
            THEN regexp_replace(normalize(left(value, 10000), NFD), '[\u0300-\u036F]', '', 'g')
            ELSE left(value, 10000) END,
        '[\u0001-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007F]+', ' ', 'g'))
$$;
CREATE INDEX {idx_users_words} ON {users} USING gin (to_tsvector('simple', {search_fold}(name)));
CREATE INDEX {idx_shop_items_words} ON {shop_items} USING gin ((
    setweight(to_tsvector('simple', {search_fold}(name)), 'A') || setweight(to_tsvector('simple', {search_fold}(description)), 'D')));
