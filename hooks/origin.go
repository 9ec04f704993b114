package hooks

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/petermattis/goid"
)

// origin is where, when and in which goroutine something was begun. Taking it
// costs a third of a microsecond; its text is made when somebody asks. Sixteen
// calls are enough to reach the application from anywhere in GORM.
type origin struct {
	at        time.Time
	goroutine int64
	callers   [16]uintptr
	depth     int
}

// here returns the origin of what its caller begins.
func here() (o origin) {
	o.at = time.Now()
	o.goroutine = goid.Get()
	o.depth = runtime.Callers(3, o.callers[:])
	return o
}

// isHere reports whether the present goroutine is the origin's.
func (o *origin) isHere() bool { return knowsGoroutines && o.goroutine == goid.Get() }

// knowsGoroutines says whether the goroutine's number is read right: the
// package that reads it knows the inside of the runtime, which a future one
// may change. Then nobody is told to wait for themselves.
var knowsGoroutines = func() bool {
	var header [64]byte
	return goid.ExtractGID(header[:runtime.Stack(header[:], false)]) == goid.Get()
}()

// plumbing begins the names of functions that stand between the application
// and its database: the site is the first one above them.
var plumbing = []string{
	"github.com/flashstore/flashstore/hooks.",
	"github.com/flashstore/flashstore/writequeue.", "github.com/flashstore/flashstore/storage.",
	"gorm.io/", "database/sql.", "runtime.",
}

// site returns the file and line of the application's that began it.
func (o *origin) site() string { return firstOutside(o.callers[:o.depth], plumbing) }

// firstOutside returns the file and line of the first caller whose function has
// a name that begins with none of the prefixes, or else of the last one.
func firstOutside(callers []uintptr, prefixes []string) string {
	frames := runtime.CallersFrames(callers)
	for {
		frame, more := frames.Next()
		inside := slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(frame.Function, prefix) })
		if !inside || !more {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
	}
}
