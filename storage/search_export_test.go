package storage

// WithoutWords has a store that is not in use yet know no words, as in a
// program that was built without FTS5.
func (s *Store) WithoutWords() *Store {
	s.engine.withoutWords = true
	return s
}

// SearchParts returns the statements that make the index of FTS5.
func SearchParts(prefix string) (list []string) {
	for _, p := range indexParts {
		list = append(list, withPrefix(p.sql, prefix))
	}
	return list
}

// PostgresSearches returns the queries by words on PostgreSQL, by the index
// that they need.
func PostgresSearches() map[string]string {
	return map[string]string{
		"idx_users_words":      wordsPostgres.users.text(""),
		"idx_shop_items_words": wordsPostgres.items.text(""),
		"idx_users_name":       usersByName.text(""),
		"idx_shop_items_name":  itemsByName.text(""),
	}
}
