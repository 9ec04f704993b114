package models

import "time"

// League is a tier of the weekly competition.
type League struct {
	ID   int64  `gorm:"column:id;primaryKey" json:"id"`
	Slug string `gorm:"column:slug" json:"slug"`
	Name string `gorm:"column:name" json:"name"`
	Tier int64  `gorm:"column:tier" json:"tier"` // 1 is the lowest
}

// TableName returns the table's name without prefix.
func (League) TableName() string { return "leagues" }

// Season is one week of it, from bell to bell.
type Season struct {
	ID        int64      `gorm:"column:id;primaryKey;autoIncrement:false" json:"id"` // its first day as YYYYMMDD
	StartsAt  time.Time  `gorm:"column:starts_at;serializer:flashstore_millis" json:"starts_at"`
	EndsAt    time.Time  `gorm:"column:ends_at;serializer:flashstore_millis" json:"ends_at"` // the next one's start
	Zone      string     `gorm:"column:zone" json:"zone"`                                    // IANA name
	SettledAt *time.Time `gorm:"column:settled_at;serializer:flashstore_millis" json:"settled_at"`
}

// TableName returns the table's name without prefix.
func (Season) TableName() string { return "seasons" }

// LeagueParticipant is a user's place in one season.
type LeagueParticipant struct {
	SeasonID int64 `gorm:"column:season_id;primaryKey;autoIncrement:false" json:"season_id"`
	LeagueID int64 `gorm:"column:league_id;primaryKey;autoIncrement:false" json:"league_id"`
	UserID   int64 `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	WeeklyXP int64 `gorm:"column:weekly_xp" json:"weekly_xp"`
	// ReachedAt is the end of the latest session that added XP, or the
	// season's start where none did. Whoever was there first ranks first.
	ReachedAt time.Time `gorm:"column:reached_at;serializer:flashstore_millis" json:"reached_at"`
}

// TableName returns the table's name without prefix.
func (LeagueParticipant) TableName() string { return "league_participants" }

// BoardRange is a range of neighbouring places of a board and the number of
// players who stand in it, from which the store works out a rank. The database
// itself keeps the ranges as places change; on PostgreSQL together with
// BoardMove. They say nothing that the participants do not.
type BoardRange struct {
	SeasonID int64 `gorm:"column:season_id;primaryKey;autoIncrement:false" json:"season_id"`
	LeagueID int64 `gorm:"column:league_id;primaryKey;autoIncrement:false" json:"league_id"`
	// A range begins at this XP, moment and user id, and ends where the next one
	// begins. XP is negated, so that ranges ascend in the order of the board.
	FromMinusXP   int64     `gorm:"column:from_minus_xp;primaryKey;autoIncrement:false" json:"from_minus_xp"`
	FromReachedAt time.Time `gorm:"column:from_reached_at;primaryKey;autoIncrement:false;serializer:flashstore_millis" json:"from_reached_at"`
	FromUser      int64     `gorm:"column:from_user;primaryKey;autoIncrement:false" json:"from_user"`
	Players       int64     `gorm:"column:players" json:"players"`
}

// TableName returns the table's name without prefix.
func (BoardRange) TableName() string { return "board_ranges" }

// BoardMove is a place of a board that was taken or left and that no range
// counts yet. PostgreSQL notes them, and the store adds them to their ranges; on
// SQLite there are none.
type BoardMove struct {
	SeasonID  int64     `gorm:"column:season_id" json:"season_id"`
	LeagueID  int64     `gorm:"column:league_id" json:"league_id"`
	MinusXP   int64     `gorm:"column:minus_xp" json:"minus_xp"` // as a range has it
	ReachedAt time.Time `gorm:"column:reached_at;serializer:flashstore_millis" json:"reached_at"`
	OfUser    int64     `gorm:"column:of_user" json:"of_user"`
	Players   int64     `gorm:"column:players" json:"players"` // 1: taken, -1: left
}

// TableName returns the table's name without prefix.
func (BoardMove) TableName() string { return "board_moves" }

// SeasonResult is what a settled season brought a user.
type SeasonResult struct {
	SeasonID int64 `gorm:"column:season_id;primaryKey;autoIncrement:false" json:"season_id"`
	UserID   int64 `gorm:"column:user_id;primaryKey;autoIncrement:false" json:"user_id"`
	LeagueID int64 `gorm:"column:league_id" json:"league_id"`
	Rank     int64 `gorm:"column:rank" json:"rank"` // from 1
	WeeklyXP int64 `gorm:"column:weekly_xp" json:"weekly_xp"`
	MovedTo  int64 `gorm:"column:moved_to" json:"moved_to"` // the league of the next season
	Prize    int64 `gorm:"column:prize" json:"prize"`       // coins
}

// TableName returns the table's name without prefix.
func (SeasonResult) TableName() string { return "season_results" }
