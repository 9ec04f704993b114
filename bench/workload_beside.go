package main

import "time"

const (
	besideReaders = 4
	besideWriters = 16
	// besidePace gives 400 answers a second in all: what every candidate with
	// a log can take while four clients read without a pause.
	besidePace = 40 * time.Millisecond
)

// The names of a read beside writers: as fast as they can, and at one pace.
func besideName(op string) string { return "beside-" + op }
func pacedName(op string) string  { return "paced-" + op }

// besideWorkloads are reads while 16 clients write single answers at NORMAL.
func besideWorkloads() (list []workload) {
	for _, r := range readOps {
		list = append(list, workload{
			Name: besideName(r.op), Title: r.title + ", beside 16 writers",
			Text: "Four clients read, 16 write as fast as they can: a candidate that writes more has less processor time left to read with.",
		})
	}
	for _, r := range readOps {
		list = append(list, workload{
			Name: pacedName(r.op), Title: r.title + ", beside 16 writers at one pace",
			Text: "Four clients read, 16 are due to write 25 answers a second each: 400 a second in all, if the last column shows that they did.", WriterEvery: besidePace,
		})
	}
	for i := range list {
		w := &list[i]
		w.Unit, w.Sync, w.Op = "reads", Normal, readOps[i%len(readOps)].op
		w.Clients, w.Writers, w.Processes, w.PerCall = besideReaders, besideWriters, 1, 1
	}
	return list
}
