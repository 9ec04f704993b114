package storage

import (
	"context"
	"database/sql"
	"time"
)

// EconomyLine is what one day made and spent for one reason.
type EconomyLine struct {
	Day     time.Time `json:"day"` // its beginning, 00:00 UTC
	Reason  string    `json:"reason"`
	Made    int64     `json:"made"`    // coins that users got
	Spent   int64     `json:"spent"`   // coins that users gave, 0 or more
	Entries int64     `json:"entries"` // of the ledger, those of 0 coins among them
}

// Economy reports the coins that were made and spent from one moment to just
// before another, by day and reason, in this order; a day without entries has
// no line (N13). Over all time, what was made equals what was spent plus what
// all users have. Erased users' coins are gone from both sides.
//
// Days are UTC's, which all have 24 hours, and not those of the rules' zone.
//
// The report reads the whole ledger of all users, at one moment: the ledger's
// key begins with the user, and nothing orders it by time. That takes the
// longer the more there is, but on SQLite in WAL mode and on PostgreSQL nobody
// waits for it.
func (s *Coins) Economy(ctx context.Context, from, to time.Time) (lines []EconomyLine, err error) {
	if from, err = checkTime("from", from); err != nil {
		return nil, err
	}
	if to, err = checkTime("to", to); err != nil {
		return nil, err
	}
	if to.Before(from) {
		return nil, invalid("to", "is before from")
	}
	err = s.engine.read(ctx, func(u *unit) error {
		lines, err = scanRows(u.raw(economy, from.UnixMilli(), to.UnixMilli()), 0, scanEconomy)
		return err
	})
	return lines, err
}

// economy divides milliseconds as integers, which both engines round down for
// times since 1970. PostgreSQL's sum of bigint is a numeric.
var economy = declare(`
SELECT created_at / 86400000 AS day, reason,
  CAST(sum(CASE WHEN delta > 0 THEN delta ELSE 0 END) AS BIGINT) AS made,
  CAST(sum(CASE WHEN delta < 0 THEN -delta ELSE 0 END) AS BIGINT) AS spent,
  count(*) AS entries
FROM {coin_ledger}
WHERE created_at >= CAST(? AS BIGINT) AND created_at < CAST(? AS BIGINT)
GROUP BY day, reason
ORDER BY day, reason`,
	"SCAN coin_ledger",
	"USE TEMP B-TREE FOR GROUP BY").
	because("a report over everybody's entries of a time: an index by time would cost each booking more than all reports together")

// scanEconomy reads what economy returns.
func scanEconomy(rows *sql.Rows, line *EconomyLine) error {
	var day int64
	err := rows.Scan(&day, &line.Reason, &line.Made, &line.Spent, &line.Entries)
	line.Day = time.Unix(day*24*60*60, 0).UTC()
	return err
}
