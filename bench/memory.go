package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is a process's own, in kB.
type memory struct {
	Peak int64 // VmHWM: the most that was resident, pages of mapped files among it
	Anon int64 // RssAnon: what the process allocated itself
}

// readMemory asks the kernel; elsewhere than on Linux it knows nothing.
func readMemory() (m memory) {
	file, err := os.Open("/proc/self/status")
	if err != nil {
		return m
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "VmHWM:":
			m.Peak, _ = strconv.ParseInt(fields[1], 10, 64)
		case "RssAnon:":
			m.Anon, _ = strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return m
}

// watchMemory looks again and again and returns the most that it saw when stop
// is called.
func watchMemory() (stop func() memory) {
	ask, answer := make(chan struct{}), make(chan memory)
	go func() {
		most := readMemory()
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-ask:
				answer <- most.or(readMemory())
				return
			}
			most = most.or(readMemory())
		}
	}()
	return func() memory {
		close(ask)
		return <-answer
	}
}

// or returns the greater of each.
func (m memory) or(other memory) memory {
	return memory{max(m.Peak, other.Peak), max(m.Anon, other.Anon)}
}
