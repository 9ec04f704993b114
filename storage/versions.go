package storage

import (
	"errors"
	"fmt"

	"github.com/flashstore/flashstore/models"
)

// ErrVersion is what every *VersionError is.
var ErrVersion = errors.New("the user has changed since it was read")

// VersionError says that a user no longer has the version that a change was
// based on: somebody else was first. Nothing was changed.
type VersionError struct {
	UserID     int64
	Have, Want int64 // the version that is stored, and the one that was asked for
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("user %d has version %d and not %d: read it again, and decide again what to change", e.UserID, e.Have, e.Want)
}

// Is makes every *VersionError an ErrVersion.
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

// Condition is what must hold for a change to be made. IfVersion makes one; the
// zero Condition is one that no user meets.
type Condition struct{ version int64 }

// IfVersion is the condition that the user still has this version: that of the
// models.User that the change was decided on. If not, the change is refused
// with a *VersionError; a version below 1, which no user has, with an
// *InvalidError (P10).
func IfVersion(version int64) Condition { return Condition{version} }

// check returns why a user does not meet conditions.
func check(user *models.User, only []Condition) error {
	for _, c := range only {
		switch {
		case c.version < 1:
			return invalid("if_version", "is %d: give the version that was read, 1 or more", c.version)
		case c.version != user.Version:
			return &VersionError{UserID: user.ID, Have: user.Version, Want: c.version}
		}
	}
	return nil
}

// lockUserIf is lockUser for a change that is made under conditions.
func (u *unit) lockUserIf(id int64, only []Condition) (*models.User, error) {
	user, err := u.lockUser(id)
	if err == nil {
		err = check(user, only)
	}
	return user, err
}

// saveChange gives a locked user the next version.
func (u *unit) saveChange(user *models.User) error {
	user.Version++
	user.UpdatedAt = u.now
	return u.saveUser(user, "version", "updated_at")
}
