package storage

import (
	"database/sql"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/models"
)

// On a database that locks rows, whatever is computed from a user's rows is
// computed with the user's row locked until the commit, answers without a
// session included. Under READ COMMITTED each statement after the lock sees
// what the previous holder has committed, so that every change of one user is
// made as if there were no others. Answers that need nothing computed are
// written in the statement that takes the lock.
//
// All that one transaction needs is locked before anything is written, in one
// order: seasons, users by their ids, session ids. A settlement locks its
// season's row first.

// errLost ends a transaction that others were ahead of: run again, it sees
// what they have done. To hooks and writequeue it is a serialization failure.
var errLost = lostError{}

type lostError struct{}

func (lostError) Error() string {
	return "another transaction was first: run this one again from its start"
}

// SQLState is how PostgreSQL says so.
func (lostError) SQLState() string { return "40001" }

// rawLocking is raw for rows that are locked as they are read, where the
// database locks rows.
func (u *unit) rawLocking(q *query, lock string, args ...any) *gorm.DB {
	if !u.locksRows {
		return u.raw(q, args...)
	}
	return u.tx.Raw(u.texts[q]+" "+lock, args...)
}

// lockSeason is season for XP that is booked in it: nobody settles it until
// the transaction's end, and so it must be there.
func (u *unit) lockSeason(at time.Time) (models.Season, error) {
	if !u.locksRows {
		return u.season(at)
	}
	season := seasonOf(at, u.zone)
	found, err := first[models.Season](u.rawLocking(seasonByID, "FOR SHARE", season.ID))
	if err == nil && found == nil {
		if err = u.keepSeasons([]models.Season{season}); err == nil {
			found, err = first[models.Season](u.rawLocking(seasonByID, "FOR SHARE", season.ID))
		}
	}
	if err == nil && found == nil {
		err = errLost // it was made by another one and is not seen
	}
	return deref(found), err
}

// holdUsers is lockUsers where nothing of the users is asked for, and returns
// the ids of those who are there; where the database does not lock rows, none.
func (u *unit) holdUsers(ids []int64) ([]int64, error) {
	if !u.locksRows || len(ids) == 0 {
		return nil, nil
	}
	lock := "SELECT id FROM " + u.name(models.User{}) + " WHERE id = ANY ($1) ORDER BY id FOR UPDATE"
	return scanRows(u.ready(lock, []any{distinct(ids)}), len(ids), func(rows *sql.Rows, id *int64) error { return rows.Scan(id) })
}

// lockSessions keeps an id from being booked for two users at the same time,
// which no index does there: a table that is distributed by user has none over
// all of them.
func (u *unit) lockSessions(ids []models.ID) error {
	if !u.locksRows || len(ids) == 0 {
		return nil
	}
	keys := make([]int64, len(ids))
	for i, id := range ids {
		keys[i] = int64(binary.BigEndian.Uint64(id[8:])) // the random half
	}
	for part := range slices.Chunk(distinct(keys), maxVariables) {
		args := make([]any, len(part))
		for i, key := range part {
			args[i] = key
		}
		rows := strings.Repeat(", (CAST(? AS BIGINT))", len(part))[2:]
		if err := u.tx.Exec("SELECT pg_advisory_xact_lock(ids.key) FROM (VALUES "+rows+") AS ids (key)", args...).Error; err != nil {
			return err
		}
	}
	return nil
}
