package storage

import "gorm.io/gorm"

// ArchiveDB returns the database of the archive's file, once it is open; nil on
// PostgreSQL.
func ArchiveDB(s *Store) *gorm.DB {
	if file := s.engine.moved.file; file != nil {
		return file.db
	}
	return nil
}
