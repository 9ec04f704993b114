package main

import (
	"fmt"
	"strings"
)

// crowdSizes are the numbers of clients that book single answers at once.
var crowdSizes = []int{1, 8, 64, 512}

// answersName names the workload of single answers from n clients.
func answersName(sync Sync, n int) string {
	return fmt.Sprintf("answers-%s-%d", strings.ToLower(string(sync)), n)
}

// answerWorkloads are single answers: each is acknowledged by itself, after
// the COMMIT that it is in.
func answerWorkloads() (list []workload) {
	for _, sync := range []Sync{Full, Normal} {
		for _, n := range crowdSizes {
			list = append(list, workload{
				Name:  answersName(sync, n),
				Title: fmt.Sprintf("Single answers, %s, %s", sync, plural(n, "client")),
				Unit:  "answers",
				Sync:  sync, Op: "answer", Clients: n, Processes: 1, PerCall: 1,
			})
		}
	}
	list[0].Text = "An event and its mastery, each answer acknowledged by itself after its COMMIT."
	return list
}
