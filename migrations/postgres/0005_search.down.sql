DROP INDEX {idx_shop_items_words};
DROP INDEX {idx_users_words};
DROP FUNCTION {search_fold}(text);
DROP INDEX {idx_shop_items_name};
DROP INDEX {idx_users_name};
