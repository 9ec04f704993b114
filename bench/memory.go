package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory is the most that a process had, in kB.
type memory struct {
	// Once is Pss: what is in memory for the process, each page counted once.
	// It is read when a run ends, for the kernel walks through all of it.
	Once int64 `json:"once_kb"`
	// Resident is VmHWM. A page of the mapped file counts in it once for each
	// connection that has read it.
	Resident int64 `json:"resident_kb"`
	// Own is RssAnon, sampled: what the process allocated itself.
	Own int64 `json:"own_kb"`
}

// readMemory asks the kernel; elsewhere than on Linux it knows nothing.
func readMemory() memory {
	m := glanceAtMemory()
	m.Once = kernelSays("/proc/self/smaps_rollup")["Pss:"]
	return m
}

// glanceAtMemory is readMemory without what takes the kernel long.
func glanceAtMemory() memory {
	status := kernelSays("/proc/self/status")
	return memory{Resident: status["VmHWM:"], Own: status["RssAnon:"]}
}

// kernelSays reads a file of lines such as "Pss: 12 kB".
func kernelSays(path string) map[string]int64 {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	said := map[string]int64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 {
			said[fields[0]], _ = strconv.ParseInt(fields[1], 10, 64)
		}
	}
	return said
}

// watchMemory looks again and again and returns the most that it saw when stop
// is called.
func watchMemory() (stop func() memory) {
	ask, answer := make(chan struct{}), make(chan memory)
	go func() {
		most := glanceAtMemory()
		ticks := time.NewTicker(50 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-ticks.C:
			case <-ask:
				answer <- most.or(readMemory())
				return
			}
			most = most.or(glanceAtMemory())
		}
	}()
	return func() memory {
		close(ask)
		return <-answer
	}
}

// or returns the greater of each.
func (m memory) or(other memory) memory {
	return memory{max(m.Once, other.Once), max(m.Resident, other.Resident), max(m.Own, other.Own)}
}
