package models

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ID names a row that a client made (a session, an answer, a purchase): a
// UUID of version 7. It is the key under which a retry is recognised and,
// because it begins with its time, also the order. In the database it is
// 16 bytes; the zero ID is none.
//
// A uuid.UUID converts to and from it: models.ID(u), uuid.UUID(id).
type ID uuid.UUID

// NewID returns a new ID of the present time. It panics only if the system
// gives no random numbers.
func NewID() ID { return ID(uuid.Must(uuid.NewV7())) }

// ParseID reads the usual text form of any UUID, whatever its version.
func ParseID(text string) (ID, error) {
	u, err := uuid.Parse(text)
	if err != nil {
		return ID{}, fmt.Errorf("read the id %q: %w", text, err)
	}
	return ID(u), nil
}

// IsZero reports whether id is none.
func (id ID) IsZero() bool { return id == ID{} }

// Version returns the UUID's version: 7 for one that the store takes.
func (id ID) Version() int { return int(uuid.UUID(id).Version()) }

// Time returns the moment that a version-7 id carries, to the millisecond.
func (id ID) Time() time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC()
}

// Compare orders ids as the database does: by their bytes, and so by time.
func (id ID) Compare(other ID) int { return bytes.Compare(id[:], other[:]) }

// String returns the usual text form.
func (id ID) String() string { return uuid.UUID(id).String() }

// MarshalText writes the usual text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the usual text form.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Value gives the database 16 bytes, or NULL for the zero ID. For a uuid column
// of PostgreSQL, pgx takes them in all modes that know the column's type, which
// simple_protocol and exec do not: there they are an error.
func (id ID) Value() (driver.Value, error) {
	if id.IsZero() {
		return nil, nil
	}
	return id[:], nil
}

// Scan reads 16 bytes, the usual text form, or NULL.
func (id *ID) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*id = ID{}
		return nil
	case string:
		return id.UnmarshalText([]byte(v))
	case []byte:
		if len(v) == len(id) {
			copy(id[:], v)
			return nil
		}
	}
	return fmt.Errorf("read an id from the database: %v of type %T is not one", value, value)
}
