package main

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// crowd is a number of clients that do the same.
type crowd struct {
	clients []*client
	next    operation
	every   time.Duration // one call each so often and client; 0: one after the other without a pause

	// long means that a call may take as long as the window: at least two of
	// each client are measured, and all that began in the window count.
	long bool
}

// window is the time in which calls count.
type window struct {
	from, to time.Time
	open     bool // calls that end after it count as well
}

// tally is what a crowd got done.
type tally struct {
	Done    int64            // calls that succeeded and count
	Seconds float64          // the window's length
	Busy    float64          // seconds that those calls took, added up
	Acked   int64            // all calls that succeeded, those before and after the window too
	Errors  map[string]int64 // calls that failed, by what was said
	Longest int64            // ns, of any call, failed ones too
	Times   []byte           // histogram of ns, encoded
}

// newHistogram holds 100 ns to 2 minutes to three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(100, 120e9, 3) }

// recorder gathers what clients do. It is cut into parts, so that clients
// seldom wait for each other in it, and into few, so that it stays small.
type recorder [16]struct {
	sync.Mutex
	tally
	times *hdrhistogram.Histogram
}

func newRecorder() *recorder {
	r := &recorder{}
	for i := range r {
		r[i].times, r[i].Errors = newHistogram(), map[string]int64{}
	}
	return r
}

// numbers, and paths, are left out of error texts, so that equal errors are
// counted as one.
var numbers = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|\S*/\S*|\d+[.\dµnms]*`)

// note books one call.
func (r *recorder) note(client int, w window, start, end time.Time, err error) {
	part := &r[client%len(r)]
	part.Lock()
	defer part.Unlock()
	took := end.Sub(start)
	if err == nil {
		part.Acked++
	}
	if start.Before(w.from) {
		if err != nil {
			part.Errors[numbers.ReplaceAllString(err.Error(), "#")]++
		}
		return
	}
	part.Longest = max(part.Longest, int64(took))
	if err != nil {
		part.Errors[numbers.ReplaceAllString(err.Error(), "#")]++
		return
	}
	_ = part.times.RecordValue(int64(took))
	if w.open || !end.After(w.to) {
		part.Done++
		part.Busy += took.Seconds()
	}
}

// sum adds the parts up.
func (r *recorder) sum(measured time.Duration) (tally, error) {
	all := tally{Seconds: measured.Seconds(), Errors: map[string]int64{}}
	times := newHistogram()
	for i := range r {
		all.add(&r[i].tally)
		times.Merge(r[i].times)
	}
	var err error
	all.Times, err = times.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	return all, err
}

// add takes in what another part of the crowd did in the same window.
func (t *tally) add(other *tally) {
	t.Done += other.Done
	t.Busy += other.Busy
	t.Acked += other.Acked
	t.Longest = max(t.Longest, other.Longest)
	for text, n := range other.Errors {
		t.Errors[text] += n
	}
}

// failed is how many calls failed.
func (t *tally) failed() (n int64) {
	for _, count := range t.Errors {
		n += count
	}
	return n
}

// drive lets crowds loose on a candidate at once and returns what each got
// done. Calls that are under way at the end of the window are waited for:
// they are in the times, so that a starved client shows, but do not count.
func drive(ctx context.Context, c Candidate, warm, measured time.Duration, crowds ...crowd) ([]tally, error) {
	from := time.Now().Add(warm)
	to := from.Add(measured)
	recorders := make([]*recorder, len(crowds))
	var all sync.WaitGroup
	for i, crowd := range crowds {
		recorders[i] = newRecorder()
		for n, client := range crowd.clients {
			all.Go(func() { crowd.run(ctx, c, window{from, to, crowd.long}, n, client, recorders[i]) })
		}
	}
	all.Wait()
	tallies := make([]tally, len(crowds))
	for i, r := range recorders {
		var err error
		if tallies[i], err = r.sum(measured); err != nil {
			return nil, err
		}
	}
	return tallies, nil
}

// run is one client's life.
func (cr crowd) run(ctx context.Context, c Candidate, w window, n int, client *client, r *recorder) {
	measured := 0
	due := time.Now().Add(cr.every * time.Duration(n) / time.Duration(len(cr.clients)))
	for {
		ask, err := cr.next(client)
		if errors.Is(err, errDone) {
			return
		}
		start := time.Now()
		if cr.every > 0 {
			// The time counts from when the call was due: one that is late makes
			// the next one wait as well.
			time.Sleep(due.Sub(start))
			start, due = due, due.Add(cr.every)
		}
		if start.After(w.to) && (!cr.long || measured >= 2) {
			return
		}
		if !start.Before(w.from) {
			measured++
		}
		err = ask(ctx, c)
		r.note(n, w, start, time.Now(), err)
	}
}
