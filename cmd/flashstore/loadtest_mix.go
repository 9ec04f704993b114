package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// workload is one kind of work that clients do.
type workload struct {
	name  string
	does  string
	share int // of a hundred in the mix "mixed"
	// next makes a client's next call ready, outside of what is measured.
	next func(*client, context.Context) (request, error)
}

// request is what is measured: nothing of it is done before.
type request func(context.Context) error

// workloads are all kinds, with FlashMath's load as the shares (S13–S18):
// answers, with mastery behind each, are written all the time, sessions in
// bulk at their end, boards and dashboards are read often, the shop is rare.
var workloads = []workload{
	{"answers", "book one answer: Answers.Append, acknowledged by itself", 50, (*client).answer},
	{"submit", "book a session of 20 answers: Sessions.Submit", 8, (*client).submit},
	{"board", "read a league's first 50 places and one's own rank", 20, (*client).board},
	{"dashboard", "read a learner, 10 sessions and the 10 weakest facts", 20, (*client).dashboard},
	{"purchase", "buy an item: Shop.Purchase", 2, (*client).purchase},
}

// mix is what the clients of one run do: one kind of work, or all of them.
type mix struct {
	name  string
	parts []workload
}

// mixed is the mix of all kinds.
const mixed = "mixed"

func mixNames() []string {
	names := []string{mixed}
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return names
}

func mixByName(name string) (mix, error) {
	name = strings.TrimSpace(name)
	if name == mixed {
		return mix{mixed, workloads}, nil
	}
	for _, w := range workloads {
		if w.name == name {
			return mix{name, []workload{w}}, nil
		}
	}
	return mix{}, fmt.Errorf("--mix is %q: give one or more of %s", name, strings.Join(mixNames(), ", "))
}

// has reports whether the mix has work of that kind.
func (m mix) has(name string) bool {
	return slices.ContainsFunc(m.parts, func(w workload) bool { return w.name == name })
}

// nameOf names a part: beside others it is not what it is alone.
func (m mix) nameOf(part workload) string {
	if len(m.parts) == 1 {
		return part.name
	}
	return m.name + "/" + part.name
}

// draw returns the index of a part, each as often as its share says.
func (m mix) draw(random *rand.Rand) int {
	sum := 0
	for _, w := range m.parts {
		sum += w.share
	}
	at := random.IntN(sum)
	for i, w := range m.parts {
		if at -= w.share; at < 0 {
			return i
		}
	}
	return 0 // not reached: at was below the sum
}

// workloadsHelp lists the kinds for the help.
func workloadsHelp() string {
	var text strings.Builder
	for _, w := range workloads {
		fmt.Fprintf(&text, "  %-10s %3d%%  %s\n", w.name, w.share, w.does)
	}
	return text.String()
}
