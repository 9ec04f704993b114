package storage

import (
	"errors"
	"fmt"

	"gorm.io/gorm"
)

var (
	// ErrNotFound means that what was named is not stored. It is also
	// gorm.ErrRecordNotFound.
	ErrNotFound = fmt.Errorf("not found: %w", gorm.ErrRecordNotFound)

	// ErrConflict means that the id was booked before with other content, or
	// belongs to something else. The first booking stands.
	ErrConflict = errors.New("the id is taken by other content, which stands; give a new id to what is new")

	// ErrTaken means that another user has the uid or the e-mail. It is also
	// gorm.ErrDuplicatedKey.
	ErrTaken = fmt.Errorf("taken by another user: %w", gorm.ErrDuplicatedKey)

	// ErrAlreadyOwned means that the user has the item.
	ErrAlreadyOwned = errors.New("the item is already owned")

	// ErrNotOwned means that the user does not have the item to wear it.
	ErrNotOwned = errors.New("the item is not owned: buy it first")

	// ErrNotForSale means that the item is not active.
	ErrNotForSale = errors.New("the item is not for sale")

	// ErrNotInUse means that the store was not given to db.Use, or db.Use
	// failed.
	ErrNotInUse = errors.New("the store is not in use: call db.Use(store) first and check its error")

	// ErrInUse means that a store was given to a second database. Plugins that
	// open further connections with the same gorm.Config do that.
	ErrInUse = errors.New("the store is in use already: make one with New for each *gorm.DB, " +
		"and use plugins that open connections, such as dbresolver, before it")

	// ErrInvalid is what every *InvalidError is.
	ErrInvalid = errors.New("invalid input")
)

// InvalidError says which part of the input breaks which rule. Nothing was
// changed.
type InvalidError struct {
	Field  string // such as "answers[3].fact"
	Reason string // such as "is empty"
}

func (e *InvalidError) Error() string { return e.Field + " " + e.Reason }

// Is makes every *InvalidError an ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func invalid(field, reason string, args ...any) error {
	return &InvalidError{Field: field, Reason: fmt.Sprintf(reason, args...)}
}

// InsufficientFundsError says that a purchase or a grant takes more coins than
// the user has. Nothing was changed.
type InsufficientFundsError struct {
	Have, Need int64 // coins
}

func (e *InsufficientFundsError) Error() string {
	return fmt.Sprintf("not enough coins: have %d, need %d", e.Have, e.Need)
}
