package hooks

import (
	"errors"
	"path/filepath"
	"testing"
	"time"
)

const mib = 1 << 20

// disk is a file system of which a test says how much is free.
type disk struct {
	free  int64
	err   error
	looks int
}

func (d *disk) look(string) (int64, error) { d.looks++; return d.free, d.err }

func TestReserveCheck(t *testing.T) {
	start := time.Now()
	var clock time.Time
	newOn := func(d *disk) *reserve {
		clock = start
		r := newReserve(64*mib, filepath.Join("data", "app.db"), source{}, d.look)
		r.now = func() time.Time { return clock }
		return r
	}
	mustCheck := func(t *testing.T, r *reserve, refused bool) {
		t.Helper()
		var full *DiskFullError
		if err := r.check(); errors.As(err, &full) != refused {
			t.Fatalf("got error %v, want refused: %v", err, refused)
		}
	}
	t.Run("plenty of room is looked at every 50 ms", func(t *testing.T) {
		d := &disk{free: 128 * mib}
		r := newOn(d)
		mustCheck(t, r, false)
		d.free = 0
		clock = start.Add(lookAgain - 1)
		mustCheck(t, r, false)
		if d.looks != 1 {
			t.Fatalf("looked %d times, want 1", d.looks)
		}
		clock = start.Add(lookAgain)
		mustCheck(t, r, true)
	})
	t.Run("little room is looked at always", func(t *testing.T) {
		d := &disk{free: 128*mib - 1}
		r := newOn(d)
		for _, free := range []int64{128*mib - 1, 64 * mib, 64*mib - 1, 0, 64 * mib} {
			d.free = free
			mustCheck(t, r, free < 64*mib)
		}
		if d.looks != 5 {
			t.Fatalf("looked %d times, want 5", d.looks)
		}
	})
	t.Run("what cannot be told is no reason", func(t *testing.T) {
		for _, d := range []*disk{{free: unknownSpace}, {err: errors.New("no")}} {
			mustCheck(t, newOn(d), false)
		}
	})
	t.Run("Error", func(t *testing.T) {
		err := newOn(&disk{free: 3 << 10}).check()
		const want = "data has 3 KiB free, and writes stop below 65536 KiB: make room there, or lower hooks.Config.DiskReserve"
		if err == nil || err.Error() != want {
			t.Fatalf("got %q, want %q", err, want)
		}
	})
}

func TestNewReserve(t *testing.T) {
	for name, r := range map[string]*reserve{
		"switched off": newReserve(-1, "app.db", source{}, nil),
		"in memory":    newReserve(1, "", source{memory: true}, nil),
		"read only":    newReserve(1, "app.db", source{readOnly: true}, nil),
	} {
		if r != nil || r.check() != nil {
			t.Errorf("%s: there is a reserve", name)
		}
	}
}

// BenchmarkReserve is what each write pays: with plenty of room, and where the
// file system is asked each time.
func BenchmarkReserve(b *testing.B) {
	dir := b.TempDir()
	free, err := freeSpace(dir)
	if err != nil {
		b.Fatal(err)
	}
	for name, least := range map[string]int64{"plenty": 1, "near": free/2 + free/4} {
		b.Run(name, func(b *testing.B) {
			r := newReserve(least, filepath.Join(dir, "app.db"), source{}, freeSpace)
			for b.Loop() {
				if err := r.check(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
