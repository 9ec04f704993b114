# Every target that has a word behind ## shows up in "make help".
.DEFAULT_GOAL := help
GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## try it: book a small class, buy, rank, back up
	go run ./cmd/flashstore demo

.PHONY: test
test: ## run all tests
	go test ./...

.PHONY: race
race: ## run all tests under the race detector
	go test -race ./...

.PHONY: lint
lint: ## run the linters, at a fixed version
	go run $(GOLANGCI_LINT) run ./...

.PHONY: bench
bench: ## measure against rivals (20 minutes): writes bench/RESULTS.md
	cd bench && go run .

.PHONY: microbench
microbench: ## run the benchmarks of the README's table
	go test -run '^$$' -bench . ./hooks ./storage

.PHONY: ci
ci: ## run what must hold before a change lands
	bash .ci/run
