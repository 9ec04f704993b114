package flashstore_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"
)

// traps are what goes wrong with SQLite under GORM. Each shows the harm on
// plain gorm.Open(sqlite.Open(…)) in its subtest "plain", and in "flashstore"
// that it is gone with db.Use(hooks.New(hooks.Config{})). Where the versions
// in go.mod cannot be harmed, or hooks is not who mends it, the subtest says
// what it checks.
var traps = []struct {
	id, title string
	show      func(t *testing.T)
}{
	{"T01", "pragmas on every connection", trapPragmasOnEveryConnection},
	{"T02", "auto_vacuum before journal_mode", trapAutoVacuumBeforeJournalMode},
	{"T03", "read then write in one transaction", trapReadThenWrite},
	{"T04", "deadline under a held lock", trapDeadlineUnderALock},
	{"T05", "first come first served", trapFirstComeFirstServed},
	{"T06", "transaction rolled back by SQLite goes on", trapDeadTransaction},
	{"T07", "PrepareStmt deadlocks a pool of one", trapPrepareStmt},
	{"T08", "outer db inside a transaction", trapOuterDB},
	{"T09", "FOR UPDATE and savepoints that do nothing", trapForUpdateAndSavepoints},
	{"T10", "read-only transactions wait and write", trapReadOnlyTransaction},
	{"T11", "writes that look like reads", trapWritesThatLookLikeReads},
	{"T12", "table rebuilds delete the children", trapTableRebuild},
	{"T13", "foreign_key_check through Exec", trapForeignKeyCheck},
	{"T14", "checkpoints that moved nothing", trapCheckpointThatMovedNothing},
	{"T15", "checkpoints that hold up every writer", trapCheckpointHoldsWriters},
	{"T16", "open rows pin the log", trapOpenRows},
	{"T17", "backups that never finish", trapBackupNeverFinishes},
	{"T18", "backup steps that spin", trapBackupSpins},
	{"T19", "VACUUM leaves a log as long as the database", trapVacuumLeavesLog},
	{"T20", "times as text", trapTimesAsText},
	{"T21", "a database in memory for each connection", trapMemory},
	{"T22", "scripts under a cache of statements", trapScripts},
	{"T23", "restore beside an old log", trapRestoreBesideOldLog},
	{"T24", "SQLite that damages its log", trapSQLiteVersion},
	{"T25", "file systems that damage a log", trapFileSystem},
	{"T26", "too many variables", trapTooManyVariables},
	{"T27", "told before the commit", trapToldBeforeTheCommit},
	{"T28", "statistics that change things", trapStatistics},
	{"T29", "journal_size_limit does not limit", trapJournalSizeLimit},
}

// sweeper is a goroutine that GORM's store of prepared statements, which some
// of these need, starts and has no way to stop (go-gorm/gorm#7832).
var sweeper = goleak.IgnoreTopFunction("gorm.io/gorm/internal/lru.NewLRU[...].func1")

// TestTraps is the table of the README:
//
//	go test -run TestTraps -v .
func TestTraps(t *testing.T) {
	defer goleak.VerifyNone(t, sweeper)
	for _, trap := range traps {
		t.Run(trap.id+" "+trap.title, trap.show)
	}
}

// TestTrapsAreComplete holds the table to the traps that are known: T01 to T29.
func TestTrapsAreComplete(t *testing.T) {
	const known = 29
	if len(traps) != known {
		t.Fatalf("there are %d traps, want %d", len(traps), known)
	}
	for i, trap := range traps {
		if want := fmt.Sprintf("T%02d", i+1); trap.id != want || trap.title == "" {
			t.Errorf("trap %d is %s %q, want %s and a title", i, trap.id, trap.title, want)
		}
	}
}
