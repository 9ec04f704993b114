package main

import (
	"slices"
	"time"
)

// workload is one thing that all candidates are measured at, and one table of
// RESULTS.md.
type workload struct {
	Name  string // the key in results.json, and what -only is matched with
	Title string
	Text  string // what the title does not say, or ""
	Unit  string // what is counted per second

	Sync      Sync
	Op        string // a key of operationsByName
	Clients   int    // in all processes together
	Processes int    // on one file
	PerCall   int    // units that one call counts for
	Long      bool   // calls take so long that the rate is of the time in them, without that of making their input

	// Writers write single answers meanwhile, or what WriterOp says.
	Writers     int
	WriterOp    string
	WriterEvery time.Duration // 0: as fast as they can
}

// workloads are all of them, in the order of the tables.
func workloads() []workload {
	return slices.Concat(answerWorkloads(), processWorkloads(), batchWorkloads(), purchaseWorkloads(),
		readWorkloads(), besideWorkloads())
}

// writes reports what table a workload's calls add rows to, and how many rows
// a call adds.
func (w workload) writes() (table string, perCall int64) {
	switch w.Op {
	case "answer":
		return "answer_events", 1
	case "session", "batch":
		return "answer_events", int64(w.PerCall)
	case "purchase":
		return "inventory", 1
	}
	return "answer_events", 0
}

// writerOp is what the writers do, and how many answers each call of theirs
// adds.
func (w workload) writerOp() (op string, perCall int64) {
	if w.WriterOp == "session" {
		return w.WriterOp, sessionLength
	}
	return "answer", 1
}
