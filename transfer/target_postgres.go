package transfer

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// toPostgres writes by COPY, on a connection of its own, which has the lock that
// keeps other copies away.
type toPostgres struct{ conn *sql.Conn }

const (
	// noticed is how long the server may take to see that a former copy has
	// died, and to let go of its lock.
	noticed = 5 * time.Second
	// lookAgain is the pause between two looks whether it has.
	lookAgain = 50 * time.Millisecond
)

// A server waits two hours before it asks whether a client that says nothing is
// still there. Half a minute is enough for one that holds a lock.
const askIfThere = `SELECT set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
	set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '30000', false)`

const lockTarget = "SELECT pg_try_advisory_lock(hashtextextended('github.com/flashstore/flashstore/transfer ' || current_schema() || ' ' || $1, 0))"

func newToPostgres(ctx context.Context, db *gorm.DB, prefix string) (_ *toPostgres, err error) {
	pool, err := db.DB()
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &toPostgres{conn}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if _, err := conn.ExecContext(ctx, patience, false); err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, askIfThere); err != nil {
		return nil, err
	}
	for giveUp := time.Now().Add(noticed); ; time.Sleep(lookAgain) {
		var locked bool
		if err := conn.QueryRowContext(ctx, lockTarget, prefix).Scan(&locked); err != nil {
			return nil, err
		}
		if locked {
			return w, nil
		}
		if time.Now().After(giveUp) {
			return nil, ErrOtherCopy
		}
	}
}

// close ends the connection: in the pool it would keep the lock.
func (w *toPostgres) close() error {
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	if err := w.conn.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

func (w *toPostgres) transaction(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return w.conn.Raw(func(driverConn any) error {
		conn, ok := driverConn.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection to PostgreSQL is a %T: open the database with gorm.io/driver/postgres", driverConn)
		}
		return pgx.BeginFunc(ctx, conn.Conn(), fn)
	})
}

// changedRows is the table by which rows come that overwrite others.
const changedRows = "flashstore_changed_rows"

func (w *toPostgres) put(ctx context.Context, t *table, added, changed []row) error {
	return w.transaction(ctx, func(tx pgx.Tx) error {
		if err := t.copyTo(ctx, tx, t.name, added); err != nil {
			return err
		}
		if len(changed) == 0 {
			return nil
		}
		columns := strings.Join(names(t.columns), ", ")
		if _, err := tx.Exec(ctx, fmt.Sprintf("CREATE TEMPORARY TABLE %s ON COMMIT DROP AS SELECT %s FROM %s WHERE false",
			changedRows, columns, t.name)); err != nil {
			return err
		}
		if err := t.copyTo(ctx, tx, changedRows, changed); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", t.name, columns, columns, changedRows)+t.conflict())
		return err
	})
}

func (t *table) copyTo(ctx context.Context, tx pgx.Tx, name string, rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	values := make([]any, len(t.columns))
	_, err := tx.CopyFrom(ctx, pgx.Identifier{name}, names(t.columns), pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		copy(values, rows[i])
		for n, c := range t.columns {
			if c.kind == boolean {
				values[n] = values[n] == int64(1)
			}
		}
		return values, nil
	}))
	return err
}

func (w *toPostgres) each(ctx context.Context, statement string, rows []row) error {
	for n := 1; strings.Contains(statement, "?"); n++ {
		statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", n), 1)
	}
	return w.transaction(ctx, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, r := range rows {
			batch.Queue(statement, r...)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

func (w *toPostgres) number(ctx context.Context, t *table, given int64) error {
	return w.transaction(ctx, func(tx pgx.Tx) error {
		var sequence string
		if err := tx.QueryRow(ctx, "SELECT pg_get_serial_sequence($1, $2)", t.name, t.key()[0].name).Scan(&sequence); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, fmt.Sprintf(
			"SELECT setval('%s', greatest(CAST($1 AS bigint), CASE WHEN is_called THEN last_value ELSE 0 END)) FROM %s",
			strings.ReplaceAll(sequence, "'", "''"), sequence), given)
		return err
	})
}
