package hooks

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Metrics is an Observer that adds up. The zero Metrics is ready; it is safe
// for concurrent use and starts nothing in the background.
//
//	metrics := &hooks.Metrics{}
//	db.Use(hooks.New(hooks.Config{Observer: metrics}))
//	… metrics.Snapshot()
type Metrics struct {
	mu   sync.Mutex
	sums Snapshot
}

var _ Observer = (*Metrics)(nil)

// Durations sums up how long something took.
type Durations struct {
	Count int64         `json:"count"`
	Total time.Duration `json:"total_ns"`
	Max   time.Duration `json:"max_ns"`
}

func (d *Durations) add(took time.Duration) {
	d.Count++
	d.Total += took
	d.Max = max(d.Max, took)
}

// Snapshot is what a Metrics has added up at one moment.
type Snapshot struct {
	LockWaits   Durations           `json:"lock_waits"` // of all writes, those that did not wait among them
	LockHolds   Durations           `json:"lock_holds"`
	GaveUp      int64               `json:"gave_up"`   // writes that never got the writer
	Busy        map[int]int64       `json:"busy"`      // by SQLite's extended code
	RanAgain    int64               `json:"ran_again"` // transactions
	Checkpoints Durations           `json:"checkpoints"`
	Statements  map[Statement]Count `json:"-"`    // by operation and table
	Slow        []SlowStatement     `json:"slow"` // the latest, the last one last
}

// Statement is a kind of statement on a table.
type Statement struct {
	Operation string // create, query, update, delete, row or raw
	Table     string // "": GORM does not know it
}

// Count is how often statements ran, and failed.
type Count struct {
	Durations
	Failed int64
}

// SlowStatement is a statement that took Config.SlowStatement or longer.
type SlowStatement struct {
	SQL      string        `json:"sql"` // without its values
	Plan     []string      `json:"plan"`
	Duration time.Duration `json:"duration_ns"`
}

// slowKept bounds the slow statements that are kept.
const slowKept = 32

// Observe adds an event.
func (m *Metrics) Observe(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case LockWaited:
		m.sums.LockWaits.add(e.Duration)
		if e.Err != nil {
			m.sums.GaveUp++
		}
	case LockHeld:
		m.sums.LockHolds.add(e.Duration)
	case Busy:
		if m.sums.Busy == nil {
			m.sums.Busy = map[int]int64{}
		}
		m.sums.Busy[e.Code]++
	case RanAgain:
		m.sums.RanAgain++
	case Checkpointed:
		m.sums.Checkpoints.add(e.Duration)
	case StatementRan:
		m.addStatement(e)
	}
}

func (m *Metrics) addStatement(e Event) {
	if m.sums.Statements == nil {
		m.sums.Statements = map[Statement]Count{}
	}
	key := Statement{Operation: e.Operation, Table: e.Table}
	count := m.sums.Statements[key]
	count.add(e.Duration)
	if e.Err != nil {
		count.Failed++
	}
	m.sums.Statements[key] = count
	if e.SQL == "" {
		return
	}
	if len(m.sums.Slow) == slowKept {
		m.sums.Slow = slices.Delete(m.sums.Slow, 0, 1)
	}
	m.sums.Slow = append(m.sums.Slow, SlowStatement{SQL: e.SQL, Plan: e.Plan, Duration: e.Duration})
}

// Snapshot returns a copy of the sums so far.
func (m *Metrics) Snapshot() Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	copied := m.sums
	copied.Busy = maps.Clone(m.sums.Busy)
	copied.Statements = maps.Clone(m.sums.Statements)
	copied.Slow = slices.Clone(m.sums.Slow)
	return copied
}
