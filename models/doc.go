// Package models holds the rows of FlashMath's tables: their fields, keys and
// units.
//
// It is a layer of its own and knows nothing of the rest of this module; what
// needs a query lives in package storage. Times are time.Time in UTC here and
// whole milliseconds since 1970 in the database, ids made by clients are ID,
// mastery levels are Level. Column names are fixed, whatever naming strategy
// the application has.
package models
