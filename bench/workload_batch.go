package main

import (
	"fmt"
	"strings"
)

func batchName(sync Sync) string { return "batch-" + strings.ToLower(string(sync)) }

// batchWorkloads are sessions of 10,000 answers, one after the other.
func batchWorkloads() (list []workload) {
	for _, sync := range []Sync{Full, Normal} {
		list = append(list, workload{
			Name:  batchName(sync),
			Title: fmt.Sprintf("A session of 10,000 answers, %s", sync),
			Text: "One call and one commit, from one client, with everything that follows from a session: " +
				"mastery, XP, coins and their ledger entry, league XP. The rivals without GORM run a loop of prepared statements.",
			Unit: "answers",
			Sync: sync, Op: "batch", Clients: 1, Processes: 1, PerCall: batchLength, Long: true,
		})
	}
	return list
}
