package storage

import (
	"bufio"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"io"

	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// Export is everything that is stored about a user. In JSON it has a list for
// each table, by the table's name without prefix.
type Export struct {
	User     models.User          `json:"users"`
	Sessions []models.Session     `json:"sessions"`
	Answers  []models.AnswerEvent `json:"answer_events"`
	// Archived are answers that were moved out of the log, on SQLite to the
	// archive's file.
	Archived []models.ArchivedAnswer    `json:"answer_archive"`
	Horizon  []models.ArchiveHorizon    `json:"archive_horizons"` // one, or none
	SetAside []models.SetAsideAnswer    `json:"answers_set_aside"`
	Mastery  []models.MasteryStat       `json:"mastery_stats"`
	Rollups  []models.MasteryRollup     `json:"mastery_rollups"`
	ToRollUp []models.RollupTask        `json:"rollup_queue"` // one, or none
	Played   []models.LeagueParticipant `json:"league_participants"`
	Results  []models.SeasonResult      `json:"season_results"`
	Owned    []models.InventoryItem     `json:"inventory"`
	Worn     []models.Loadout           `json:"loadouts"`
	Ledger   []models.CoinEntry         `json:"coin_ledger"`
}

// Export returns everything that is stored about a user, from one moment (P12),
// in memory: use ExportTo for users who may have more than fits. Lists are in
// the order of their tables' keys. It returns ErrNotFound when there is no such
// user, and an *ArchiveError where answers of theirs were moved to an archive
// that cannot be read. What Touch keeps in memory is not stored yet.
func (s *Users) Export(ctx context.Context, userID int64) (out Export, err error) {
	err = s.engine.snapshotWithArchive(ctx, func(u *unit) error {
		out = Export{}
		if out.User, err = u.user(userByID, userID); err != nil {
			return err
		}
		return firstError(
			gather(u, sessionsOfUser, userID, &out.Sessions),
			gather(u, answersOfUser, userID, &out.Answers),
			gatherArchived(u, userID, &out.Archived),
			gather(u, horizonOfUser, userID, &out.Horizon),
			gather(u, setAsideOfUser, userID, &out.SetAside),
			gather(u, masteryOfUser, userID, &out.Mastery),
			gather(u, rollupsOfUser, userID, &out.Rollups),
			gather(u, rollupTaskOfUser, userID, &out.ToRollUp),
			gather(u, standingsOfUser, userID, &out.Played),
			gather(u, allResultsOfUser, userID, &out.Results),
			gather(u, itemsOfUser, userID, &out.Owned),
			gather(u, loadoutOfUser, userID, &out.Worn),
			gather(u, ledgerOfUser, userID, &out.Ledger),
		)
	})
	return out, err
}

// ExportTo writes the JSON of Export to w, row by row: the memory it needs does
// not grow with what the user has. On SQLite its snapshot stays open for as
// long as w takes, and holds up the write-ahead log. After an error w may have
// a part of the JSON.
func (s *Users) ExportTo(ctx context.Context, userID int64, w io.Writer) error {
	var failed error
	err := s.engine.snapshotWithArchive(ctx, func(u *unit) error {
		user, err := u.user(userByID, userID)
		if err != nil {
			return err
		}
		return u.withArchived(userID, func(a *archived) error {
			failed = u.exportTo(user, a, w)
			return nil // what w has cannot be taken back: this runs once
		})
	})
	return cmp.Or(failed, err)
}

func (u *unit) exportTo(user models.User, a *archived, w io.Writer) error {
	userID := user.ID
	out := &jsonWriter{w: bufio.NewWriter(w)}
	out.text("{")
	out.key(user)
	out.value(user)
	return firstError(
		stream[models.Session](u, sessionsOfUser, userID, out),
		stream[models.AnswerEvent](u, answersOfUser, userID, out),
		streamArchived(a, out),
		stream[models.ArchiveHorizon](u, horizonOfUser, userID, out),
		stream[models.SetAsideAnswer](u, setAsideOfUser, userID, out),
		stream[models.MasteryStat](u, masteryOfUser, userID, out),
		stream[models.MasteryRollup](u, rollupsOfUser, userID, out),
		stream[models.RollupTask](u, rollupTaskOfUser, userID, out),
		stream[models.LeagueParticipant](u, standingsOfUser, userID, out),
		stream[models.SeasonResult](u, allResultsOfUser, userID, out),
		stream[models.InventoryItem](u, itemsOfUser, userID, out),
		stream[models.Loadout](u, loadoutOfUser, userID, out),
		stream[models.CoinEntry](u, ledgerOfUser, userID, out),
		func() error { out.text("}\n"); return out.flush() },
	)
}

var (
	sessionsOfUser = declare(`SELECT * FROM {sessions} WHERE user_id = CAST(? AS BIGINT) ORDER BY id`,
		"SEARCH sessions USING PRIMARY KEY (user_id=?)")
	answersOfUser = declare(`SELECT * FROM {answer_events} WHERE user_id = CAST(? AS BIGINT) ORDER BY id`,
		"SEARCH answer_events USING PRIMARY KEY (user_id=?)")
	setAsideOfUser = declare(`SELECT * FROM {answers_set_aside} WHERE user_id = CAST(? AS BIGINT) ORDER BY id`,
		"SEARCH answers_set_aside USING PRIMARY KEY (user_id=?)")
	rollupTaskOfUser = declare(`SELECT * FROM {rollup_queue} WHERE user_id = CAST(? AS BIGINT)`,
		"SEARCH rollup_queue USING INTEGER PRIMARY KEY (rowid=?)")
	standingsOfUser = declare(`SELECT * FROM {league_participants} WHERE user_id = CAST(? AS BIGINT) ORDER BY season_id`,
		"SEARCH league_participants USING INDEX idx_league_participants_user (user_id=?)")
	allResultsOfUser = declare(`SELECT * FROM {season_results} WHERE user_id = CAST(? AS BIGINT) ORDER BY season_id`,
		"SEARCH season_results USING INDEX idx_season_results_user (user_id=?)")
	itemsOfUser = declare(`SELECT * FROM {inventory} WHERE user_id = CAST(? AS BIGINT) ORDER BY item_id`,
		"SEARCH inventory USING PRIMARY KEY (user_id=?)")
	loadoutOfUser = declare(`SELECT * FROM {loadouts} WHERE user_id = CAST(? AS BIGINT) ORDER BY slot`,
		"SEARCH loadouts USING PRIMARY KEY (user_id=?)")
	ledgerOfUser = declare(`SELECT * FROM {coin_ledger} WHERE user_id = CAST(? AS BIGINT) ORDER BY seq`,
		"SEARCH coin_ledger USING PRIMARY KEY (user_id=?)")
)

// gather returns a step that reads a user's rows of a table, of which there
// may be none: an empty list, not null.
func gather[T any](u *unit, q *query, userID int64, into *[]T) func() error {
	return func() error {
		*into = []T{}
		return u.raw(q, userID).Scan(into).Error
	}
}

// stream returns a step that writes a user's rows of a table as they come.
func stream[T schema.Tabler](u *unit, q *query, userID int64, out *jsonWriter) func() error {
	return out.list(*new(T), func(write func(row any)) error {
		return eachRow(u.raw(q, userID), func(rows *sql.Rows) error {
			var row T
			if err := u.tx.ScanRows(rows, &row); err != nil {
				return err
			}
			write(row)
			return out.err
		})
	})
}

// jsonWriter writes JSON in pieces until the first error.
type jsonWriter struct {
	w   *bufio.Writer
	err error
}

func (j *jsonWriter) text(s string) {
	if j.err == nil {
		_, j.err = j.w.WriteString(s)
	}
}

func (j *jsonWriter) flush() error {
	if j.err == nil {
		j.err = j.w.Flush()
	}
	return j.err
}

func (j *jsonWriter) value(v any) {
	text, err := json.Marshal(v)
	if j.err == nil {
		j.err = err
	}
	j.text(string(text))
}

// list returns a step that writes the list of a table, with the rows that each
// gives to write.
func (j *jsonWriter) list(table schema.Tabler, each func(write func(row any)) error) func() error {
	return func() error {
		j.text(",")
		j.key(table)
		j.text("[")
		before := ""
		err := each(func(row any) {
			j.text(before)
			j.value(row)
			before = ","
		})
		j.text("]")
		return cmp.Or(err, j.err)
	}
}

// key writes the key of a table.
func (j *jsonWriter) key(table schema.Tabler) {
	j.value(table.TableName())
	j.text(":")
}
