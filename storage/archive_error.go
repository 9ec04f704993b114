package storage

import "fmt"

// ArchiveError says that archived answers cannot be read, moved or removed.
// The log and what is computed from it is as it was.
type ArchiveError struct {
	Path   string // of the archive's file; empty where there is none
	Reason string // what is wrong, and what to do
	Err    error  // what the file system or the database said, or nil

	// The database and the file were read at moments that do not go together,
	// or they do not.
	apart bool
}

func (e *ArchiveError) Error() string {
	what := "the archive of answers"
	if e.Path != "" {
		what += " " + e.Path
	}
	if e.Err != nil {
		return fmt.Sprintf("%s %s: %v", what, e.Reason, e.Err)
	}
	return what + " " + e.Reason
}

func (e *ArchiveError) Unwrap() error { return e.Err }
