package storage

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/flashstore/flashstore/hooks"
	"github.com/flashstore/flashstore/migrations"
	"github.com/flashstore/flashstore/writequeue"
)

// engine is what all nouns share: the database, the rules, and the texts of
// the queries with their table names filled in.
type engine struct {
	cfg   Config
	zone  *time.Location
	db    *gorm.DB // nil before db.Use
	texts map[*query]string
	// The database locks rows, and not itself as a whole as SQLite does: others
	// write at the same time.
	locksRows bool
	// the statements that write many rows: for 1, 2, 4 … of them, and on
	// PostgreSQL one for any number
	inserts map[*insertion][]func() string
	lists   map[*insertion]string
	allOf   map[*together]string
	atOnce  string // on PostgreSQL: answers alone

	words        *wordSearch // how words of names are found, or nil
	withoutWords bool        // a test's

	// What is written waits in the queue; inside of a transaction of the
	// caller's there is none.
	queue    *writequeue.Queue
	bookings *writequeue.Bulk[booking, booked]

	presence *presence   // of the whole store, inside of transactions too
	moved    *archive    // likewise
	watched  *watched    // likewise
	folds    *boardFolds // likewise
}

func (e *engine) migrations() migrations.Config {
	return migrations.Config{TablePrefix: e.cfg.TablePrefix}
}

// open makes the engine ready over db.
func (e *engine) open(db *gorm.DB) (err error) {
	if e.zone, err = time.LoadLocation(e.cfg.Rules.Zone); err != nil {
		return err
	}
	e.locksRows = isPostgres(db)
	e.texts = make(map[*query]string, len(queries))
	for _, q := range queries {
		if e.locksRows {
			e.texts[q] = q.textOnPostgres(e.cfg.TablePrefix)
		} else {
			e.texts[q] = q.text(e.cfg.TablePrefix)
		}
	}
	e.db = db.Session(&gorm.Session{NewDB: true})
	e.inserts = make(map[*insertion][]func() string, len(insertions))
	for _, i := range insertions {
		e.inserts[i] = i.texts(e.cfg.TablePrefix)
	}
	if e.locksRows {
		e.makeListTexts()
	}
	e.queue = writequeue.New(e.db, e.queueConfig())
	e.bookings = writequeue.NewBulk(e.queue, e.bookTogether)
	if e.locksRows {
		e.bookings.AtOnce(e.mayBeAtOnce, e.bookAtOnce)
	}
	e.presence = newPresence(e)
	e.folds = newBoardFolds(e)
	e.moved.main = e
	e.watched = &watched{}
	return e.openWords(db.Statement.Context)
}

// in returns the engine inside of tx.
func (e *engine) in(tx *gorm.DB) *engine {
	inside := *e
	inside.queue, inside.bookings = nil, nil
	if e.db != nil {
		inside.db = tx.Session(&gorm.Session{NewDB: true})
	}
	return &inside
}

// unit is one transaction, or one read: everything in it happens at one time.
type unit struct {
	*engine
	tx  *gorm.DB
	now time.Time
	// until ends where the statements' own context does not: put asks it
	// between them. It may be nil.
	until context.Context
}

func (e *engine) unit(tx *gorm.DB) *unit {
	return e.unitUnder(tx.Statement.Context, tx)
}

// unitUnder returns a unit whose statements run under ctx.
func (e *engine) unitUnder(ctx context.Context, tx *gorm.DB) *unit {
	return &unit{
		engine: e,
		tx:     tx.Session(&gorm.Session{NewDB: true, SkipHooks: true, Context: ctx}),
		now:    e.clock(),
	}
}

// now returns a unit without a transaction: for checking input.
func (e *engine) now() *unit { return &unit{engine: e, now: e.clock()} }

func (e *engine) clock() time.Time { return e.cfg.Now().UTC().Truncate(time.Millisecond) }

// write runs fn in a transaction, which it may share with others, and again
// from its start if it lost against another one; inside a transaction of the
// caller's, in a savepoint of it.
func (e *engine) write(ctx context.Context, fn func(*unit) error) error {
	if e.db == nil {
		return ErrNotInUse
	}
	in := func(tx *gorm.DB) error { return fn(e.unit(tx)) }
	if e.queue == nil {
		return hooks.Transaction(ctx, e.db, in)
	}
	return e.queue.Do(ctx, in)
}

// snapshot runs fn over one moment of the database.
func (e *engine) snapshot(ctx context.Context, fn func(*unit) error) error {
	if e.db == nil {
		return ErrNotInUse
	}
	if hooks.InTransaction(e.db) {
		return fn(e.unitUnder(ctx, e.db))
	}
	return hooks.Transaction(ctx, e.db, func(tx *gorm.DB) error { return fn(e.unit(tx)) },
		&sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
}

// read runs fn where a single query is all of it. It may run at a replica, where
// the application has any; transactions stay at the primary.
func (e *engine) read(ctx context.Context, fn func(*unit) error) error {
	switch {
	case e.db == nil:
		return ErrNotInUse
	case e.mustBeFresh(ctx):
		return e.snapshot(ctx, fn)
	}
	return fn(e.unitUnder(ctx, e.db))
}

// name returns a table's name with the prefix.
func (e *engine) name(model schema.Tabler) string { return e.cfg.TablePrefix + model.TableName() }

// table begins a statement on a model's table.
func (u *unit) table(model schema.Tabler) *gorm.DB { return u.tx.Table(u.name(model)) }

// raw begins one of the library's queries. It is GORM's Raw, which goes
// through the text byte by byte, with the text copied from one variable to the
// next.
func (u *unit) raw(q *query, args ...any) *gorm.DB {
	tx := u.tx.Raw("") // a statement of its own
	text := u.texts[q]
	tx.Statement.SQL.Grow(len(text) + len(args)) // $1 is longer than ?
	for _, arg := range args {
		if u.locksRows {
			arg = storable(arg)
		}
		before, after, _ := strings.Cut(text, "?")
		tx.Statement.SQL.WriteString(before)
		tx.Statement.AddVar(tx.Statement, arg) // as the engine spells it; a list has brackets
		text = after
	}
	tx.Statement.SQL.WriteString(text)
	return tx
}
