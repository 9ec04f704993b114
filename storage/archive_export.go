package storage

import (
	"database/sql"

	"github.com/flashstore/flashstore/models"
)

// whole hands on a user's archived answers as they are stored, in the order of
// their ids, without those that are in the log still. A nil one has none.
func (a *archived) whole(fn func(models.ArchivedAnswer)) error {
	if a == nil {
		return nil
	}
	late := make(map[models.ID]bool, len(a.late))
	for _, e := range a.late {
		late[e.ID] = true
	}
	return eachRow(a.raw(archivedBetween, a.horizon.UserID, lowestID, a.horizon.BeforeID), func(rows *sql.Rows) error {
		var e models.AnswerEvent
		if err := scanAnswer(rows, &e); err != nil {
			return err
		}
		if !late[e.ID] {
			fn(models.ArchivedAnswer(e))
		}
		return nil
	})
}

// gatherArchived is gather for archived answers.
func gatherArchived(u *unit, userID int64, into *[]models.ArchivedAnswer) func() error {
	return func() error {
		*into = []models.ArchivedAnswer{}
		return u.withArchived(userID, func(a *archived) error {
			return a.whole(func(e models.ArchivedAnswer) { *into = append(*into, e) })
		})
	}
}

// streamArchived is stream for archived answers.
func streamArchived(a *archived, out *jsonWriter) func() error {
	return out.list(models.ArchivedAnswer{}, func(write func(row any)) error {
		return a.whole(func(e models.ArchivedAnswer) { write(e) })
	})
}
