package main

import (
	"fmt"
	"strings"
)

func processesName(sync Sync) string { return "processes-" + strings.ToLower(string(sync)) }

// processWorkloads are four processes on one file, 16 clients in each.
func processWorkloads() (list []workload) {
	for _, sync := range []Sync{Full, Normal} {
		list = append(list, workload{
			Name:  processesName(sync),
			Title: fmt.Sprintf("Four processes on one file, %s, 64 clients", sync),
			Text:  "Single answers, from 16 clients in each process.",
			Unit:  "answers",
			Sync:  sync, Op: "answer", Clients: 64, Processes: 4, PerCall: 1,
		})
	}
	return list
}
