package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/storage"
)

// database is an open database with the store on it.
type database struct {
	*storage.Store
	db *gorm.DB
}

// create opens the database and makes it if there is none.
func (o *options) create(rules storage.Rules) (*database, error) {
	db, cfg, err := o.connect()
	if err != nil {
		return nil, err
	}
	store := storage.New(storage.Config{Hooks: cfg, Rules: &rules})
	if err := db.Use(store); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.db, err), closePool(db))
	}
	return &database{Store: store, db: db}, nil
}

// existing opens a database that must be there.
func (o *options) existing() (*database, error) {
	if err := o.mustExist(); err != nil {
		return nil, err
	}
	return o.create(storage.DefaultRules())
}

// bare opens an existing database with hooks alone, whatever tables it has.
func (o *options) bare() (*gorm.DB, error) {
	if err := o.mustExist(); err != nil {
		return nil, err
	}
	db, cfg, err := o.connect()
	if err != nil {
		return nil, err
	}
	if err := db.Use(hooks.New(cfg)); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", o.db, err), closePool(db))
	}
	return db, nil
}

func (o *options) mustExist() error {
	_, err := os.Stat(o.db)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database at %s: name one with --db, or make one with 'flashstore demo' or 'flashstore replay'", o.db)
	}
	return err
}

// connect opens the file as GORM does, before any plugin.
func (o *options) connect() (*gorm.DB, hooks.Config, error) {
	durability, err := hooks.ParseDurability(o.durability)
	if err != nil {
		return nil, hooks.Config{}, &usageError{err}
	}
	db, err := gorm.Open(sqlite.Open(o.db), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return nil, hooks.Config{}, fmt.Errorf("open %s: %w", o.db, err)
	}
	return db, hooks.Config{Durability: durability}, nil
}

// closePool closes a database's connections.
func closePool(db *gorm.DB) error {
	pool, err := db.DB()
	if err != nil {
		return err
	}
	return pool.Close()
}
