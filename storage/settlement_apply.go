package storage

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"

	"github.com/flashstore/flashstore/models"
)

// defaultSettleBatch is how many results one transaction of a settlement
// applies: other writers get their turn in between.
const defaultSettleBatch = 500

var (
	anyResult = declare(`SELECT user_id FROM {season_results} WHERE season_id = CAST(? AS BIGINT) LIMIT 1`,
		"SEARCH season_results USING PRIMARY KEY (season_id=?)")
	resultsToApply = declare(`
SELECT * FROM {season_results}
WHERE season_id = CAST(? AS BIGINT) AND user_id > CAST(? AS BIGINT) AND (moved_to <> league_id OR prize > 0)
ORDER BY user_id LIMIT CAST(? AS BIGINT)`,
		"SEARCH season_results USING PRIMARY KEY (season_id=? AND user_id>?)")
	laterSeasons = declare(`SELECT s.id FROM {seasons} AS s WHERE s.id > CAST(? AS BIGINT) AND s.settled_at IS NULL`,
		"SEARCH s USING INTEGER PRIMARY KEY (rowid>?)")
)

var insertResults = declareInsert(
	`INSERT INTO {season_results} (season_id, user_id, league_id, rank, weekly_xp, moved_to, prize)`,
	"bigint, bigint, bigint, bigint, bigint, bigint, bigint", ``)

// freeze writes the plan of a locked season as everybody's result, unless that
// is done.
func (u *unit) freeze(season models.Season) error {
	var frozen []int64
	if err := u.raw(anyResult, season.ID).Scan(&frozen).Error; err != nil || len(frozen) > 0 {
		return err
	}
	ladder, err := u.ladder()
	if err != nil {
		return err
	}
	moves, err := u.plan(ladder, season.ID)
	if err != nil {
		return err
	}
	// In the order of the table; and of the locks that a row's user gets.
	slices.SortFunc(moves, func(a, b Move) int { return cmp.Compare(a.UserID, b.UserID) })
	args := make([]any, 0, len(moves)*insertResults.columns)
	for _, m := range moves {
		args = append(args, m.SeasonID, m.UserID, m.From, m.Rank, m.WeeklyXP, m.To, m.Prize)
	}
	_, err = u.put(insertResults, args)
	return err
}

// applyResults applies the next results of a locked season, those of users with
// ids above after, and returns the last of these users, and whether no more are
// left. What is applied already stays as it is.
func (u *unit) applyResults(season models.Season, after int64) (last int64, done bool, err error) {
	limit := u.cfg.SettleBatch
	var results []models.SeasonResult
	if err := u.raw(resultsToApply, season.ID, after, limit).Scan(&results).Error; err != nil {
		return after, false, err
	}
	if len(results) == 0 {
		return after, true, nil
	}
	b := newBatch(u, false)
	err = firstError(
		func() error { return b.loadUsers(usersOf(results)) },
		func() error { return b.payPrizes(results) },
		func() error { return b.moveUsers(season.ID, results) },
		b.saveEntries,
		b.saveLeagues,
	)
	return results[len(results)-1].UserID, len(results) < limit, err
}

func usersOf(results []models.SeasonResult) []int64 {
	ids := make([]int64, len(results))
	for i, r := range results {
		ids[i] = r.UserID
	}
	return ids
}

// payPrizes books the prizes that are not in the ledger yet.
func (b *batch) payPrizes(results []models.SeasonResult) error {
	var unpaid []models.SeasonResult
	for _, r := range results {
		if r.Prize == 0 || b.users[r.UserID] == nil { // erased meanwhile
			continue
		}
		paid, err := first[models.CoinEntry](b.raw(ledgerEntry, r.UserID, prizeID(r)))
		if err != nil {
			return err
		}
		if paid == nil {
			unpaid = append(unpaid, r)
		}
	}
	if err := b.loadSeqs(usersOf(unpaid)); err != nil {
		return err
	}
	for _, r := range unpaid {
		prize := entry{id: prizeID(r), delta: r.Prize, reason: ReasonPrize, reference: strconv.FormatInt(r.SeasonID, 10)}
		if err := b.addEntry(b.users[r.UserID], prize); err != nil {
			return err
		}
		b.changed[r.UserID] = true
	}
	return nil
}

// prizeID returns the ledger's id of a prize, which is the same whoever pays it
// and is no client's: a UUID of version 8 that has the season in its first six
// bytes and the user in its last eight.
func prizeID(r models.SeasonResult) (id models.ID) {
	binary.BigEndian.PutUint64(id[:8], uint64(r.SeasonID)<<16|0x8000)
	binary.BigEndian.PutUint64(id[8:], uint64(r.UserID)|1<<63)
	return id
}

// moveUsers gives those who move their new league, for later seasons that they
// have begun as well.
func (b *batch) moveUsers(seasonID int64, results []models.SeasonResult) error {
	movers := map[int64][]int64{} // by where they go
	for _, r := range results {
		user := b.users[r.UserID]
		if r.MovedTo == r.LeagueID || user == nil {
			continue
		}
		movers[r.MovedTo] = append(movers[r.MovedTo], user.ID)
		if user.LeagueID != r.MovedTo {
			user.LeagueID = r.MovedTo
			b.changed[user.ID] = true
		}
	}
	var later []int64
	if err := b.raw(laterSeasons, seasonID).Scan(&later).Error; err != nil || len(later) == 0 {
		return err
	}
	for _, league := range slices.Sorted(maps.Keys(movers)) {
		err := b.table(models.LeagueParticipant{}).
			Where("user_id IN ? AND season_id IN ? AND league_id <> ?", movers[league], later, league).
			Update("league_id", league).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// saveLeagues writes the users whom a season has moved or paid.
func (b *batch) saveLeagues() error { return b.saveChanged("league_id", "coins") }
