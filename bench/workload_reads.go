package main

// readOps are the reads, with what they are called in a title.
var readOps = []struct{ op, title string }{
	{"recent", "The latest 50 answers of a user"},
	{"board", "The top 50 of a league of 1,000"},
	{"rank", "The rank of a user among 1,000"},
}

// readWorkloads are reads while nobody writes.
func readWorkloads() (list []workload) {
	for _, r := range readOps {
		list = append(list, workload{
			Name: "read-" + r.op, Title: r.title + ", 8 clients", Unit: "reads",
			Sync: Normal, Op: r.op, Clients: 8, Processes: 1, PerCall: 1,
		})
	}
	return list
}
