package main

import (
	"os"
	"time"
)

// watchEvery is how often a watch looks.
const watchEvery = 100 * time.Millisecond

// walSample is the size of the log at one time.
type walSample struct {
	at    time.Duration // since the start
	bytes int64
}

// watch notes the size of the log while clients work, and shows how far they
// have come. It asks the folder and never opens the file: SQLite's locks are
// lost when a process closes a file that it has open elsewhere.
type watch struct {
	path     string
	duration time.Duration
	bar      *progress
	samples  []walSample // read after stop
	stopped  chan struct{}
	ended    chan struct{} // nil before start
}

func newWatch(path string, duration time.Duration, bar *progress) *watch {
	return &watch{path: path, duration: duration, bar: bar, stopped: make(chan struct{})}
}

// start begins to watch. It is called at most once.
func (w *watch) start() {
	w.ended = make(chan struct{})
	go w.look(time.Now())
}

func (w *watch) look(start time.Time) {
	defer close(w.ended)
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	shown := time.Duration(0)
	for {
		at := time.Since(start)
		w.samples = append(w.samples, walSample{at, fileSize(w.path)})
		w.bar.add(int((min(at, w.duration) - shown).Milliseconds()))
		shown = min(at, w.duration)
		select {
		case <-tick.C:
		case <-w.stopped:
			return
		}
	}
}

// stop ends the watching, if it began.
func (w *watch) stop() {
	close(w.stopped)
	if w.ended != nil {
		<-w.ended
	}
	w.bar.done()
}

// until returns the samples of the time that was measured: after it the log is
// cleared away.
func (w *watch) until(elapsed time.Duration) (samples []walSample) {
	for _, s := range w.samples {
		if s.at <= elapsed {
			samples = append(samples, s)
		}
	}
	return samples
}

// peak returns the largest size.
func (w *watch) peak() (bytes int64) {
	for _, s := range w.samples {
		bytes = max(bytes, s.bytes)
	}
	return bytes
}

// fileSize returns how many bytes a file has; none if it is not there.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
