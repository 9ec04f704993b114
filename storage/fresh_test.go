package storage_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/plugin/dbresolver"

	"github.com/flashstore/flashstore/internal/pgtest"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// One connection to the primary is enough for whatever is written, also where
// the application's reads go elsewhere.
func TestPostgres_OneConnection(t *testing.T) {
	dsn := pgtest.Server(t).Database(t)
	f := &fixture{db: MustOpenGORM(t, dsn, &gorm.Config{Logger: logger.Discard})}
	f.Store = storage.New(storage.Config{})
	resolver := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(dsn)}})
	must(t, f.db.Use(resolver))
	must(t, f.db.Use(f.Store))
	t.Cleanup(func() {
		must(t, f.Close())
		must(t, resolver.Call(func(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() }))
	})
	pool, err := f.db.DB()
	must(t, err)
	pool.SetMaxOpenConns(1)
	users := MustUsers(t, f, 8)
	must(t, errors.Join(atOnce(len(users), func(i int) error {
		now := time.Now()
		return errors.Join(
			err2(f.Answers.Append(ctx, users[i].ID, storage.SingleAnswer{Operation: "addition", Answer: storage.Answer{ID: models.NewID(), Fact: "8+7", At: now}})),
			err2(f.Coins.Grant(ctx, users[i].ID, models.NewID(), 1, "gift", "")))
	})...))
	for _, user := range users {
		equal(t, len(MustRecent(t, f.Store, user.ID, 0)), 1)
	}
}

// errConflict is what a replica says to a query that it ends because it cannot
// go on after the primary with it.
type errConflict struct{}

func (errConflict) Error() string    { return "canceling statement due to conflict with recovery" }
func (errConflict) SQLState() string { return "40001" }

// A query that a replica has ended is asked at the primary, in a transaction;
// inside of the caller's, which has lost, it is not.
func TestPostgres_ReplicaEndsQuery(t *testing.T) {
	f := MustOpenStores(t, 1)[0]
	ada := MustUser(t, f.Store, "ada")
	MustAppend(t, f.Store, ada.ID, right(1, "1+1", 10))
	ended := 0
	must(t, f.db.Callback().Row().Before("*").Register("test:conflict", func(tx *gorm.DB) {
		if _, inside := tx.Statement.ConnPool.(gorm.TxCommitter); !inside || ended < 0 {
			ended++
			_ = tx.AddError(errConflict{})
		}
	}))
	equal(t, MustGet(t, f.Store, ada.ID), ada)
	equal(t, len(MustRecent(t, f.Store, ada.ID, 0)), 1)
	equal(t, ended, 2)
	err := f.db.Transaction(func(tx *gorm.DB) error {
		ended = -1
		return err2(f.In(tx).Users.Get(ctx, ada.ID))
	})
	must(t, f.db.Callback().Row().Remove("test:conflict"))
	mustBe(t, err, errConflict{})
	equal(t, ended, 0)
}

// Reads go to a replica, which is behind, but for those that must see what was
// written.
func TestPostgres_Replica(t *testing.T) {
	server := pgtest.Server(t)
	replica := server.Replica(t)
	dsn := server.Database(t)
	replica.CatchUp(t)
	f := &fixture{db: MustOpenGORM(t, dsn, &gorm.Config{Logger: logger.Discard}), clock: &clock{}}
	f.clock.Set(noon)
	f.Store = storage.New(storage.Config{Now: f.clock.Now})
	resolver := dbresolver.Register(dbresolver.Config{Replicas: []gorm.Dialector{postgres.Open(replica.DSN(dsn))}})
	must(t, f.db.Use(resolver))
	must(t, f.db.Use(f.Store))
	t.Cleanup(func() {
		must(t, f.Close())
		must(t, resolver.Call(func(pool gorm.ConnPool) error { return pool.(*sql.DB).Close() }))
	})
	ada := MustUser(t, f.Store, "ada")
	replica.CatchUp(t)
	behind := MustOpenGORM(t, replica.DSN(dsn), &gorm.Config{Logger: logger.Discard})
	stop(t, behind)

	MustSubmit(t, f.Store, session(ada.ID, 0, right(1, "8+7", 0)))
	now, err := f.Users.Get(storage.Fresh(ctx), ada.ID)
	must(t, err)
	if now.TotalXP == ada.TotalXP {
		t.Fatalf("a fresh read has %d XP", now.TotalXP)
	}
	equal(t, MustGet(t, f.Store, ada.ID), ada)
	must(t, f.db.Transaction(func(tx *gorm.DB) error {
		equal(t, MustGet(t, f.In(tx), ada.ID), now)
		return nil
	}))
	f.clock.Set(noon.AddDate(0, 0, 7))
	results, err := f.Leagues.SettleDue(ctx) // at the replica there is no season
	must(t, err)
	equal(t, len(results), 1)
	equal(t, results[0].Participants, int64(1))

	MustExec(t, behind, "SELECT pg_wal_replay_resume()")
	replica.CatchUp(t)
	var settled models.Season
	must(t, behind.Take(&settled, "id = ?", int64(thisSeason)).Error)
	equal(t, MustGet(t, f.Store, ada.ID).TotalXP, now.TotalXP)
}

// The other way round the replica's connections would be given to the store.
func TestStore_ErrInUse(t *testing.T) {
	f := MustOpen(t)
	other := MustOpenGORM(t, newPath(t), &gorm.Config{Logger: logger.Discard})
	if err := other.Use(f.Store); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("got error %v, want %v", err, storage.ErrInUse)
	}
	MustUser(t, f.Store, "ada")
	equal(t, MustInt(t, f.db, "SELECT count(*) FROM users"), int64(1))
}

// stop keeps a replica where it is.
func stop(t *testing.T, behind *gorm.DB) {
	t.Helper()
	MustExec(t, behind, "SELECT pg_wal_replay_pause()")
	MustExec(t, behind, `
DO $$ BEGIN
	WHILE pg_get_wal_replay_pause_state() <> 'paused' LOOP
		PERFORM pg_sleep(0.002); -- there is no event for it
	END LOOP;
END $$`)
}
