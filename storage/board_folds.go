package storage

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"

	"github.com/flashstore/flashstore/models"
)

const (
	// foldEvery is after how many bookings of XP a store on PostgreSQL adds what
	// is noted of boards to their ranges: few enough that a rank has little to add
	// by itself, many enough that it costs a booking next to nothing.
	foldEvery = 1024
	// foldMost is how much one transaction adds.
	foldMost = 50_000
	// largeRange is how many players a range may have on PostgreSQL before its
	// board is cut anew.
	largeRange = 4096
)

// boardFolds adds the moves that PostgreSQL's triggers note in board_moves to
// the ranges of their boards, behind the bookings: a fold at a time, in a
// goroutine that ends with it. Several processes may do so.
type boardFolds struct {
	engine *engine // outside of transactions
	booked atomic.Int64

	mu      sync.Mutex
	folding bool
	ctx     context.Context // until close
	cancel  context.CancelFunc
	all     sync.WaitGroup
}

func newBoardFolds(e *engine) *boardFolds {
	f := &boardFolds{engine: e}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// add counts bookings, and begins a fold where they are enough.
func (f *boardFolds) add(bookings int) {
	if f.booked.Add(int64(bookings)) >= foldEvery {
		f.begin()
	}
}

// begin begins a fold, unless there is one.
func (f *boardFolds) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.folding || f.ctx.Err() != nil {
		return
	}
	f.folding = true
	f.booked.Store(0)
	f.all.Go(f.run)
}

func (f *boardFolds) run() {
	err := f.engine.foldMoves(f.ctx)
	if err == nil {
		err = f.engine.clearMoves(f.ctx)
	}
	if err != nil && f.ctx.Err() == nil {
		f.engine.db.Logger.Warn(f.ctx, "storage: what is noted of boards is not added to their ranges, and ranks take longer; after %d more bookings it is tried again: %v", foldEvery, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folding = false
}

// close ends the fold that is under way: what it has not added stays noted.
func (f *boardFolds) close() {
	f.mu.Lock()
	f.cancel()
	f.mu.Unlock()
	f.all.Wait()
}

// foldBoards adds moves to the ranges in which their places are, and returns of
// each board how many players the largest of these has then. The first move of a
// board makes its first range.
const foldBoards = `
WITH folded AS (
  DELETE FROM {board_moves} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {board_moves} LIMIT CAST(? AS BIGINT)))
  RETURNING season_id, league_id, minus_xp, reached_at, of_user, players
), changed AS (
  INSERT INTO {board_ranges} AS stored (season_id, league_id, from_minus_xp, from_reached_at, from_user, players)
  SELECT folded.season_id, folded.league_id,
    coalesce(own.from_minus_xp, -9223372036854775807), coalesce(own.from_reached_at, 0), coalesce(own.from_user, 0),
    CAST(sum(folded.players) AS BIGINT)
  FROM folded LEFT JOIN LATERAL (
    SELECT r.from_minus_xp, r.from_reached_at, r.from_user FROM {board_ranges} AS r
    WHERE r.season_id = folded.season_id AND r.league_id = folded.league_id
      AND (r.from_minus_xp, r.from_reached_at, r.from_user) <= (folded.minus_xp, folded.reached_at, folded.of_user)
    ORDER BY r.from_minus_xp DESC, r.from_reached_at DESC, r.from_user DESC LIMIT 1) AS own ON true
  GROUP BY 1, 2, 3, 4, 5 HAVING sum(folded.players) <> 0
  ON CONFLICT (season_id, league_id, from_minus_xp, from_reached_at, from_user)
    DO UPDATE SET players = stored.players + excluded.players
  RETURNING season_id, league_id, players
)
SELECT season_id, league_id, max(players), (SELECT count(*) FROM folded) FROM changed GROUP BY season_id, league_id`

// foldedBoard is a board of which a fold has changed ranges.
type foldedBoard struct {
	board
	largest int64 // players of these
	folded  int64 // moves of all boards
}

// anyMove asks whether there is anything to fold.
const anyMove = `SELECT EXISTS (SELECT 1 FROM {board_moves})`

// foldMoves adds what moves are noted, and cuts the boards anew of which a range
// has become large. Where nothing is noted, it writes nothing.
func (e *engine) foldMoves(ctx context.Context) error {
	var noted bool
	err := e.read(Fresh(ctx), func(u *unit) error {
		return u.tx.Raw(withPrefix(anyMove, u.cfg.TablePrefix)).Scan(&noted).Error
	})
	for folded := int64(foldMost); err == nil && noted && folded == foldMost; {
		folded, err = e.foldSome(ctx)
	}
	return err
}

// foldSome adds as many moves as one transaction may, and returns how many they
// were; 0 also where they have taken back each other.
func (e *engine) foldSome(ctx context.Context) (folded int64, err error) {
	var boards []foldedBoard
	err = e.writeRanges(ctx, func(u *unit) (err error) {
		boards, err = scanRows(u.tx.Raw(withPrefix(foldBoards, u.cfg.TablePrefix), foldMost), 0,
			func(rows *sql.Rows, b *foldedBoard) error {
				return rows.Scan(&b.season, &b.league, &b.largest, &b.folded)
			})
		return err
	})
	for _, b := range boards {
		if err == nil && b.largest > largeRange {
			err = e.cut(ctx, b.board)
		}
		folded = b.folded
	}
	return folded, err
}

// clearMoves has room used again that folded moves have left, so that a rank
// reads few pages: autovacuum comes once a minute, and much may be folded until
// then. Where the role does not own the tables, the server only warns.
func (e *engine) clearMoves(ctx context.Context) error {
	vacuum := "VACUUM (TRUNCATE FALSE) " + e.name(models.BoardMove{}) + ", " + e.name(models.BoardRange{})
	return e.db.WithContext(ctx).Exec(vacuum).Error
}
