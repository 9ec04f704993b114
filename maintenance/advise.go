package maintenance

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/flashstore/flashstore/hooks"
)

// Verdict says whether SQLite still serves, as far as one figure goes.
type Verdict string

// The verdicts, from good to bad.
const (
	Serves Verdict = "serves" // SQLite is the right place
	Watch  Verdict = "watch"  // it serves, and something is to be done or kept in view
	Leave  Verdict = "leave"  // a database server serves better
)

// worse orders verdicts.
var worse = map[Verdict]int{Serves: 0, Watch: 1, Leave: 2}

// WriteLog names a table that gets a row for whatever the application writes,
// and its column with the time in milliseconds since 1970.
type WriteLog struct {
	Table, Column string
}

// Advice says of one figure whether SQLite still serves.
type Advice struct {
	Figure  string  `json:"figure"` // what was measured: "size", "log", "processes", "writes" or "place"
	Verdict Verdict `json:"verdict"`
	What    string  `json:"what"` // what it is
	Do      string  `json:"do"`   // "" where there is nothing to do
}

// Advices are what all figures say.
type Advices struct {
	Verdict Verdict  `json:"verdict"` // the worst of the list
	List    []Advice `json:"list"`
	Figures Figures  `json:"figures"`
}

// Figures are what the advice is drawn from.
type Figures struct {
	Statistics
	// OtherProcesses have the file open, as far as this user may see; -1 where
	// the system does not tell.
	OtherProcesses int   `json:"other_processes"`
	Writes         Rates `json:"writes"`
}

// Rates are how many rows the write log got.
type Rates struct {
	Known         bool      `json:"known"` // false: there is no log
	Rows          int64     `json:"rows"`
	LastDay       int64     `json:"last_day"`       // in the 24 hours up to Last
	BusiestHour   int64     `json:"busiest_hour"`   // in one hour of the clock
	BusiestMinute int64     `json:"busiest_minute"` // in one minute of it
	Last          time.Time `json:"last"`           // zero: there are no rows
}

// The figures at which advice changes. They are those of the README.
const (
	watchBytes, leaveBytes         = 5 << 30, 10 << 30
	watchPerSecond, leavePerSecond = 2_500, 10_000
	watchWALBytes                  = 256 << 20
	watchProcesses                 = 1 // others than this one
)

// Advise says from the database's own figures whether SQLite still serves (S69,
// S70): its size, how fast its log of writes grows, the processes that have the
// file open, the write-ahead log, and the file system. It changes nothing. The
// log of writes is read as a whole, which takes a second for a few million
// rows; a zero WriteLog leaves the rate out.
func Advise(ctx context.Context, db *gorm.DB, log WriteLog) (Advices, error) {
	advices, err := advise(ctx, db, log)
	if err != nil {
		return Advices{}, fmt.Errorf("advise on the database: %w", err)
	}
	return advices, nil
}

func advise(ctx context.Context, db *gorm.DB, log WriteLog) (a Advices, err error) {
	if a.Figures.Statistics, err = stats(ctx, db); err != nil {
		return a, err
	}
	var found []Finding
	err = onOwn(ctx, db, func(conn *sql.Conn) (err error) {
		if found, err = hooks.Examine(ctx, db, conn); err != nil || log == (WriteLog{}) {
			return err
		}
		a.Figures.Writes, err = log.rates(ctx, conn)
		return err
	})
	if err != nil {
		return a, err
	}
	a.Figures.OtherProcesses = otherProcesses(a.Figures.Path)
	a.List = append(a.Figures.judge(), judgePlace(found)...)
	a.Verdict = Serves
	for _, advice := range a.List {
		if worse[advice.Verdict] > worse[a.Verdict] {
			a.Verdict = advice.Verdict
		}
	}
	return a, nil
}

const ratesSQL = `SELECT COALESCE(sum(n), 0), COALESCE(max(n), 0), COALESCE(max(at), -1) FROM
	(SELECT count(*) AS n, max({column}) AS at FROM {table} GROUP BY {column} / ?)`

const lastDaySQL = `SELECT count(*) FROM {table} WHERE {column} > ?`

