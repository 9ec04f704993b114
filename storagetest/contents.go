package storagetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/models"
)

// tables are all that the store writes to. The ranges and moves of boards are not
// among them, for they are as places came: of them it counts what they say.
var tables = []schema.Tabler{
	models.User{}, models.Session{}, models.AnswerEvent{}, models.SetAsideAnswer{}, models.MasteryStat{}, models.MasteryRollup{},
	models.RollupTask{}, models.Season{}, models.LeagueParticipant{}, models.SeasonResult{},
	models.ShopItem{}, models.InventoryItem{}, models.Loadout{}, models.CoinEntry{},
	models.ArchiveHorizon{},
}

// tablesOf returns those of a database: on SQLite archived answers are in a file
// of their own.
func tablesOf(db *gorm.DB) []schema.Tabler {
	if db.Name() == "sqlite" {
		return tables
	}
	return append([]schema.Tabler{models.ArchivedAnswer{}}, tables...)
}

// contents are the rows of all tables, as sorted texts, by the table's name.
type contents map[string][]string

// contentsOf reads everything. Users and items stand there by their uid and
// slug: a number that a failed attempt has used is used up on some databases.
// What is made by chance, the id of a welcome entry, is left out.
func contentsOf(t *testing.T, db *gorm.DB) contents {
	t.Helper()
	db = db.Session(&gorm.Session{NewDB: true, Context: t.Context()})
	users, items := names(t, db, models.User{}, "uid"), names(t, db, models.ShopItem{}, "slug")
	all := contents{}
	for _, table := range tablesOf(db) {
		name := table.TableName()
		all[name] = nil
		for _, row := range rowsOf(t, db, name) {
			switch table.(type) {
			case models.User, models.ShopItem:
				delete(row, "id")
			case models.CoinEntry:
				if fmt.Sprint(row["reason"]) == "welcome" {
					delete(row, "entry_id")
				}
			}
			rename(row, "user_id", users)
			rename(row, "item_id", items)
			all[name] = append(all[name], rowText(row))
		}
		slices.Sort(all[name])
	}
	all["board_ranges"] = countedBoards(t, db)
	return all
}

// countedBoards says how many players the ranges and moves of each board count.
func countedBoards(t *testing.T, db *gorm.DB) (boards []string) {
	t.Helper()
	var counted []models.BoardRange
	must(t, db.Raw(`SELECT season_id, league_id, sum(players) AS players FROM (
			SELECT season_id, league_id, players FROM board_ranges
			UNION ALL SELECT season_id, league_id, players FROM board_moves) AS counted
		GROUP BY season_id, league_id HAVING sum(players) <> 0 ORDER BY season_id, league_id`).Scan(&counted).Error)
	for _, b := range counted {
		boards = append(boards, fmt.Sprintf("season_id=%d league_id=%d players=%d", b.SeasonID, b.LeagueID, b.Players))
	}
	return boards
}

// names returns a column of a table by its ids.
func names(t *testing.T, db *gorm.DB, table schema.Tabler, column string) map[string]string {
	t.Helper()
	byID := map[string]string{}
	for _, row := range rowsOf(t, db, table.TableName()) {
		byID[fmt.Sprint(row["id"])] = fmt.Sprint(row[column])
	}
	return byID
}

func rowsOf(t *testing.T, db *gorm.DB, table string) (rows []map[string]any) {
	t.Helper()
	must(t, db.Raw("SELECT * FROM "+table).Scan(&rows).Error)
	return rows
}

func rename(row map[string]any, column string, names map[string]string) {
	if id, ok := row[column]; ok {
		row[column] = names[fmt.Sprint(id)]
	}
}

func rowText(row map[string]any) string {
	var cells []string
	for _, column := range slices.Sorted(maps.Keys(row)) {
		cells = append(cells, fmt.Sprintf("%s=%v", column, row[column]))
	}
	return strings.Join(cells, " ")
}

// differences says what two states do not have in common, or nothing.
func differences(before, after contents) string {
	var lines []string
	for _, table := range slices.Sorted(maps.Keys(after)) {
		for _, row := range without(before[table], after[table]) {
			lines = append(lines, "- "+table+": "+row)
		}
		for _, row := range without(after[table], before[table]) {
			lines = append(lines, "+ "+table+": "+row)
		}
	}
	return strings.Join(lines, "\n")
}

// without returns the rows that others do not have.
func without(rows, others []string) (rest []string) {
	count := map[string]int{}
	for _, row := range others {
		count[row]++
	}
	for _, row := range rows {
		if count[row]--; count[row] < 0 {
			rest = append(rest, row)
		}
	}
	return rest
}
