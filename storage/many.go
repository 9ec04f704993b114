package storage

import (
	"context"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// GetMany returns the users with these ids in the order of ids, from one
// moment. Those who do not exist are left out; a user whose id is given twice
// comes twice (P7).
func (s *Users) GetMany(ctx context.Context, ids []int64) (users []models.User, err error) {
	reading := s.engine.read
	if len(ids) > maxPart {
		reading = s.engine.snapshot // more than one statement
	}
	err = reading(ctx, func(u *unit) error {
		found, err := find[models.User](distinct(ids), func(part []int64) *gorm.DB { return u.raw(usersByID, part) })
		users = inOrder(ids, found)
		return err
	})
	return users, err
}

// inOrder returns the found users in the order of ids.
func inOrder(ids []int64, found []models.User) []models.User {
	byID := make(map[int64]*models.User, len(found))
	for i := range found {
		byID[found[i].ID] = &found[i]
	}
	users := make([]models.User, 0, len(ids))
	for _, id := range ids {
		if user, ok := byID[id]; ok {
			users = append(users, *user)
		}
	}
	return users
}
