package main

import (
	"context"
	"errors"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/models"
	"github.com/flashstore/flashstore/storage"
)

// flash is flashstore, used as its README says. It does more than the others
// for a single answer: it checks the input, recognises a repeated one, folds
// late answers in their order and notes the user for the next rollup.
type flash struct {
	db    *gorm.DB
	store *storage.Store
}

// durabilityOf is flashstore's name for a synchronous setting.
func durabilityOf(sync Sync) hooks.Durability {
	if sync == Full {
		return hooks.Safe
	}
	return hooks.Balanced
}

func openFlash(path string, cfg storage.Config) (*flash, error) {
	return openFlashOver(sqlite.Open(path), cfg)
}

func openFlashOver(dialector gorm.Dialector, cfg storage.Config) (*flash, error) {
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, err
	}
	store := storage.New(cfg)
	if err := db.Use(store); err != nil {
		return nil, err
	}
	return &flash{db, store}, nil
}

func openFlashstore(path string, sync Sync) (Candidate, error) {
	return openFlash(path, storage.Config{Hooks: hooks.Config{Durability: durabilityOf(sync)}})
}

func (f *flash) Answer(ctx context.Context, a *Answer) error {
	_, err := f.store.Answers.Append(ctx, a.UserID, a.single())
	return err
}

func (f *flash) Session(ctx context.Context, s *Session) error {
	_, err := f.store.Sessions.Submit(ctx, s.submission())
	return err
}

func (f *flash) Purchase(ctx context.Context, p *Purchase) error {
	_, err := f.store.Shop.Purchase(ctx, p.UserID, p.ItemID, p.ID)
	return err
}

func (f *flash) Recent(ctx context.Context, userID int64, limit int) ([]models.AnswerEvent, error) {
	return f.store.Answers.Recent(ctx, userID, limit)
}

func (f *flash) Board(ctx context.Context, seasonID, leagueID int64, limit int) ([]storage.Standing, error) {
	page, err := f.store.Leagues.Board(ctx, seasonID, leagueID, "", limit)
	return page.Standings, err
}

func (f *flash) Rank(ctx context.Context, seasonID, userID int64) (storage.Standing, error) {
	return f.store.Leagues.Rank(ctx, seasonID, userID)
}

func (f *flash) Dashboard(ctx context.Context, userID int64) (storage.Dashboard, error) {
	return f.store.Users.Dashboard(ctx, userID)
}

// Close closes the store; PostgreSQL's pool is the application's.
func (f *flash) Close() error {
	err := f.store.Close()
	if f.db.Name() == "sqlite" {
		return err
	}
	pool, also := f.db.DB()
	if also != nil {
		return errors.Join(err, also)
	}
	return errors.Join(err, pool.Close())
}
