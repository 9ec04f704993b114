package main

import (
	"fmt"
	"strings"
)

// purchaseWorkloads are purchases, from eight clients at once.
func purchaseWorkloads() (list []workload) {
	for _, sync := range []Sync{Full, Normal} {
		list = append(list, workload{
			Name:  "purchase-" + strings.ToLower(string(sync)),
			Title: fmt.Sprintf("Purchases, %s, 8 clients", sync),
			Text:  "Balance and price are read, the ledger and the inventory written, in one transaction.",
			Unit:  "purchases",
			Sync:  sync, Op: "purchase", Clients: 8, Processes: 1, PerCall: 1,
		})
	}
	return list
}
