package storage

import (
	"encoding/base64"
	"encoding/json"
	"errors"
)

// ErrCursor means that a cursor is malformed, or is one of another board or
// season.
var ErrCursor = errors.New("the cursor is not of this board and season: begin again without one")

// Cursor is a place on a board, after which the next page begins. Its text is
// opaque. New XP moves players; a cursor stays where it is.
type Cursor string

// place is a position in the order of one board.
type place struct {
	Season  int64 `json:"s"`
	League  int64 `json:"l"`
	XP      int64 `json:"x"`
	Reached int64 `json:"r"` // ms
	User    int64 `json:"u"`
}

func placeOf(seasonID int64, s Standing) place {
	return place{seasonID, s.LeagueID, s.WeeklyXP, s.ReachedAt.UnixMilli(), s.UserID}
}

func cursorAt(p place) Cursor {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // numbers always have a text
	}
	return Cursor(base64.RawURLEncoding.EncodeToString(text))
}

// place reads a cursor of that board.
func (c Cursor) place(seasonID, leagueID int64) (p place, err error) {
	text, err := base64.RawURLEncoding.DecodeString(string(c))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || p.Season != seasonID || p.League != leagueID {
		return place{}, ErrCursor
	}
	return p, nil
}