// rates counts the rows of the log.
func (l WriteLog) rates(ctx context.Context, conn *sql.Conn) (r Rates, err error) {
	names := strings.NewReplacer("{table}", quoted(l.Table), "{column}", quoted(l.Column))
	var last int64
	for _, span := range []struct {
		length time.Duration
		most   *int64
	}{{time.Minute, &r.BusiestMinute}, {time.Hour, &r.BusiestHour}} {
		row := conn.QueryRowContext(ctx, names.Replace(ratesSQL), span.length.Milliseconds())
		if err := row.Scan(&r.Rows, span.most, &last); err != nil {
			return r, fmt.Errorf("read the log %s: %w", l.Table, err)
		}
	}
	r.Known = true
	if r.Rows == 0 {
		return r, nil
	}
	r.Last = time.UnixMilli(last).UTC()
	row := conn.QueryRowContext(ctx, names.Replace(lastDaySQL), last-(24*time.Hour).Milliseconds())
	return r, row.Scan(&r.LastDay)
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// judge draws the advice from the figures.
func (f Figures) judge() []Advice {
	list := []Advice{f.judgeSize(), f.judgeLog(), f.judgeProcesses()}
	if f.Writes.Known {
		list = append(list, f.judgeWrites())
	}
	return list
}

func (f Figures) judgeSize() Advice {
	a := Advice{Figure: "size", Verdict: Serves, What: fmt.Sprintf("the database has %d MB", f.DatabaseBytes>>20)}
	switch {
	case f.DatabaseBytes >= leaveBytes:
		a.Verdict = Leave
		a.Do = "move to PostgreSQL: backups and VACUUM of a file beyond 10 GB take long"
	case f.DatabaseBytes >= watchBytes:
		a.Verdict = Watch
		a.Do = "plan the move to PostgreSQL before it reaches 10 GB"
	}
	return a
}

func (f Figures) judgeLog() Advice {
	a := Advice{Figure: "log", Verdict: Serves, What: fmt.Sprintf("journal_mode is %s, the write-ahead log has %d MB", f.JournalMode, f.WALBytes>>20)}
	switch {
	case f.JournalMode != "wal" && f.Path != "":
		a.Verdict = Watch
		a.Do = "open it once with the hooks plugin: without a write-ahead log readers and the writer wait for each other"
	case f.WALBytes >= watchWALBytes:
		a.Verdict = Watch
		a.Do = "look for a reader that never ends: it keeps checkpoints from starting the log over"
	}
	return a
}

func (f Figures) judgeProcesses() Advice {
	a := Advice{Figure: "processes", Verdict: Serves, What: fmt.Sprintf("%d other processes have the file open", f.OtherProcesses)}
	switch {
	case f.OtherProcesses < 0:
		a.What = "how many processes have the file open is not known on this system"
	case f.OtherProcesses > watchProcesses:
		a.Verdict = Watch
		a.Do = "let one process write: writers of several are not queued in order; if there are to be many, or on several machines, move to PostgreSQL"
	}
	return a
}

func (f Figures) judgeWrites() Advice {
	perSecond := float64(f.Writes.BusiestHour) / time.Hour.Seconds()
	a := Advice{Figure: "writes", Verdict: Serves, What: fmt.Sprintf(
		"%d rows were logged in the last day of use; %.1f a second in the busiest hour, %.1f in the busiest minute",
		f.Writes.LastDay, perSecond, float64(f.Writes.BusiestMinute)/time.Minute.Seconds())}
	switch {
	case perSecond >= leavePerSecond:
		a.Verdict = Leave
		a.Do = "move to PostgreSQL: this is more than one writer keeps up with for hours"
	case perSecond >= watchPerSecond:
		a.Verdict = Watch
		a.Do = "plan the move to PostgreSQL before it reaches 10,000 a second"
	}
	return a
}

// judgePlace takes over what is known of where the file lies.
func judgePlace(found []Finding) (list []Advice) {
	for _, f := range found {
		switch f.Kind {
		case hooks.FindingFileSystem:
			a := Advice{Figure: "place", Verdict: Watch, What: f.What + ": " + f.Why, Do: f.Do + ", or move to PostgreSQL"}
			if f.Severe {
				a.Verdict = Leave
			}
			list = append(list, a)
		case hooks.FindingFreeSpace:
			list = append(list, Advice{Figure: "place", Verdict: Watch, What: f.What + ": " + f.Why, Do: f.Do})
		}
	}
	return list
}
