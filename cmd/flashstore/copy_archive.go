package main

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/storage"
)

// copyArchives runs fn with the archives' files that the flags name, or nil. A
// target's is made first, which is the store's to do.
func (o *options) copyArchives(ctx context.Context, flags copyFlags, target *gorm.DB, fn func(from, to *gorm.DB) error) error {
	if flags.dryRun {
		flags.toArchive = ""
	}
	if flags.toArchive != "" {
		if err := o.makeArchive(ctx, target, flags.toArchive); err != nil {
			return err
		}
	}
	open := func(path string, fn func(*gorm.DB) error) error {
		if path == "" {
			return fn(nil)
		}
		file := *o
		file.db = path
		return file.look(fn)
	}
	return open(flags.fromArchive, func(from *gorm.DB) error {
		return open(flags.toArchive, func(to *gorm.DB) error { return fn(from, to) })
	})
}

// makeArchive makes the archive's file of a database that hooks has open, and
// the tables, where they are not there yet.
func (o *options) makeArchive(ctx context.Context, db *gorm.DB, path string) error {
	store := storage.New(storage.Config{TablePrefix: o.prefix, Archive: path})
	if err := db.Use(store); err != nil {
		return err
	}
	_, err := store.Answers.Archive(ctx, time.Unix(0, 0)) // there are no older answers
	return errors.Join(err, store.Close())
}
