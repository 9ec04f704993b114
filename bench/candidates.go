package main

import (
	"context"
	"fmt"

	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// Candidate is one way of keeping the game in a SQLite file. All of them work
// on the same tables and store the same rows for the same input: a test holds
// them to it. A method that writes returns after its COMMIT, never before. A
// Candidate is used by many goroutines at once.
type Candidate interface {
	// Answer books one answer: the event and the mastery of its fact.
	Answer(ctx context.Context, a *Answer) error
	// Session books a whole session with all that follows from it: answers,
	// mastery, the session's row, XP, coins with their ledger entry, league
	// XP and the user's place in the queue of rollups.
	Session(ctx context.Context, s *Session) error
	// Purchase buys an item at the shop's price.
	Purchase(ctx context.Context, p *Purchase) error
	// Recent returns a user's latest answers.
	Recent(ctx context.Context, userID int64, limit int) ([]models.AnswerEvent, error)
	// Board returns the top of a league.
	Board(ctx context.Context, seasonID, leagueID int64, limit int) ([]storage.Standing, error)
	// Rank returns a user's place in a season.
	Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error)

	Close() error
}

// Sync is SQLite's synchronous setting.
type Sync string

// The two that an application chooses between.
const (
	Normal Sync = "NORMAL" // a power failure may take the last commits back
	Full   Sync = "FULL"   // what was acknowledged survives a power failure
)

// layout is how the file lies there when a candidate comes to it: as it would
// be if the candidate itself had made it.
type layout string

const (
	layoutHooks    layout = "hooks"    // WAL, auto_vacuum as flashstore sets it
	layoutWAL      layout = "wal"      // WAL, no auto_vacuum
	layoutRollback layout = "rollback" // SQLite's own default
)

// contender is a candidate before it is opened.
type contender struct {
	Name   string // short: of tables and plots
	What   string // one sentence for the reader
	layout layout
	open   func(path string, sync Sync) (Candidate, error)
}

// The names of the candidates that targets refer to.
const (
	nameFlashstore  = "flashstore"
	nameGormDocs    = "GORM, as documented"
	nameGormSeed    = "GORM, pragmas in DSN"
	nameHandwritten = "database/sql by hand"
	nameZombiezen   = "zombiezen"
	namePocketBase  = "PocketBase's way"
)

// contenders are all of them, in the order of the tables.
var contenders = []contender{
	{nameFlashstore, "`db.Use(storage.New(storage.Config{}))`, and `hooks.Safe` for FULL.",
		layoutHooks, openFlashstore},
	{nameGormDocs, "`gorm.Open(sqlite.Open(path))` and nothing else: a rollback journal, FULL whatever the table says, a pool without bounds.",
		layoutRollback, openGormDocs},
	{nameGormSeed, "GORM with WAL, synchronous, busy timeout, foreign keys and cache size in its DSN; the pool as GORM leaves it.",
		layoutWAL, openGormSeed},
	{nameHandwritten, "One writing connection behind a mutex with BEGIN IMMEDIATE and every statement prepared once, a pool of readers with prepared statements, mmap and all other pragmas; mattn's driver.",
		layoutWAL, openHandwritten},
	{nameZombiezen, "`zombiezen.com/go/sqlite`: its pool of ten, prepared statements, immediate transactions; SQLite in pure Go.",
		layoutWAL, openZombiezen},
	{namePocketBase, "PocketBase's two pools (120 concurrent connections, one that writes), its pragmas, and its repetition of statements on \"database is locked\"; rebuilt over mattn's driver, which is faster than the one that it ships with.",
		layoutWAL, openPocketBase},
}

// contenderOf returns the contender of that name.
func contenderOf(name string) (contender, error) {
	for _, c := range everyContender() {
		if c.Name == name {
			return c, nil
		}
	}
	return contender{}, fmt.Errorf("there is no candidate %q", name)
}
